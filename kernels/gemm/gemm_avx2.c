/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 256-bit FMA.
 * Tile: 6 x 2 vectors of accumulators, two of B and one of A in flight use 15 of the 16 registers. Two units of latency
 * 4 need 8 accumulators; there are 12. One step in k (one word) takes 12 FMAs, 6 cycles, and 8 loads; two loads a cycle
 * would allow 12.
 * B is stationary: its panel of 16 columns would need 64 bytes every 6 cycles from L2; A's panels of 6 rows need 24.
 * L1 of 32 KiB: kc = 512 words, 16 x 512 x 4 = 32 KiB of B. C, 12 vectors to read, add and write, comes once every 512
 * x 6 = 3,072 cycles. L2 of 512 KiB: MC = 96 rows, 96 x 512 x 4 = 192 KiB. */
#define GEMM_VARIANT "avx2"
#define KERNEL_LANES 8
#define GEMM_MR 6
#define GEMM_NV 2
#define GEMM_B_STATIONARY true
#include "declare.h"
#include "gemm/blocked.inc.h"
#include "peak/tile.inc.h"

void kernel_gemm_avx2(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
void kernel_gemm_pack_avx2(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    blocked_pack(team, g, packed);
}
void kernel_gemm_blocking_avx2(const struct kernel_caches *caches, enum kernel_dtype in, struct kernel_blocking *b) {
    (void)in; /* packing widens BF16 */
    blocked_facts(b, caches);
}
double kernel_tile_peak_avx2(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* packing widens BF16 */
    return tile_peak_run(rounds);
}
