/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocked matmul: blocks of rows, of columns, of k; each packed into team->scratch and then multiplied tile by tile
 * on a grid of threads. k is never shared among threads, so neither races nor their number change a bit. Included by
 * one file per instruction set, which defines GEMM_VARIANT, KERNEL_LANES, GEMM_MR, GEMM_NV, GEMM_B_STAYS and maybe
 * GEMM_PAIRS with tile_dot(). */
#ifndef TOISE_KERNELS_GEMM_BLOCKED_H
#define TOISE_KERNELS_GEMM_BLOCKED_H

#include "finish.h"
#include "panels.h"
#include "thin.h"

/* A column panel of the block, and what its tiles have in common. */
struct blocked_column {
    int64_t panel, j, cols;
    const float *bias; /* where the tile can add it: FP32 out, first block of k */
    bool straight;     /* whole tiles go from registers into C */
    tile_fn *multiply;
    struct tile_operands t;
};

static struct blocked_column blocked_column(const struct blocked_problem *x, const struct blocked_block *at,
                                            int64_t panel) {
    const struct kernel_gemm *g = x->g;
    struct blocked_column c = {.panel = panel, .j = at->j + panel * GEMM_NR};
    const bool bias = g->bias && at->first;
    c.cols = g->n - c.j < GEMM_NR ? g->n - c.j : GEMM_NR;
    c.bias = bias && g->in == KERNEL_F32 ? (const float *)g->bias + c.j : NULL;
    c.straight = g->out == KERNEL_F32 && c.cols == GEMM_NR && (!bias || c.bias);
    c.multiply = x->a_in_place || x->b_in_place ? tile_in_place : x->a.across ? tile_by_k : tile_by_row;
    blocked_read_b(x, at, panel, &c.t);
    return c;
}

/* By way of a buffer: what lies at C's edges, and BF16, which is rounded once, after the last block of k. bias and D
 * enter with the first block of FP32, the last of BF16. */
static __attribute__((noinline)) void blocked_tile_kept(const struct blocked_problem *x, const struct blocked_block *at,
                                                        const struct blocked_column *c, int64_t row_panel, int64_t rows,
                                                        int64_t offset) {
    const struct kernel_gemm *g = x->g;
    float tile[GEMM_TILE] __attribute__((aligned(64)));
    float *kept = x->sums + (row_panel * blocked_panels(at->columns, GEMM_NR) + c->panel) * GEMM_TILE;
    if (g->out == KERNEL_F32) {
        float *to = (float *)g->c + offset;
        const float *d = !at->first ? to : g->d ? (const float *)g->d + offset : NULL;
        c->multiply(at->words, &c->t, NULL, NULL, tile, GEMM_NR);
        finish_tile(tile, rows, c->cols, g->in, at->first ? g->bias : NULL, c->j, KERNEL_F32, d, to, g->ldc);
        return;
    }
    c->multiply(at->words, &c->t, at->first ? NULL : kept, NULL, at->last ? tile : kept, GEMM_NR);
    if (!at->last) return;
    const kernel_bf16 *d = g->d ? (const kernel_bf16 *)g->d + offset : NULL;
    finish_tile(tile, rows, c->cols, g->in, g->bias, c->j, KERNEL_BF16, d, (kernel_bf16 *)g->c + offset, g->ldc);
}

/* Tile (row panel, column panel) of the block. FP32 accumulates in C itself. */
SIMD_INLINE void blocked_tile(const struct blocked_problem *x, struct blocked_block *at, struct blocked_column *c,
                              int64_t row_panel) {
    const struct kernel_gemm *g = x->g;
    const int64_t i = at->i + row_panel * GEMM_MR, offset = i * g->ldc + c->j;
    const int64_t rows = g->m - i < GEMM_MR ? g->m - i : GEMM_MR;
    const bool epilogue = at->last && g->epilogue != KERNEL_EPILOGUE_NONE;
    if (epilogue) finish_fetch(g, offset);
    if (c->straight && rows == GEMM_MR) {
        float *to = (float *)g->c + offset;
        const float *d = !at->first ? to : g->d ? (const float *)g->d + offset : NULL;
        c->multiply(at->words, &c->t, d, c->bias, to, g->ldc);
    } else {
        blocked_tile_kept(x, at, c, row_panel, rows, offset);
    }
    if (epilogue) finish_epilogue(g, offset, rows, c->cols);
    blocked_work(x, at, at->words * GEMM_TILE);
}

/* A strip of A's panels past panel j of B; panel `next` is fetched meanwhile. */
static void blocked_strip(const struct blocked_problem *x, struct blocked_block *at, int64_t begin, int64_t end,
                          int64_t j, int64_t next, bool packed) {
    const struct blocked_ahead ahead = blocked_ahead(x, at, next, packed);
    struct blocked_column c = blocked_column(x, at, j);
    for (int64_t i = begin; i < end; i++) {
        const bool fetch = i - begin < ahead.tiles;
        c.t.ahead = fetch ? ahead.at + (i - begin) * ahead.apart : (const char *)c.t.b;
        c.t.ahead_step = fetch ? ahead.step : 0;
        blocked_read_a(x, at, i, &c.t);
        blocked_tile(x, at, &c, i);
    }
}

