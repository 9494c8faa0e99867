/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocked matmul: blocks of rows, of columns, of k; each packed by all threads into team->scratch and then
 * multiplied tile by tile on a grid of threads. k is never shared among threads, so neither races nor their number
 * change a bit. Included by one file per instruction set, which defines KERNEL_LANES, GEMM_MR, GEMM_NV and maybe
 * GEMM_PAIRS with tile_dot(). */
#ifndef TOISE_KERNELS_GEMM_BLOCKED_H
#define TOISE_KERNELS_GEMM_BLOCKED_H

#include "../split.h"
#include "pack.h"
#include "sizes.h"
#include "tile.h"

_Static_assert(GEMM_MR <= (int)GEMM_PANEL_MAX && (int)GEMM_NR <= (int)GEMM_PANEL_MAX,
               "scratch holds one more panel than a block");

/* How one dimension is cut: blocks of `size`, the last may be smaller. */
struct blocked_cut {
    int64_t total, size, count;
};

static struct blocked_cut blocked_cut(int64_t total, int64_t most, int64_t unit) {
    int64_t count = (total + most - 1) / most;
    if (count == 0) return (struct blocked_cut){0, 0, 1};
    int64_t size = (total + count - 1) / count;
    size = (size + unit - 1) / unit * unit;
    return (struct blocked_cut){total, size, (total + size - 1) / size};
}

static int64_t blocked_length(const struct blocked_cut *cut, int64_t begin) {
    return cut->total - begin < cut->size ? cut->total - begin : cut->size;
}

/* The whole problem, shared by all threads. */
struct blocked_problem {
    const struct kernel_gemm *g;
    const struct kernel_team *team;
    struct pack_operand a, b;
    struct blocked_cut rows, columns, words;
    uint32_t *a_panels, *b_panels;
    float *sums; /* BF16 output over several blocks of k: FP32 tiles of the block until the last */
};

/* The block at hand. */
struct blocked_block {
    int64_t i, j, w; /* where it begins */
    int64_t rows, columns, words;
    bool first, last; /* of the blocks of k */
};

/* Multiplications until the next poll: some 70 us with AVX-512, 150 us with AVX2. */
static void blocked_work(const struct blocked_problem *x, int64_t *done, int64_t more) {
    *done += more;
    if (*done < (int64_t)8 << 20) return;
    *done = 0;
    kernel_poll(x->team);
}

static int64_t blocked_panels(int64_t length, int64_t width) {
    return (length + width - 1) / width;
}

