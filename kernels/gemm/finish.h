/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a tile's sums: bias, D and rounding where the tile could not be written straight into C, and the
 * passes that ride along. */
#ifndef TOISE_KERNELS_GEMM_FINISH_H
#define TOISE_KERNELS_GEMM_FINISH_H

#include "../gelu.h"
#include "tile.h"

SIMD_INLINE vf finish_get(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    return n == KERNEL_LANES ? vf_get(t, p, i) : vf_get_n(t, p, i, n);
}
SIMD_INLINE void finish_put(enum kernel_dtype t, void *p, int64_t i, int64_t n, vf x) {
    if (n == KERNEL_LANES)
        vf_put(t, p, i, x);
    else
        vf_put_n(t, p, i, n, x);
}

/* c = sums + bias + d over rows x cols of a tile, rounded to dtype `out`; sums[MR][NR]; bias and d may be NULL. */
static void finish_tile(const float *sums, int64_t rows, int64_t cols, enum kernel_dtype in, const void *bias,
                        int64_t column, enum kernel_dtype out, const void *d, void *c, int64_t ld) {
    for (int64_t j = 0; j < cols; j += KERNEL_LANES) {
        const int64_t n = cols - j < KERNEL_LANES ? cols - j : KERNEL_LANES;
        const vf add = bias ? finish_get(in, bias, column + j, n) : (vf){0};
        for (int64_t i = 0; i < rows; i++) {
            vf x = vf_load(sums + i * GEMM_NR + j) + add;
            if (d) x += finish_get(out, d, i * ld + j, n);
            finish_put(out, c, i * ld + j, n, x);
        }
    }
}

/* The epilogue over rows x cols of C from element `at` on, as they are stored and still in L1. */
static __attribute__((noinline)) void finish_epilogue(const struct kernel_gemm *g, int64_t at, int64_t rows,
                                                      int64_t cols) {
    for (int64_t i = 0; i < rows; i++, at += g->ldc) {
        for (int64_t j = 0; j < cols; j += KERNEL_LANES) {
            const int64_t n = cols - j < KERNEL_LANES ? cols - j : KERNEL_LANES;
            const vf c = finish_get(g->out, g->c, at + j, n);
            if (g->epilogue == KERNEL_EPILOGUE_GELU)
                finish_put(g->out, g->y, at + j, n, vf_gelu(c));
            else
                finish_put(g->out, g->c, at + j, n, vf_gelu_gradient(c, finish_get(g->out, g->x, at + j, n)));
        }
    }
}

#endif
