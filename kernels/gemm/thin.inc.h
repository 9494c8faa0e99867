/* SPDX-License-Identifier: Apache-2.0
 *
 * A few rows of A times a strided B. B is read only once, so packing it would cost as much as multiplying by it. It is
 * read in place instead: a few of its rows at a time, along a range of columns, as the hardware prefetches. The sums
 * remain in L2 for the next rows. Operations and their order are those of a tile, so the bits are the same. */
#ifndef TOISE_KERNELS_GEMM_THIN_INC_H
#define TOISE_KERNELS_GEMM_THIN_INC_H

#include "gemm/problem.inc.h"

/* Rows of C, at most; their panels; tiles whose sums are held, 72 KiB; words of k at a time. */
enum {
    THIN_ROWS = 16,
    THIN_PANELS = (THIN_ROWS + GEMM_MR - 1) / GEMM_MR,
    THIN_TILES = (18 << 10) / GEMM_TILE,
    THIN_WORDS = KERNEL_LANES
};

static bool thin_serves(const struct kernel_gemm *g) {
    return WORD_NUMBERS == 1 && g->m <= THIN_ROWS && !g->b_trans && !g->b_packed;
}

/* Where this thread's sums are, in the room of B's panels; the block's sums never need more. */
static float *thin_sums(const struct blocked_problem *x, const struct blocked_block *at) {
    const int64_t row_panels = blocked_panels(at->rows, GEMM_MR),
                  column_panels = at->my_columns.end - at->my_columns.begin;
    return (float *)(void *)(x->b_panels +
                             (at->my_columns.begin * row_panels + at->my_rows.begin * column_panels) * GEMM_TILE);
}

/* A few words of k: those of A as [row panel][words][MR], padded with zeros; those of B start at element `b`. */
struct thin_words {
    float a[THIN_PANELS][THIN_WORDS][GEMM_MR];
    int64_t count, b;
};

/* A word of `left` columns of B from element `b`, padded with zeros. */
SIMD_INLINE void thin_column(const struct pack_operand *x, enum kernel_dtype t, int64_t b, int64_t left,
                             vf column[GEMM_NV]) {
    SIMD_UNROLL(4)
    for (int v = 0; v < GEMM_NV; v++)
        column[v] = left > v * KERNEL_LANES ? vf_get_left(t, x->data, b + v * KERNEL_LANES, left - v * KERNEL_LANES)
                                            : vf_all(0);
}

/* sums[MR][NR] += those words, for `rows` rows of A's panel and `left` columns. The first row panel reads B and
 * prefetches the words after these. It copies what it read for the row panels below, since B's rows may conflict in
 * L1. */
SIMD_INLINE void thin_tile(const struct pack_operand *x, enum kernel_dtype t, int rows, bool first, bool copies,
                           const struct thin_words *w, int64_t panel, int64_t b, int64_t left, float *copy,
                           float *sums) {
    vf sum[GEMM_MR][GEMM_NV];
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] = vf_load(sums + i * GEMM_NR + v * KERNEL_LANES);
    }
#pragma GCC unroll 1 /* the sums of an unrolled loop would be spilled */
    for (int64_t p = 0; p < w->count; p++, b += x->ld, copy += GEMM_NR) {
        vf column[GEMM_NV];
        if (first) pack_fetch(x, t, THIN_WORDS, b);
        if (first) thin_column(x, t, b, left, column);
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++)
            if (!first)
                column[v] = vf_load(copy + v * KERNEL_LANES);
            else if (copies)
                vf_store(copy + v * KERNEL_LANES, column[v]);
        SIMD_UNROLL(16)
        for (int i = 0; i < rows; i++) {
            SIMD_UNROLL(4)
            for (int v = 0; v < GEMM_NV; v++)
                sum[i][v] = tile_dot(sum[i][v], vf_factor_of(w->a[panel][p][i]), column[v]);
        }
    }
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) vf_store(sums + i * GEMM_NR + v * KERNEL_LANES, sum[i][v]);
    }
}
SIMD_INLINE void thin_first(const struct pack_operand *x, enum kernel_dtype t, int rows, bool copies,
                            const struct thin_words *w, int64_t b, int64_t left, float *copy, float *sums) {
    if (left < GEMM_NR)
        thin_tile(x, t, rows, true, copies, w, 0, b, left, copy, sums);
    else
        thin_tile(x, t, rows, true, copies, w, 0, b, GEMM_NR, copy, sums);
}

