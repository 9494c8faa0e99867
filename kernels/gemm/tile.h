/* SPDX-License-Identifier: Apache-2.0
 *
 * One tile of C: GEMM_MR rows by GEMM_NV vectors of sums that stay in registers, from a packed panel of A and one
 * of B. Needs tile_dot(), sum + a . b for one word a lane, which is FMA where it is not given. */
#ifndef TOISE_KERNELS_GEMM_TILE_H
#define TOISE_KERNELS_GEMM_TILE_H

#include "../simd.h"

enum { GEMM_NR = GEMM_NV * KERNEL_LANES, GEMM_TILE = GEMM_MR * GEMM_NR };

#ifndef GEMM_PAIRS
SIMD_INLINE vf tile_dot(vf sum, vf a, vf b) {
    return a * b + sum;
}
#endif

SIMD_INLINE vf tile_broadcast(const uint32_t *word) {
    return (vf)(*word - (vu){0});
}

/* One word along k: row i of A is at a + i * a_row. */
SIMD_INLINE void tile_step(vf sum[GEMM_MR][GEMM_NV], const uint32_t *a, int64_t a_row, const uint32_t *b) {
    vf column[GEMM_NV];
#pragma GCC unroll 4
    for (int v = 0; v < GEMM_NV; v++) column[v] = *(const vf_any *)(b + v * KERNEL_LANES);
#pragma GCC unroll 16
    for (int i = 0; i < GEMM_MR; i++) {
        const vf x = tile_broadcast(a + i * a_row);
#pragma GCC unroll 4
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] = tile_dot(sum[i][v], x, column[v]);
    }
}

/* out = A B + base + bias, over `words` words along k. A is packed [words][MR] (by_k) or [words / LANES][MR][LANES],
 * B [words][NR]. base may be NULL or out; bias may be NULL; both matrices have leading dimension ld. */
SIMD_INLINE void tile_multiply(int64_t words, const uint32_t *restrict a, bool by_k, const uint32_t *restrict b,
                               const float *base, const float *bias, float *out, int64_t ld) {
    vf sum[GEMM_MR][GEMM_NV] = {{{0}}};
    if (base)
        for (int i = 0; i < GEMM_MR; i++)
            for (int v = 0; v < GEMM_NV; v++) __builtin_prefetch(base + i * ld + v * KERNEL_LANES);
    if (by_k) {
        for (int64_t p = 0; p < words; p++) tile_step(sum, a + p * GEMM_MR, 1, b + p * GEMM_NR);
    } else {
        for (; words > 0; words -= KERNEL_LANES, a += GEMM_MR * KERNEL_LANES) {
            const int64_t some = words < KERNEL_LANES ? words : KERNEL_LANES;
            for (int64_t p = 0; p < some; p++, b += GEMM_NR) tile_step(sum, a + p, KERNEL_LANES, b);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < GEMM_MR; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < GEMM_NV; v++) {
            vf x = sum[i][v];
            if (base) x += vf_load(base + i * ld + v * KERNEL_LANES);
            if (bias) x += vf_load(bias + v * KERNEL_LANES);
            vf_store(out + i * ld + v * KERNEL_LANES, x);
        }
    }
}

static __attribute__((noinline)) void tile_by_k(int64_t words, const uint32_t *a, const uint32_t *b, const float *base,
                                                const float *bias, float *out, int64_t ld) {
    tile_multiply(words, a, true, b, base, bias, out, ld);
}
static __attribute__((noinline)) void tile_by_row(int64_t words, const uint32_t *a, const uint32_t *b,
                                                  const float *base, const float *bias, float *out, int64_t ld) {
    tile_multiply(words, a, false, b, base, bias, out, ld);
}

/* c = sums + bias + d over rows x cols of a tile, rounded to dtype `out`; sums[MR][NR]; bias and d may be NULL. */
static void tile_finish(const float *sums, int64_t rows, int64_t cols, enum kernel_dtype in, const void *bias,
                        int64_t column, enum kernel_dtype out, const void *d, void *c, int64_t ld) {
    for (int64_t j = 0; j < cols; j += KERNEL_LANES) {
        const int64_t n = cols - j < KERNEL_LANES ? cols - j : KERNEL_LANES;
        const bool whole = n == KERNEL_LANES;
        vf add = {0};
        if (bias) add = whole ? vf_get(in, bias, column + j) : vf_get_n(in, bias, column + j, n);
        for (int64_t i = 0; i < rows; i++) {
            vf x = vf_load(sums + i * GEMM_NR + j) + add;
            const int64_t at = i * ld + j;
            if (d) x += whole ? vf_get(out, d, at) : vf_get_n(out, d, at, n);
            if (whole)
                vf_put(out, c, at, x);
            else
                vf_put_n(out, c, at, n, x);
        }
    }
}

#endif