/* A panel of B stays in L1 while a strip of A's streams past it from L2. */
static void blocked_multiply_b_stays(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t strip = x->blocking.strip / GEMM_MR, together = x->b.across ? BLOCKED_TOGETHER : 1;
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    for (int64_t i0 = rows.begin; i0 < rows.end; i0 += strip) {
        const int64_t i1 = i0 + strip < rows.end ? i0 + strip : rows.end;
        const bool packed = !x->b_own || i0 != rows.begin;
        if (x->a_own) blocked_pack_a(x, at, i0, i1);
        for (int64_t j0 = columns.begin; j0 < columns.end; j0 += together) {
            const int64_t j1 = j0 + together < columns.end ? j0 + together : columns.end;
            if (!packed) blocked_pack_b(x, at, j0, j1);
            for (int64_t j = j0; j < j1; j++) blocked_strip(x, at, i0, i1, j, j + (packed ? 1 : together), packed);
        }
    }
}

/* A panel of A stays in L1 while a strip of B's streams past it from L2. */
static void blocked_multiply_a_stays(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t strip = x->blocking.strip / GEMM_NR;
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    for (int64_t j0 = columns.begin; j0 < columns.end; j0 += strip) {
        const int64_t j1 = j0 + strip < columns.end ? j0 + strip : columns.end;
        if (x->b_own) blocked_pack_b(x, at, j0, j1);
        if (x->a_own && j0 == columns.begin) blocked_pack_a(x, at, rows.begin, rows.end);
        for (int64_t i = rows.begin; i < rows.end; i++) {
            for (int64_t j = j0; j < j1; j++) {
                struct blocked_column c = blocked_column(x, at, j);
                c.t.ahead = (const char *)c.t.b, c.t.ahead_step = 0; /* the hardware follows the panels by itself */
                blocked_read_a(x, at, i, &c.t);
                blocked_tile(x, at, &c, i);
            }
        }
    }
}

/* Few rows: sums over the block's k of all tiles of a stretch of columns, which then end as others do. */
static void blocked_multiply_thin(const struct blocked_problem *x, struct blocked_block *at) {
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    const int64_t down = rows.end - rows.begin;
    float *const sums = thin_sums(x, at);
    if (down == 0) return;
    const int64_t stretch = THIN_TILES / down;
    if (x->a_own) blocked_pack_a(x, at, rows.begin, rows.end);
    for (int64_t j0 = columns.begin; j0 < columns.end; j0 += stretch) {
        const int64_t j1 = j0 + stretch < columns.end ? j0 + stretch : columns.end;
        thin_multiply(x, at, j0, j1, sums);
        for (int64_t j = j0; j < j1; j++) {
            struct blocked_column c = blocked_column(x, at, j);
            c.multiply = tile_held;
            for (int64_t i = rows.begin; i < rows.end; i++) {
                c.t.b = (const tile_word *)(void *)(sums + ((j - j0) * down + i - rows.begin) * GEMM_TILE);
                blocked_tile(x, at, &c, i);
            }
        }
    }
}

static void blocked_block(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t rows = blocked_panels(at->rows, GEMM_MR), columns = blocked_panels(at->columns, GEMM_NR);
    const int64_t r = at->me / x->over, c = at->me % x->over;
    at->my_rows = (struct kernel_range){rows * r / x->down, rows * (r + 1) / x->down};
    at->my_columns = (struct kernel_range){columns * c / x->over, columns * (c + 1) / x->over};
    if (!x->a_own) {
        const struct kernel_range mine = kernel_share(rows, 1);
        blocked_pack_a(x, at, mine.begin, mine.end);
    }
    if (!x->b_own && !x->g->b_packed && !x->thin) {
        const struct kernel_range mine = kernel_share(columns, 1);
        blocked_pack_b(x, at, mine.begin, mine.end);
    }
#pragma omp barrier
    if (x->thin)
        blocked_multiply_thin(x, at);
    else if (GEMM_B_STAYS)
        blocked_multiply_b_stays(x, at);
    else
        blocked_multiply_a_stays(x, at);
#pragma omp barrier
}

/* The grid of threads on a block: the division into rows and columns that leaves the largest part smallest; columns
 * first, since each thread then keeps less of B in its L2. Who stands alone in its row or column packs for itself. */
