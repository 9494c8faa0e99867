/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on the 512-bit BF16 dot, which multiplies pairs and adds them into FP32: the tiles of AVX-512, 28 sums
 * where two units of latency 6 need 12, and half the words. FP32 goes to AVX-512. */
#define KERNEL_LANES 16
#define GEMM_MR 14
#define GEMM_NV 2
#define GEMM_PAIRS
#include <immintrin.h>

#include "../declare.h"
#include "../simd.h"

SIMD_INLINE vf tile_dot(vf sum, vf a, vf b) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

#include "blocked.h"

void kernel_gemm_avx512bf16(const struct kernel_team *team, const struct kernel_gemm *g) {
    if (g->in == KERNEL_BF16)
        blocked_gemm(team, g);
    else
        kernel_gemm_avx512(team, g);
}