/* Words that one panel takes; whole vectors of them */
static int64_t blocked_stride(int64_t words, int64_t width) {
    return (words + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES * width;
}

static void blocked_pack_a(const struct blocked_problem *x, const struct blocked_block *at, int64_t *done) {
    const int64_t stride = blocked_stride(at->words, GEMM_MR);
    const struct kernel_range mine = kernel_share(blocked_panels(at->rows, GEMM_MR), 1);
    for (int64_t panel = mine.begin; panel < mine.end; panel++) {
        const int64_t row = at->i + panel * GEMM_MR, p = at->w * WORD_NUMBERS;
        if (x->a.across)
            pack_across(&x->a, row, p, at->words, GEMM_MR, x->a_panels + panel * stride);
        else
            pack_along(&x->a, row, p, at->words, GEMM_MR, x->a_panels + panel * stride);
        blocked_work(x, done, stride * KERNEL_LANES);
    }
}

static void blocked_pack_b(const struct blocked_problem *x, const struct blocked_block *at, int64_t *done) {
    const int64_t stride = blocked_stride(at->words, GEMM_NR);
    const struct kernel_range mine = kernel_share(blocked_panels(at->columns, GEMM_NR), 1);
    for (int64_t panel = mine.begin; panel < mine.end; panel++) {
        const int64_t row = at->j + panel * GEMM_NR, p = at->w * WORD_NUMBERS;
        if (x->b.across)
            pack_across(&x->b, row, p, at->words, GEMM_NR, x->b_panels + panel * stride);
        else
            pack_turned(&x->b, row, p, at->words, GEMM_NR, x->b_panels + panel * stride);
        blocked_work(x, done, stride * KERNEL_LANES);
    }
}

/* Tile (row panel, column panel) of the block. FP32 accumulates in C itself, whole tiles straight from registers;
 * BF16 is rounded once, after the last block of k. bias and D enter with the first block of FP32, the last of BF16. */
static void blocked_tile(const struct blocked_problem *x, const struct blocked_block *at, int64_t row_panel,
                         int64_t column_panel) {
    const struct kernel_gemm *g = x->g;
    const int64_t i = at->i + row_panel * GEMM_MR, j = at->j + column_panel * GEMM_NR;
    const int64_t rows = g->m - i < GEMM_MR ? g->m - i : GEMM_MR, cols = g->n - j < GEMM_NR ? g->n - j : GEMM_NR;
    const uint32_t *a = x->a_panels + row_panel * blocked_stride(at->words, GEMM_MR);
    const uint32_t *b = x->b_panels + column_panel * blocked_stride(at->words, GEMM_NR);
    const int64_t offset = (i * g->ldc + j) * (int64_t)kernel_dtype_bytes(g->out);
    char *c = (char *)g->c + offset;
    const char *d = g->d ? (const char *)g->d + offset : NULL;
    const void *bias = g->bias;
    if (g->out == KERNEL_F32 && !at->first) d = c, bias = NULL;

    void (*const multiply)(int64_t, const uint32_t *, const uint32_t *, const float *, const float *, float *,
                           int64_t) = x->a.across ? tile_by_k : tile_by_row;
    const bool straight = rows == GEMM_MR && cols == GEMM_NR && (!bias || g->in == KERNEL_F32);
    if (g->out == KERNEL_F32 && straight) {
        multiply(at->words, a, b, (const float *)(const void *)d, bias ? (const float *)bias + j : NULL,
                 (float *)(void *)c, g->ldc);
        return;
    }
    float tile[GEMM_TILE] __attribute__((aligned(64)));
    float *kept = x->sums + (row_panel * blocked_panels(at->columns, GEMM_NR) + column_panel) * GEMM_TILE;
    const bool more = g->out == KERNEL_BF16 && !at->last, before = g->out == KERNEL_BF16 && !at->first;
    multiply(at->words, a, b, before ? kept : NULL, NULL, more ? kept : tile, GEMM_NR);
    if (!more) tile_finish(tile, rows, cols, g->in, bias, j, g->out, d, c, g->ldc);
}

/* This thread's part of a grid of tiles: the division of threads into rows and columns that leaves the largest part
 * smallest; columns first, since each thread then keeps less of B in its L2. */
static void blocked_grid(int64_t rows, int64_t columns, struct kernel_range *my_rows, struct kernel_range *my_columns) {
    const int64_t threads = omp_get_num_threads(), me = omp_get_thread_num();
    int64_t down = 1, least = INT64_MAX;
    for (int64_t t = 1; t <= threads; t++) {
        if (threads % t) continue;
        const int64_t part = blocked_panels(rows, t) * blocked_panels(columns, threads / t);
        if (part < least) least = part, down = t;
    }
    const int64_t over = threads / down, r = me / over, c = me % over;
    *my_rows = (struct kernel_range){rows * r / down, rows * (r + 1) / down};
    *my_columns = (struct kernel_range){columns * c / over, columns * (c + 1) / over};
}

static void blocked_multiply(const struct blocked_problem *x, const struct blocked_block *at, int64_t *done) {
    const int64_t step = GEMM_L2_COLUMNS / GEMM_NR;
    struct kernel_range rows, columns;
    blocked_grid(blocked_panels(at->rows, GEMM_MR), blocked_panels(at->columns, GEMM_NR), &rows, &columns);
    for (int64_t j0 = columns.begin; j0 < columns.end; j0 += step) {
        const int64_t j1 = j0 + step < columns.end ? j0 + step : columns.end;
        for (int64_t i = rows.begin; i < rows.end; i++) {
            for (int64_t j = j0; j < j1; j++) {
                blocked_tile(x, at, i, j);
                blocked_work(x, done, at->words * GEMM_TILE);
            }
        }
    }
}

/* What every thread does. */
static void blocked_run(const struct blocked_problem *x) {
    int64_t done = 0;
    struct blocked_block at;
    for (at.i = 0; at.i < x->rows.total; at.i += x->rows.size) {
        at.rows = blocked_length(&x->rows, at.i);
        for (at.j = 0; at.j < x->columns.total; at.j += x->columns.size) {
            at.columns = blocked_length(&x->columns, at.j);
            for (int64_t block = 0; block < x->words.count; block++) {
                at.w = block * x->words.size;
                at.words = blocked_length(&x->words, at.w);
                at.first = block == 0, at.last = block == x->words.count - 1;
                if (at.j == 0 || x->words.count > 1) blocked_pack_a(x, &at, &done); /* else it lies there still */
                blocked_pack_b(x, &at, &done);
#pragma omp barrier
                blocked_multiply(x, &at, &done);
#pragma omp barrier
            }
        }
    }
}

static void blocked_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    /* the longer of m and n in the longer blocks, so that the other's operand is packed less often */
    const bool tall = g->m > g->n;
    const int64_t most_rows = tall ? GEMM_LONG : GEMM_SHORT, most_columns = tall ? GEMM_SHORT : GEMM_LONG;
    struct blocked_problem x = {
        .g = g,
        .team = team,
        .a = {g->a, g->lda, g->m, g->k, g->a_trans, g->in},
        .b = {g->b, g->ldb, g->n, g->k, !g->b_trans, g->in},
        .rows = blocked_cut(g->m, most_rows, GEMM_MR),
        .columns = blocked_cut(g->n, most_columns, GEMM_NR),
        .words = blocked_cut(pack_words(g->k), GEMM_KC, KERNEL_LANES),
        .a_panels = team->scratch,
    };
    x.b_panels = x.a_panels + (most_rows + GEMM_PANEL_MAX) * GEMM_KC;
    x.sums = (float *)(void *)(x.b_panels + (most_columns + GEMM_PANEL_MAX) * GEMM_KC);
    if (g->m <= 0 || g->n <= 0) return;
#pragma omp parallel num_threads(team->threads)
    blocked_run(&x);
}

#endif
