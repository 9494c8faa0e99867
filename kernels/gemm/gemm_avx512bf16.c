/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on the 512-bit BF16 dot, which multiplies pairs and accumulates in FP32. Tiles and blocking are those of
 * AVX-512, with words of two numbers along k. Two units of latency 6 need 12 accumulators; there are 28. If the unit
 * starts a dot as often as an FMA, half the words take half the time. FP32 goes to AVX-512. */
#define GEMM_VARIANT "avx512bf16"
#define KERNEL_LANES 16
#define GEMM_MR 14
#define GEMM_NV 2
#define GEMM_B_STATIONARY false
#define GEMM_PAIRS
#define PEAK_DOT
#include "declare.h"
#include "dot.inc.h"

SIMD_INLINE vf tile_dot(vf sum, vf a, vf b) {
    return vf_dot_bf16(sum, a, b);
}

#include "gemm/blocked.inc.h"
#include "peak/tile.inc.h"

void kernel_gemm_avx512bf16(const struct kernel_team *team, const struct kernel_gemm *g) {
    if (g->in == KERNEL_BF16)
        blocked_gemm(team, g);
    else
        kernel_gemm_avx512(team, g);
}
void kernel_gemm_pack_avx512bf16(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    if (g->in == KERNEL_BF16)
        blocked_pack(team, g, packed);
    else
        kernel_gemm_pack_avx512(team, g, packed);
}
void kernel_gemm_blocking_avx512bf16(const struct kernel_caches *caches, enum kernel_dtype in,
                                     struct kernel_blocking *b) {
    if (in == KERNEL_BF16)
        blocked_facts(b, caches);
    else
        kernel_gemm_blocking_avx512(caches, in, b);
}
double kernel_tile_peak_avx512bf16(enum kernel_dtype dtype, int64_t rounds) {
    return dtype == KERNEL_BF16 ? tile_peak_run(rounds) : kernel_tile_peak_avx512(dtype, rounds);
}