static void blocked_grid(struct blocked_problem *x) {
    const int64_t threads = omp_get_num_threads();
    const int64_t rows = blocked_panels(x->rows.size, GEMM_MR), columns = blocked_panels(x->columns.size, GEMM_NR);
    int64_t least = INT64_MAX;
    for (int64_t t = 1; t <= threads; t++) {
        if (threads % t) continue;
        const int64_t part = blocked_panels(rows, t) * blocked_panels(columns, threads / t);
        if (part < least) least = part, x->down = t;
    }
    x->over = threads / x->down;
    x->a_own = x->over == 1;
    x->b_own = x->down == 1 && !x->g->b_packed;
    x->b_once = x->b_own && GEMM_B_STAYS && x->rows.size <= x->blocking.strip &&
                threads * BLOCKED_TOGETHER * GEMM_NR <= x->columns.size;
}

/* What every thread does; each has its own *x, which it completes. */
static void blocked_run(struct blocked_problem *x) {
    struct blocked_block at = {.me = omp_get_thread_num()};
    blocked_grid(x);
    for (at.i = 0; at.i < x->rows.total; at.i += x->rows.size) {
        at.rows = blocked_length(&x->rows, at.i);
        for (at.j = 0; at.j < x->columns.total; at.j += x->columns.size) {
            at.columns = blocked_length(&x->columns, at.j);
            for (int64_t block = 0; block < x->words.count; block++) {
                at.w = block * x->words.size;
                at.words = blocked_length(&x->words, at.w);
                at.first = block == 0, at.last = block == x->words.count - 1;
                blocked_block(x, &at);
            }
        }
    }
}

/* Packing a word costs about a cycle, and it serves one multiply-add a panel of the other operand: with few panels, and
 * where strides do not hurt since all is in L2, tiles read FP32 operands where they lie. */
static void blocked_in_place(struct blocked_problem *x, const struct kernel_caches *caches) {
    const struct kernel_gemm *g = x->g;
    const int64_t l2 = caches && caches->l2 > 0 ? caches->l2 : 512 << 10;
    const bool small = 4 * (g->m * g->k + g->k * g->n + g->m * g->n) <= l2 / 2;
    x->thin = thin_serves(g);
    if (WORD_NUMBERS > 1 || g->in != KERNEL_F32 || x->thin) return;
    x->a_in_place = small || (g->n <= GEMM_NR && !x->a.across);
    x->b_in_place = small && x->b.across && !g->b_packed;
}

static void blocked_facts(struct kernel_blocking *blocking, const struct kernel_caches *caches) {
    *blocking = (struct kernel_blocking){.variant = GEMM_VARIANT,
                                         .mr = GEMM_MR,
                                         .nr = GEMM_NR,
                                         .lanes = KERNEL_LANES,
                                         .numbers = WORD_NUMBERS,
                                         .b_stays = GEMM_B_STAYS};
    blocking_choose(blocking, caches);
}

/* Below this many multiplications, some 10 us, other threads would hardly be awake before it is done. */
static const int64_t blocked_alone = 1 << 19;

static void blocked_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    if (g->m <= 0 || g->n <= 0) return;
    struct blocked_problem x = {.g = g,
                                .team = team,
                                .a = {g->a, g->lda, g->m, g->k, g->a_trans, g->in},
                                .b = {g->b, g->ldb, g->n, g->k, !g->b_trans, g->in}};
    blocked_facts(&x.blocking, team->caches);
    /* the longer of m and n in the longer blocks, so that the other's operand is packed less often */
    const bool tall = g->m > g->n;
    const int64_t most_rows = tall ? x.blocking.longer : x.blocking.shorter;
    const int64_t most_columns = tall ? x.blocking.shorter : x.blocking.longer;
    x.rows = blocked_cut(g->m, most_rows, GEMM_MR);
    x.columns = blocked_cut(g->n, most_columns, GEMM_NR);
    x.words = blocked_cut(pack_words(g->k), x.blocking.kc, KERNEL_LANES);
    x.a_panels = team->scratch;
    x.b_panels = x.a_panels + (most_rows + BLOCKING_PANEL_MAX) * BLOCKING_KC_MAX;
    x.sums = (float *)(void *)(x.b_panels + (most_columns + BLOCKING_PANEL_MAX) * BLOCKING_KC_MAX);
    blocked_in_place(&x, team->caches);
    if (team->threads == 1 || g->m * g->n * g->k <= blocked_alone) {
        blocked_run(&x); /* without a region: the barriers of one of a single thread are system calls */
        return;
    }
#pragma omp parallel num_threads(team->threads) firstprivate(x)
    blocked_run(&x);
}

/* All of B as the caller keeps it. */
static void blocked_pack(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    const struct pack_operand b = {g->b, g->ldb, g->n, g->k, !g->b_trans, g->in};
    const int64_t words = pack_words(g->k);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range mine = kernel_share(blocked_panels(g->n, GEMM_NR), 1);
        for (int64_t panel = mine.begin, some; panel < mine.end; panel += some) {
            some = blocked_pack_columns(&b, panel * GEMM_NR, 0, words, mine.end - panel,
                                        (uint32_t *)packed + panel * words * GEMM_NR);
            kernel_poll(team);
        }
    }
}

#endif
