/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix products of attention, in register tiles: FP32 sums of words. Masked parts of the scores are skipped.
 * Needs KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_TILE_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_TILE_INC_H

#include <math.h>

#include "attention/attention_prefetch.inc.h"
#include "attention/attention_word.inc.h"

/* Tile: enough accumulators to hide the latency of two FMA a cycle (4 to 5 cycles each). With a row of B and a
 * broadcast element of A they must fit into 32 (AVX-512, NEON) or 16 (AVX2) registers. */
#define TILE_ROWS (KERNEL_LANES == 16 ? 8 : 6)
#define TILE_VECTORS (KERNEL_LANES == 4 ? 4 : 2)
#define TILE_COLUMNS (TILE_VECTORS * KERNEL_LANES)
#define PANEL_TILES (ATTENTION_PANEL / TILE_COLUMNS)
_Static_assert(ATTENTION_PANEL % TILE_COLUMNS == 0, "a panel is whole tiles");

#define POLL_FLOPS 1e7 /* about 100 us of vector FMA */

/* C[m,n] = C * keep[column] + A[m,depth] B[depth,n], n in whole tiles. keep NULL: C is not read. A and B are words,
 * `depth` of them along the sum. A block of scores is [row][lane]; in each tile column only the rows in `seen` are
 * computed (NULL: all). `prefetch` continues between tiles. */
struct product {
    int64_t m, n, depth;
    const float *a, *b;
    int64_t a_step, b_row, c_row; /* a_step: see multiply_rows and multiply_columns */
    const float *keep;
    float *c;
    const struct kernel_range *seen;
    struct prefetch *prefetch;
};

/* A tile of C at row i and column j, over the range `depth`. */
SIMD_INLINE void tile(const struct product *p, const int rows, int64_t a_row, int64_t a_column, int64_t i, int64_t j,
                      struct kernel_range depth) {
    const float *restrict a = p->a + i * a_row, *restrict b = p->b + j;
    float *restrict c = p->c + i * p->c_row + j;
    vf sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    if (p->keep)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < TILE_VECTORS; v++)
                sum[r][v] = vf_load(c + r * p->c_row + v * KERNEL_LANES) * vf_load(p->keep + j + v * KERNEL_LANES);
    for (int64_t k = depth.begin; k < depth.end; k++) {
        vf x[TILE_VECTORS];
        for (int v = 0; v < TILE_VECTORS; v++) x[v] = vf_load(b + k * p->b_row + v * KERNEL_LANES);
        for (int r = 0; r < rows; r++) {
            word_factor y = word_all(a + r * a_row + k * a_column);
            for (int v = 0; v < TILE_VECTORS; v++) sum[r][v] = word_dot(sum[r][v], y, x[v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < TILE_VECTORS; v++) vf_store(c + r * p->c_row + v * KERNEL_LANES, sum[r][v]);
}

/* Rows of the next tile. Low tiles hide less latency, so the last two share the remaining rows equally. */
static inline int64_t tile_rows(int64_t left) {
    return left >= 2 * TILE_ROWS ? TILE_ROWS : left > TILE_ROWS ? (left + 1) / 2 : left;
}

/* A tile of up to TILE_ROWS rows; each height is compiled separately. */
SIMD_INLINE void tile_of(const struct product *p, int64_t rows, int64_t a_row, int64_t a_column, int64_t i, int64_t j,
                         struct kernel_range depth) {
#define TILE_OF(n) else if (rows == (n)) tile(p, n, a_row, a_column, i, j, depth)
    if (rows == TILE_ROWS) tile(p, TILE_ROWS, a_row, a_column, i, j, depth);
    TILE_OF(1);
    TILE_OF(2);
    TILE_OF(3);
    TILE_OF(4);
    TILE_OF(5);
#if KERNEL_LANES == 16
    TILE_OF(6);
    TILE_OF(7);
#endif
#undef TILE_OF
}

/* A is stored by rows, a_step apart. Only the `seen` rows of C are computed. A row of tiles spans all tile columns
 * with the same `seen` rows, so that A is read once. */
static void multiply_rows(struct product p) {
    struct kernel_range seen = {0, p.m};
    for (int64_t j = 0, next; j < p.n; j = next) {
        if (p.seen) seen = p.seen[j / TILE_COLUMNS];
        next = p.seen ? j + TILE_COLUMNS : p.n;
        while (next < p.n && p.seen[next / TILE_COLUMNS].begin == seen.begin &&
               p.seen[next / TILE_COLUMNS].end == seen.end)
            next += TILE_COLUMNS;
        for (int64_t i = seen.begin, rows; i < seen.end; i += rows) {
            rows = tile_rows(seen.end - i);
            prefetch_lines(p.prefetch);
            for (int64_t c = j; c < next; c += TILE_COLUMNS)
                tile_of(&p, rows, p.a_step, 1, i, c, (struct kernel_range){0, p.depth});
        }
    }
}
/* A is stored by columns, a_step apart. Only those rows of B are used that hold the `seen` rows of scores. */
static void multiply_columns(struct product p) {
    for (int64_t i = 0, rows; i < p.m; i += rows) {
        rows = tile_rows(p.m - i);
        prefetch_lines(p.prefetch);
        for (int64_t j = 0; j < p.n; j += TILE_COLUMNS) {
            const struct kernel_range seen = p.seen[j / TILE_COLUMNS];
            tile_of(&p, rows, 1, p.a_step, i, j, (struct kernel_range){seen.begin / WORD, words(seen.end)});
        }
    }
}

#endif
