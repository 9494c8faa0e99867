/* SPDX-License-Identifier: Apache-2.0
 *
 * A few rows against a B stored across k, which goes by but once: packing it would cost as much as the multiplication.
 * So B is read as it lies, a few rows of it at a time and those from end to end of a stretch of columns, the way the
 * hardware fetches ahead, and the sums wait in L1 or L2 for the next rows. Each sum is made of the same operations in
 * the same order as a tile's, so its bits are the same. */
#ifndef TOISE_KERNELS_GEMM_THIN_H
#define TOISE_KERNELS_GEMM_THIN_H

#include "problem.h"

/* Rows of C; tiles whose sums wait (64 of 6 x 16 are 24 KB); words of k at a time. */
enum { THIN_ROWS = 16, THIN_TILES = 64, THIN_WORDS = KERNEL_LANES };

static bool thin_serves(const struct kernel_gemm *g) {
    return WORD_NUMBERS == 1 && g->m <= THIN_ROWS && !g->b_trans && !g->b_packed;
}

/* Room for this thread's sums, where B's panels would be: no more than all sums of the block take. */
static float *thin_sums(const struct blocked_problem *x, const struct blocked_block *at) {
    const int64_t down = blocked_panels(at->rows, GEMM_MR), over = at->my_columns.end - at->my_columns.begin;
    return (float *)(void *)(x->b_panels + (at->my_columns.begin * down + at->my_rows.begin * over) * GEMM_TILE);
}

/* A few words of k: of A, [words][MR], zeros beyond its rows; of B, from element `b` on. */
struct thin_words {
    float a[THIN_WORDS][GEMM_MR];
    int64_t count, b;
};

/* sums[MR][NR] += those words, of `rows` rows and `left` columns */
SIMD_INLINE void thin_tile(const struct pack_operand *x, enum kernel_dtype t, int rows, const struct thin_words *w,
                           int64_t b, int64_t left, float *sums) {
    vf sum[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] = vf_load(sums + i * GEMM_NR + v * KERNEL_LANES);
#pragma GCC unroll 1 /* since the sums of an unrolled loop are spilled */
    for (int64_t p = 0; p < w->count; p++, b += x->ld) {
        vf column[GEMM_NV];
        pack_fetch(x, t, THIN_WORDS, b);
#pragma GCC unroll 4
        for (int v = 0; v < GEMM_NV; v++)
            column[v] = left > v * KERNEL_LANES ? vf_get_left(t, x->data, b + v * KERNEL_LANES, left - v * KERNEL_LANES)
                                                : vf_all(0);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (int v = 0; v < GEMM_NV; v++) sum[i][v] = tile_dot(sum[i][v], vf_all(w->a[p][i]), column[v]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < GEMM_NV; v++) vf_store(sums + i * GEMM_NR + v * KERNEL_LANES, sum[i][v]);
}

/* Tiles side by side, of `left` columns in all */
SIMD_INLINE void thin_tiles(const struct pack_operand *x, enum kernel_dtype t, int rows, const struct thin_words *w,
                            int64_t left, float *sums) {
    int64_t b = w->b;
    for (; left >= GEMM_NR; left -= GEMM_NR, b += GEMM_NR, sums += GEMM_TILE)
        thin_tile(x, t, rows, w, b, GEMM_NR, sums);
    if (left > 0) thin_tile(x, t, rows, w, b, left, sums);
}

/* Rows beyond the last are zeros of A: as many as the next kind of tile has. */
static __attribute__((noinline)) void thin_row_panel(const struct pack_operand *x, int64_t rows,
                                                     const struct thin_words *w, int64_t left, float *sums) {
    const bool f32 = x->dtype == KERNEL_F32;
    if (rows == 1)
        f32 ? thin_tiles(x, KERNEL_F32, 1, w, left, sums) : thin_tiles(x, KERNEL_BF16, 1, w, left, sums);
    else if (rows == 2)
        f32 ? thin_tiles(x, KERNEL_F32, 2, w, left, sums) : thin_tiles(x, KERNEL_BF16, 2, w, left, sums);
    else if (rows <= 4)
        f32 ? thin_tiles(x, KERNEL_F32, 4, w, left, sums) : thin_tiles(x, KERNEL_BF16, 4, w, left, sums);
    else
        f32 ? thin_tiles(x, KERNEL_F32, GEMM_MR, w, left, sums) : thin_tiles(x, KERNEL_BF16, GEMM_MR, w, left, sums);
}

static void thin_read_a(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel, int64_t p,
                        struct thin_words *w) {
    struct tile_operands t;
    blocked_read_a(x, at, panel, &t);
    t.a += p / KERNEL_LANES * t.group;
    for (int64_t q = 0; q < w->count; q++)
        for (int i = 0; i < GEMM_MR; i++) w->a[q][i] = *(const tile_float *)(t.a + q * t.step + i * t.row);
}

/* The block's sums of its rows and of column panels j0 .. j1: sums[row panel][j1 - j0][MR][NR]. */
static void thin_multiply(const struct blocked_problem *x, const struct blocked_block *at, int64_t j0, int64_t j1,
                          float *sums) {
    const int64_t column = at->j + j0 * GEMM_NR, end = at->j + j1 * GEMM_NR;
    const int64_t columns = (end < x->g->n ? end : x->g->n) - column;
    struct thin_words w;
    memset(sums, 0, (size_t)((at->my_rows.end - at->my_rows.begin) * (j1 - j0) * GEMM_TILE) * sizeof *sums);
    for (int64_t p = 0; p < at->words; p += THIN_WORDS) {
        w.count = at->words - p < THIN_WORDS ? at->words - p : THIN_WORDS;
        w.b = (at->w + p) * x->b.ld + column;
        for (int64_t i = at->my_rows.begin; i < at->my_rows.end; i++) {
            thin_read_a(x, at, i, p, &w);
            thin_row_panel(&x->b, x->g->m - at->i - i * GEMM_MR, &w, columns,
                           sums + (i - at->my_rows.begin) * (j1 - j0) * GEMM_TILE);
        }
    }
}

#endif
