/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 512-bit FMA.
 * Tile: 14 x 2 vectors of accumulators, two of B and two of A in flight use all 32 registers. Two units of latency 4
 * need 8 accumulators; there are 28. One step in k (one word) takes 28 FMAs, 14 cycles, and 16 loads.
 * A is stationary: with its panel of 14 rows, kc can be more than twice what 32 columns of B would allow. B streams
 * from L2 at 128 bytes every 14 cycles; L2 gives 64 a cycle.
 * L1 of 48 KiB: kc = 512 words, 14 x 512 x 4 = 28 KiB of A. C, 56 vector moves, comes once every 512 x 14 = 7,168
 * cycles. L2 of 1 MiB: MC = 192 columns, 384 KiB. */
#define GEMM_VARIANT "avx512"
#define KERNEL_LANES 16
#define GEMM_MR 14
#define GEMM_NV 2
#define GEMM_B_STATIONARY false
#include "declare.h"
#include "gemm/blocked.inc.h"
#include "peak/tile.inc.h"

void kernel_gemm_avx512(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
void kernel_gemm_pack_avx512(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    blocked_pack(team, g, packed);
}
void kernel_gemm_blocking_avx512(const struct kernel_caches *caches, enum kernel_dtype in, struct kernel_blocking *b) {
    (void)in; /* packing widens BF16 */
    blocked_facts(b, caches);
}
double kernel_tile_peak_avx512(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* packing widens BF16 */
    return tile_peak_run(rounds);
}
