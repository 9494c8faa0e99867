/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector pieces of attention: a product of FP32 blocks in register tiles, and moves between strided rows of
 * either dtype and FP32 blocks, transposing where lanes are to hold tokens. Needs KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_TILE_H
#define TOISE_KERNELS_ATTENTION_TILE_H

#include <math.h>

#include "attention.h"
#include "simd.h"

/* Tile: enough accumulators to hide the latency of two FMA a cycle (4 to 5 cycles each), few enough to stay,
 * with a row of B and a broadcast element of A, in 32 (AVX-512) or 16 (AVX2) registers. */
#define TILE_ROWS (KERNEL_LANES == 16 ? 8 : 6)
#define TILE_VECTORS 2
#define TILE_COLUMNS (TILE_VECTORS * KERNEL_LANES)
_Static_assert(ATTENTION_PANEL % TILE_COLUMNS == 0, "a panel is whole tiles");

#define POLL_FLOPS 1e7 /* about 100 us of vector FMA */

/* C[m,n] = C * keep[column] + A[m,depth] B[depth,n], n in whole tiles; keep NULL: C is not read. */
struct product {
    int64_t m, n, depth;
    const float *a, *b;
    int64_t a_step, b_row, c_row; /* a_step: see multiply_rows and multiply_columns */
    const float *keep;
    float *c;
};

SIMD_INLINE void tile(const struct product *p, const int rows, int64_t a_row, int64_t a_column, int64_t i, int64_t j) {
    const float *restrict a = p->a + i * a_row, *restrict b = p->b + j;
    float *restrict c = p->c + i * p->c_row + j;
    vf sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    if (p->keep)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < TILE_VECTORS; v++)
                sum[r][v] = vf_load(c + r * p->c_row + v * KERNEL_LANES) * vf_load(p->keep + j + v * KERNEL_LANES);
    for (int64_t k = 0; k < p->depth; k++) {
        vf x[TILE_VECTORS];
        for (int v = 0; v < TILE_VECTORS; v++) x[v] = vf_load(b + k * p->b_row + v * KERNEL_LANES);
        for (int r = 0; r < rows; r++) {
            vf y = vf_all(a[r * a_row + k * a_column]);
            for (int v = 0; v < TILE_VECTORS; v++) sum[r][v] += y * x[v];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < TILE_VECTORS; v++) vf_store(c + r * p->c_row + v * KERNEL_LANES, sum[r][v]);
}

SIMD_INLINE void multiply(const struct product *p, int64_t a_row, int64_t a_column) {
    for (int64_t j = 0; j < p->n; j += TILE_COLUMNS) {
        int64_t i = 0;
        for (; i + TILE_ROWS <= p->m; i += TILE_ROWS) tile(p, TILE_ROWS, a_row, a_column, i, j);
        for (; i + 4 <= p->m; i += 4) tile(p, 4, a_row, a_column, i, j);
        for (; i < p->m; i++) tile(p, 1, a_row, a_column, i, j);
    }
}
/* A is stored by rows, a_step apart, or transposed: by columns, a_step apart. */
static void multiply_rows(struct product p) {
    multiply(&p, p.a_step, 1);
}
static void multiply_columns(struct product p) {
    multiply(&p, 1, p.a_step);
}

/* Rows of a strided operand: row r, column c at p[at + r * row + c]. */
struct strided {
    enum kernel_dtype dtype;
    int64_t at, row, rows, columns;
};
SIMD_INLINE vf strided_get(const struct strided *s, const void *p, int64_t r, int64_t c) {
    int64_t i = s->at + r * s->row + c, left = s->columns - c;
    return left >= KERNEL_LANES ? vf_get(s->dtype, p, i) : vf_get_n(s->dtype, p, i, left);
}
SIMD_INLINE void strided_put(const struct strided *s, void *p, int64_t r, int64_t c, vf x) {
    int64_t i = s->at + r * s->row + c, left = s->columns - c;
    if (left >= KERNEL_LANES)
        vf_put(s->dtype, p, i, x);
    else
        vf_put_n(s->dtype, p, i, left, x);
}

/* block[r][c] = factor * p's, rows `width` apart; block holds whole vectors a row. */
static void pack_rows(struct strided s, const void *p, float factor, float *block, int64_t width) {
    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES)
            vf_store(block + r * width + c, strided_get(&s, p, r, c) * factor);
}
static void unpack_rows(struct strided s, void *p, const float *block, int64_t width) {
    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) strided_put(&s, p, r, c, vf_load(block + r * width + c));
}

/* panel[c][lane r] = factor * p's; lanes beyond its rows are 0. */
static void pack_panel(struct strided s, const void *p, float factor, float *panel) {
    for (int64_t r = 0; r < ATTENTION_PANEL; r += KERNEL_LANES)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            for (int i = 0; i < KERNEL_LANES; i++)
                x[i] = r + i < s.rows ? strided_get(&s, p, r + i, c) * factor : vf_all(0);
            vf_transpose(x);
            for (int i = 0; i < KERNEL_LANES && c + i < s.columns; i++)
                vf_store(panel + (c + i) * ATTENTION_PANEL + r, x[i]);
        }
}
/* p's row r = factor[r] * lane r of the panel */
static void unpack_panel(struct strided s, void *p, const float *factor, const float *panel) {
    for (int64_t r = 0; r < s.rows; r += KERNEL_LANES)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            for (int i = 0; i < KERNEL_LANES; i++)
                x[i] = c + i < s.columns ? vf_load(panel + (c + i) * ATTENTION_PANEL + r) * vf_load(factor + r)
                                         : vf_all(0);
            vf_transpose(x);
            for (int i = 0; i < KERNEL_LANES && r + i < s.rows; i++) strided_put(&s, p, r + i, c, x[i]);
        }
}

/* lanes 0 .. KERNEL_LANES-1 */
SIMD_INLINE vi lane_numbers(void) {
    vi x;
    for (int i = 0; i < KERNEL_LANES; i++) x[i] = i;
    return x;
}

/* A row of scores keeps lanes begin .. end-1, the others become -infinity. */
SIMD_INLINE void hide_row(float *s, int64_t begin, int64_t end) {
    int32_t low = (int32_t)attention_clamp(begin, ATTENTION_PANEL),
            high = (int32_t)attention_clamp(end, ATTENTION_PANEL);
    for (int v = 0; v < ATTENTION_PANEL; v += KERNEL_LANES) {
        vi lane = lane_numbers() + v;
        vf_store(s + v, vf_pick((lane >= low) & (lane < high), vf_load(s + v), vf_all(-INFINITY)));
    }
}
/* Row r of a block keeps lanes begin + r .. end-1 + r: who sees whom is such a band whichever side has the lanes,
 * causality being one edge of it and the window the other. The rows that it spans whole lie together and cost nothing.
 */
static void hide_outside(float *s, int64_t rows, int64_t begin, int64_t end) {
    int64_t whole = attention_clamp(ATTENTION_PANEL - end, rows), after = attention_clamp(1 - begin, rows);
    for (int64_t r = 0; r < whole; r++) hide_row(s + r * ATTENTION_PANEL, begin + r, end + r);
    for (int64_t r = whole > after ? whole : after; r < rows; r++)
        hide_row(s + r * ATTENTION_PANEL, begin + r, end + r);
}

/* Score plus slope * (row - lane), of lanes v ..: the distance is exact while it is less than 2^24. */
SIMD_INLINE vf add_bias(vf score, float slope, int64_t row, int v) {
    return score + slope * ((float)row - __builtin_convertvector(lane_numbers() + v, vf));
}

#endif
