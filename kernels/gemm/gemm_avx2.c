/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 256-bit FMA. Tile: 6 x 2 vectors of sums, two of B and one of A in flight of the 16 registers; 12 sums
 * are more than the 8 that two units of latency 4 need. A word of k is 12 FMAs, 6 cycles, for 8 loads of the 12 that
 * two a cycle allow. B is stationary: its panel of 16 columns would else come from L2, 64 bytes every 6 cycles; A's
 * panels of 6 rows are 24. L1 of 32 KB: kc = 512 words, 16 x 512 x 4 = 32 KB of B. C, 12 vectors to read, add and
 * write, comes once every 512 x 6 = 3,072 cycles. L2 of 512 KB: MC = 96 rows, 96 x 512 x 4 = 192 KB. */
#define GEMM_VARIANT "avx2"
#define KERNEL_LANES 8
#define GEMM_MR 6
#define GEMM_NV 2
#define GEMM_B_STATIONARY true
#include "declare.h"
#include "gemm/blocked.inc.h"

void kernel_gemm_avx2(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
void kernel_gemm_pack_avx2(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    blocked_pack(team, g, packed);
}
void kernel_gemm_blocking_avx2(const struct kernel_caches *caches, enum kernel_dtype in, struct kernel_blocking *b) {
    (void)in; /* BF16 is widened while it is packed */
    blocked_facts(b, caches);
}