/* A row of tiles over `left` columns; each column of tiles has `panels` whole tiles and one of `last` rows.
 * sums[tile][row panel][MR][NR] */
SIMD_INLINE void thin_tiles(const struct pack_operand *x, enum kernel_dtype t, int64_t panels, int last,
                            const struct thin_words *w, int64_t left, float *sums) {
    float copy[THIN_WORDS * GEMM_NR] __attribute__((aligned(64)));
    for (int64_t b = w->b; left > 0; left -= GEMM_NR, b += GEMM_NR) {
        if (panels == 0)
            thin_first(x, t, last, false, w, b, left, copy, sums);
        else if (panels == 1 && last == 0)
            thin_first(x, t, GEMM_MR, false, w, b, left, copy, sums);
        else
            thin_first(x, t, GEMM_MR, true, w, b, left, copy, sums);
        sums += GEMM_TILE;
        for (int64_t i = 1; i < panels; i++, sums += GEMM_TILE)
            thin_tile(x, t, GEMM_MR, false, false, w, i, b, GEMM_NR, copy, sums);
        if (panels == 0 || last == 0) continue;
        thin_tile(x, t, last, false, false, w, panels, b, GEMM_NR, copy, sums);
        sums += GEMM_TILE;
    }
}
/* Rounds the last rows up to the next tile height; A is zero there. */
SIMD_INLINE void thin_rows(const struct pack_operand *x, enum kernel_dtype t, int64_t rows, const struct thin_words *w,
                           int64_t left, float *sums) {
    const int64_t panels = rows / GEMM_MR, last = rows % GEMM_MR;
    if (last == 0)
        thin_tiles(x, t, panels, 0, w, left, sums);
    else if (last == 1)
        thin_tiles(x, t, panels, 1, w, left, sums);
    else if (last == 2)
        thin_tiles(x, t, panels, 2, w, left, sums);
    else if (last <= 4)
        thin_tiles(x, t, panels, 4, w, left, sums);
    else
        thin_tiles(x, t, panels + 1, 0, w, left, sums);
}

static void thin_read_a(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel, int64_t p,
                        int64_t count, float a[THIN_WORDS][GEMM_MR]) {
    struct tile_operands t;
    blocked_read_a(x, at, panel, &t);
    t.a += p / KERNEL_LANES * t.group;
    for (int64_t q = 0; q < count; q++)
        for (int i = 0; i < GEMM_MR; i++) a[q][i] = *(const tile_float *)(t.a + q * t.step + i * t.row);
}

/* The block's sums of this thread's rows and of column panels j0 .. j1: sums[j1 - j0][row panel][MR][NR]. */
static void thin_multiply(const struct blocked_problem *x, const struct blocked_block *at, int64_t j0, int64_t j1,
                          float *sums) {
    const int64_t column = at->j + j0 * GEMM_NR, end = at->j + j1 * GEMM_NR, row = at->i + at->my_rows.begin * GEMM_MR;
    const int64_t columns = (end < x->g->n ? end : x->g->n) - column, row_panels = at->my_rows.end - at->my_rows.begin;
    const int64_t rows = x->g->m - row < row_panels * GEMM_MR ? x->g->m - row : row_panels * GEMM_MR;
    struct thin_words w;
    memset(sums, 0, (size_t)(row_panels * (j1 - j0) * GEMM_TILE) * sizeof *sums);
    for (int64_t p = 0; p < at->words; p += THIN_WORDS) {
        w.count = at->words - p < THIN_WORDS ? at->words - p : THIN_WORDS;
        w.b = (at->w + p) * x->b.ld + column;
        for (int64_t i = 0; i < row_panels; i++) thin_read_a(x, at, at->my_rows.begin + i, p, w.count, w.a[i]);
        if (x->b.dtype == KERNEL_F32)
            thin_rows(&x->b, KERNEL_F32, rows, &w, columns, sums);
        else
            thin_rows(&x->b, KERNEL_BF16, rows, &w, columns, sums);
    }
}

#endif
