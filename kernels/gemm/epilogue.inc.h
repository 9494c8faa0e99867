/* SPDX-License-Identifier: Apache-2.0
 *
 * The epilogue of a tile: bias, D and rounding if the tile could not be written straight into C, and the passes fused
 * into the matmul. */
#ifndef TOISE_KERNELS_GEMM_EPILOGUE_INC_H
#define TOISE_KERNELS_GEMM_EPILOGUE_INC_H

#include "gelu.inc.h"
#include "gemm/tile.inc.h"

_Static_assert(GEMM_NR % PART == 0, "a tile's rows are whole parts");

/* c = (sums + bias) + d for n elements from `at`; `sums` holds PART floats. What is absent is not added as 0, which
 * would make a zero of -0. */
SIMD_INLINE void epilogue_part(const float *sums, enum kernel_dtype in, const void *bias, int64_t column,
                               enum kernel_dtype out, const void *d, void *c, int64_t at, int64_t n) {
    struct part x = row_get(KERNEL_F32, sums, 0, PART);
    if (bias) {
        const struct part add = row_get(in, bias, column, n);
        for (int k = 0; k < WAYS; k++) x.v[k] += add.v[k];
    }
    if (d) {
        const struct part more = row_get(out, d, at, n);
        for (int k = 0; k < WAYS; k++) x.v[k] += more.v[k];
    }
    row_put(out, c, at, n, x, false);
}

SIMD_INLINE void epilogue_tile_as(const float *sums, int64_t rows, int64_t cols, enum kernel_dtype in, const void *bias,
                                  int64_t column, enum kernel_dtype out, const void *d, void *c, int64_t ld) {
    for (int64_t r = 0; r < rows; r++)
        PARTS(0, cols, 0, epilogue_part(sums + r * GEMM_NR + i, in, bias, column + i, out, d, c, r * ld + i, n));
}
/* c = (sums + bias) + d over rows x cols of a tile, rounded to dtype `out`; sums[MR][NR]; bias and d may be NULL. */
static void epilogue_tile(const float *sums, int64_t rows, int64_t cols, enum kernel_dtype in, const void *bias,
                          int64_t column, enum kernel_dtype out, const void *d, void *c, int64_t ld) {
    if (out == KERNEL_F32)
        epilogue_tile_as(sums, rows, cols, in, bias, column, KERNEL_F32, d, c, ld);
    else
        epilogue_tile_as(sums, rows, cols, in, bias, column, KERNEL_BF16, d, c, ld);
}

/* Prefetches what the epilogue reads or writes besides C into L1, while the tile's sums are computed. */
SIMD_INLINE void epilogue_prefetch(const struct kernel_gemm *g, int64_t at) {
    const int64_t element = (int64_t)kernel_dtype_bytes(g->out);
    const uintptr_t row = (uintptr_t)(g->epilogue == KERNEL_EPILOGUE_GELU ? g->y : g->x) + (uintptr_t)(at * element);
    SIMD_UNROLL(16)
    for (int i = 0; i < GEMM_MR; i++) tile_fetch(row + (uintptr_t)(i * g->ldc * element), GEMM_NR * element);
}

SIMD_INLINE void epilogue_apply_as(enum kernel_dtype t, const struct kernel_gemm *g, int64_t at, int64_t rows,
                                   int64_t cols) {
    for (int64_t r = 0; r < rows; r++, at += g->ldc) {
        if (g->epilogue == KERNEL_EPILOGUE_GELU)
            PARTS(0, cols, 0, gelu_forward_part(t, g->c, g->y, at + i, n, false));
        else
            PARTS(0, cols, 0, gelu_backward_part(t, g->x, g->c, g->c, at + i, n, false));
    }
}
/* Applies the epilogue to rows x cols of C from element `at`, as stored and still in L1. */
static __attribute__((noinline)) void epilogue_apply(const struct kernel_gemm *g, int64_t at, int64_t rows,
                                                     int64_t cols) {
    if (g->out == KERNEL_F32)
        epilogue_apply_as(KERNEL_F32, g, at, rows, cols);
    else
        epilogue_apply_as(KERNEL_BF16, g, at, rows, cols);
}

#endif
