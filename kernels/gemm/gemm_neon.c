/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 128-bit FMA. BF16 is widened to FP32.
 * Tile: 6 x 4 vectors of accumulators, four of B and up to four numbers of A in flight use the 32 registers. A number
 * of A is loaded alone: a multiply-add by lane broadcasts it. Four units of latency 4 need 16 accumulators, two of
 * latency 9 (A64FX) need 18; there are 24. One step in k (one word) takes 24 FMAs, 6 cycles of four units, and 10
 * loads; three loads a cycle would allow 18. B is stationary: its panel of 16 columns would need 64 bytes every 6
 * cycles from L2; A's panels of 6 rows need 24. L1 of 64 KiB: kc = 512 words, 16 x 512 x 4 = 32 KiB of B. L2 of 1 MiB:
 * MC = 192 rows, 192 x 512 x 4 = 384 KiB. */
#define GEMM_VARIANT "neon"
#define KERNEL_LANES 4
#define GEMM_MR 6
#define GEMM_NV 4
#define GEMM_B_STATIONARY true
#include "declare.h"
#include "gemm/blocked.inc.h"
#include "peak/tile.inc.h"

void kernel_gemm_neon(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
void kernel_gemm_pack_neon(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    blocked_pack(team, g, packed);
}
void kernel_gemm_blocking_neon(const struct kernel_caches *caches, enum kernel_dtype in, struct kernel_blocking *b) {
    (void)in; /* packing widens BF16 */
    blocked_facts(b, caches);
}
double kernel_tile_peak_neon(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* packing widens BF16 */
    return tile_peak_run(rounds);
}
