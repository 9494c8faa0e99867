/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a tile's sums: bias, D and rounding where the tile could not be written straight into C, and the
 * passes that ride along. */
#ifndef TOISE_KERNELS_GEMM_FINISH_H
#define TOISE_KERNELS_GEMM_FINISH_H

#include "../gelu.h"
#include "tile.h"

/* c = sums + bias + d over rows x cols of a tile, rounded to dtype `out`; sums[MR][NR]; bias and d may be NULL. */
static void finish_tile(const float *sums, int64_t rows, int64_t cols, enum kernel_dtype in, const void *bias,
                        int64_t column, enum kernel_dtype out, const void *d, void *c, int64_t ld) {
    for (int64_t j = 0; j < cols; j += KERNEL_LANES) {
        const int64_t left = cols - j;
        const vf add = bias ? vf_get_left(in, bias, column + j, left) : (vf){0};
        for (int64_t i = 0; i < rows; i++) {
            vf x = vf_load(sums + i * GEMM_NR + j) + add;
            if (d) x += vf_get_left(out, d, i * ld + j, left);
            vf_put_left(out, c, i * ld + j, left, x);
        }
    }
}

/* The epilogue over rows x cols of C from element `at` on, as they are stored and still in L1. */
static __attribute__((noinline)) void finish_epilogue(const struct kernel_gemm *g, int64_t at, int64_t rows,
                                                      int64_t cols) {
    for (int64_t i = 0; i < rows; i++, at += g->ldc) {
        for (int64_t j = 0; j < cols; j += KERNEL_LANES) {
            const int64_t left = cols - j;
            const vf c = vf_get_left(g->out, g->c, at + j, left);
            if (g->epilogue == KERNEL_EPILOGUE_GELU)
                vf_put_left(g->out, g->y, at + j, left, vf_gelu(c));
            else
                vf_put_left(g->out, g->c, at + j, left, vf_gelu_gradient(c, vf_get_left(g->out, g->x, at + j, left)));
        }
    }
}

#endif
