/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocked matmul. It packs blocks of rows, columns and k into team->scratch, then multiplies them micro-tile by
 * micro-tile on a grid of threads. Threads never split k, so neither races nor the thread count change a bit. The file
 * of each instruction set defines GEMM_VARIANT, KERNEL_LANES, GEMM_MR, GEMM_NV and GEMM_B_STATIONARY, then includes
 * this. If it has a BF16 dot it also defines GEMM_PAIRS and tile_dot(). */
#ifndef TOISE_KERNELS_GEMM_BLOCKED_INC_H
#define TOISE_KERNELS_GEMM_BLOCKED_INC_H

#include "gemm/epilogue.inc.h"
#include "gemm/pack_block.inc.h"
#include "gemm/thin.inc.h"

/* A column panel of the block, and what its tiles share. */
struct blocked_column {
    int64_t panel, j, cols;
    const float *bias;        /* if the tile can add it: FP32 out, first block of k */
    bool direct;              /* whole tiles are stored from registers into C */
    tile_fn *const *multiply; /* by height */
    struct tile_operands t;
};

/* Field by field: a copy of the whole would wait for the fields' stores, 20 cycles a tile. */
SIMD_INLINE void blocked_column(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel,
                                struct blocked_column *c) {
    const struct kernel_gemm *g = x->g;
    const bool bias = g->bias && at->first;
    c->panel = panel;
    c->j = at->j + panel * GEMM_NR;
    c->cols = g->n - c->j < GEMM_NR ? g->n - c->j : GEMM_NR;
    c->bias = bias && g->in == KERNEL_F32 ? (const float *)g->bias + c->j : NULL;
    c->direct = g->out == KERNEL_F32 && c->cols == GEMM_NR && (!bias || c->bias);
    c->multiply = x->a_in_place || x->b_in_place ? tile_in_place : x->a.strided ? tile_by_k : tile_by_row;
    blocked_read_b(x, at, panel, &c->t);
}

/* Through a buffer: tiles at C's edges, and BF16, which is rounded once, after the last block of k. FP32 adds bias
 * and D with the first block, BF16 with the last. */
static __attribute__((noinline)) void blocked_tile_buffered(const struct blocked_problem *x,
                                                            const struct blocked_block *at,
                                                            const struct blocked_column *c, int64_t row_panel,
                                                            int64_t rows, int64_t offset) {
    const struct kernel_gemm *g = x->g;
    tile_fn *const multiply = c->multiply[tile_height(rows)];
    float tile[GEMM_TILE] __attribute__((aligned(64)));
    float *kept = x->sums + (row_panel * blocked_panels(at->columns, GEMM_NR) + c->panel) * GEMM_TILE;
    if (g->out == KERNEL_F32) {
        float *to = (float *)g->c + offset;
        const float *d = !at->first ? to : g->d ? (const float *)g->d + offset : NULL;
        multiply(at->words, &c->t, NULL, NULL, tile, GEMM_NR);
        epilogue_tile(tile, rows, c->cols, g->in, at->first ? g->bias : NULL, c->j, KERNEL_F32, d, to, g->ldc);
        return;
    }
    multiply(at->words, &c->t, at->first ? NULL : kept, NULL, at->last ? tile : kept, GEMM_NR);
    if (!at->last) return;
    const kernel_bf16 *d = g->d ? (const kernel_bf16 *)g->d + offset : NULL;
    epilogue_tile(tile, rows, c->cols, g->in, g->bias, c->j, KERNEL_BF16, d, (kernel_bf16 *)g->c + offset, g->ldc);
}

/* Tile (row panel, column panel) of the block. FP32 accumulates in C. */
SIMD_INLINE void blocked_tile(const struct blocked_problem *x, struct blocked_block *at, struct blocked_column *c,
                              int64_t row_panel) {
    const struct kernel_gemm *g = x->g;
    const int64_t i = at->i + row_panel * GEMM_MR, offset = i * g->ldc + c->j;
    const int64_t rows = g->m - i < GEMM_MR ? g->m - i : GEMM_MR;
    const bool epilogue = at->last && g->epilogue != KERNEL_EPILOGUE_NONE;
    if (epilogue) epilogue_prefetch(g, offset);
    if (c->direct && rows == GEMM_MR) {
        float *to = (float *)g->c + offset;
        const float *d = !at->first ? to : g->d ? (const float *)g->d + offset : NULL;
        c->multiply[TILE_HEIGHTS - 1](at->words, &c->t, d, c->bias, to, g->ldc);
    } else {
        blocked_tile_buffered(x, at, c, row_panel, rows, offset);
    }
    if (epilogue) epilogue_apply(g, offset, rows, c->cols);
    blocked_work(x, at, at->words * GEMM_TILE);
}

/* The tiles of row panels begin .. end in column panel j. It prefetches panel `next` of B meanwhile. */
static void blocked_column_tiles(const struct blocked_problem *x, struct blocked_block *at, int64_t begin, int64_t end,
                                 int64_t j, int64_t next, bool packed) {
    const struct blocked_prefetch prefetch = blocked_prefetch_b(x, at, next, packed);
    struct blocked_column c;
    blocked_column(x, at, j, &c);
    for (int64_t i = begin; i < end; i++) {
        c.t.prefetch[0] = blocked_prefetch_tile(&prefetch, i - begin, c.t.b);
        c.t.prefetch[1] = (struct tile_prefetch){(const char *)c.t.b, 0};
        blocked_read_a(x, at, i, &c.t);
        blocked_tile(x, at, &c, i);
    }
}

/* A panel of B stays in L1 while an MC block of A streams from L2. */
static void blocked_multiply_b_stationary(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t mc = x->blocking.mc / GEMM_MR, together = x->b.strided ? BLOCKED_TOGETHER : 1;
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    for (int64_t i0 = rows.begin; i0 < rows.end; i0 += mc) {
        const int64_t i1 = i0 + mc < rows.end ? i0 + mc : rows.end;
        const bool packed = !x->b_private || i0 != rows.begin;
        if (x->a_private) blocked_pack_a(x, at, i0, i1);
        for (int64_t j0 = columns.begin; j0 < columns.end; j0 += together) {
            const int64_t j1 = j0 + together < columns.end ? j0 + together : columns.end;
            if (!packed) blocked_pack_b(x, at, j0, j1);
            for (int64_t j = j0; j < j1; j++)
                blocked_column_tiles(x, at, i0, i1, j, j + (packed ? 1 : together), packed);
        }
    }
}

/* A panel of A stays in L1 while an MC block of B streams from L2. */
static void blocked_multiply_a_stationary(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t mc = x->blocking.mc / GEMM_NR;
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    for (int64_t j0 = columns.begin; j0 < columns.end; j0 += mc) {
        const int64_t j1 = j0 + mc < columns.end ? j0 + mc : columns.end;
        if (x->b_private) blocked_pack_b(x, at, j0, j1);
        if (x->a_private && j0 == columns.begin) blocked_pack_a(x, at, rows.begin, rows.end);
        const struct blocked_prefetch next = blocked_prefetch_next(x, at, j1, mc);
        int64_t last = next.tiles - (rows.end - rows.begin) * (j1 - j0); /* its tiles are the last ones */
        if (last > 0) last = 0;
        for (int64_t i = rows.begin; i < rows.end; i++) {
            const struct blocked_prefetch panel = blocked_prefetch_a(x, at, i + 1);
            struct blocked_column c;
            for (int64_t j = j0; j < j1; j++) {
                blocked_column(x, at, j, &c);
                blocked_read_a(x, at, i, &c.t);
                c.t.prefetch[0] = blocked_prefetch_tile(&panel, j - j0, c.t.b);
                c.t.prefetch[1] = blocked_prefetch_tile(&next, last++, c.t.b);
                blocked_tile(x, at, &c, i);
            }
        }
    }
}

/* Few rows: the sums of a range of columns over the block's k, then the same end as other tiles. */
static void blocked_multiply_thin(const struct blocked_problem *x, struct blocked_block *at) {
    const struct kernel_range rows = at->my_rows, columns = at->my_columns;
    const int64_t row_panels = rows.end - rows.begin;
    float *const sums = thin_sums(x, at);
    if (row_panels == 0) return;
    const int64_t stretch = THIN_TILES / row_panels;
    if (x->a_private) blocked_pack_a(x, at, rows.begin, rows.end);
    for (int64_t j0 = columns.begin; j0 < columns.end; j0 += stretch) {
        const int64_t j1 = j0 + stretch < columns.end ? j0 + stretch : columns.end;
        thin_multiply(x, at, j0, j1, sums);
        for (int64_t j = j0; j < j1; j++) {
            struct blocked_column c;
            blocked_column(x, at, j, &c);
            c.multiply = tile_held;
            for (int64_t i = rows.begin; i < rows.end; i++) {
                c.t.b = (const tile_word *)(void *)(sums + ((j - j0) * row_panels + i - rows.begin) * GEMM_TILE);
                blocked_tile(x, at, &c, i);
            }
        }
    }
}

static void blocked_block(const struct blocked_problem *x, struct blocked_block *at) {
    const int64_t rows = blocked_panels(at->rows, GEMM_MR), columns = blocked_panels(at->columns, GEMM_NR);
    const int64_t r = at->me / x->grid_columns, c = at->me % x->grid_columns;
    at->my_rows = (struct kernel_range){rows * r / x->grid_rows, rows * (r + 1) / x->grid_rows};
    at->my_columns = (struct kernel_range){columns * c / x->grid_columns, columns * (c + 1) / x->grid_columns};
    if (!x->a_private) {
        const struct kernel_range mine = kernel_share(rows, 1);
        blocked_pack_a(x, at, mine.begin, mine.end);
    }
    if (!x->b_private && !x->g->b_packed && !x->thin) {
        const struct kernel_range mine = kernel_share(columns, 1);
        blocked_pack_b(x, at, mine.begin, mine.end);
    }
#pragma omp barrier
    if (x->thin)
        blocked_multiply_thin(x, at);
    else if (GEMM_B_STATIONARY)
        blocked_multiply_b_stationary(x, at);
    else
        blocked_multiply_a_stationary(x, at);
#pragma omp barrier
}

/* The thread grid: the split into rows and columns whose largest part is smallest. Columns are preferred, since each
 * thread then keeps less of B in its L2. A thread that is alone in its grid row or column packs for itself. */
static void blocked_grid(struct blocked_problem *x) {
    const int64_t threads = omp_get_num_threads();
    const int64_t rows = blocked_panels(x->rows.size, GEMM_MR), columns = blocked_panels(x->columns.size, GEMM_NR);
    int64_t least = INT64_MAX;
    for (int64_t t = 1; t <= threads; t++) {
        if (threads % t) continue;
        const int64_t part = blocked_panels(rows, t) * blocked_panels(columns, threads / t);
        if (part < least) least = part, x->grid_rows = t;
    }
    x->grid_columns = threads / x->grid_rows;
    x->a_private = x->grid_columns == 1;
    x->b_private = x->grid_rows == 1 && !x->g->b_packed;
    /* B stationary: each panel is read by one pass over A's rows. A stationary: an MC block is read by all of them. */
    const int64_t ring = GEMM_B_STATIONARY ? BLOCKED_TOGETHER : x->blocking.mc / GEMM_NR;
    const bool soon = !GEMM_B_STATIONARY || x->rows.size <= x->blocking.mc;
    x->b_ring = x->b_private && soon && threads * ring * GEMM_NR <= x->columns.size ? ring : 0;
}

/* Runs on every thread; each completes its own copy of *x. */
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

/* Packing a word costs about a cycle and saves about as much for each panel of the other operand. With few panels,
 * and if everything is in L2 so that strides cost little, tiles read FP32 operands in place. */
static void blocked_choose_in_place(struct blocked_problem *x, const struct kernel_caches *caches) {
    const struct kernel_gemm *g = x->g;
    const int64_t l2 = caches && caches->l2 > 0 ? caches->l2 : 512 << 10;
    const bool small = 4 * (g->m * g->k + g->k * g->n + g->m * g->n) <= l2 / 2;
    x->thin = thin_serves(g);
    if (WORD_NUMBERS > 1 || g->in != KERNEL_F32 || x->thin) return;
    x->a_in_place = small || (g->n <= GEMM_NR && !x->a.strided);
    x->b_in_place = small && x->b.strided && !g->b_packed;
}

static void blocked_facts(struct kernel_blocking *blocking, const struct kernel_caches *caches) {
    *blocking = (struct kernel_blocking){.variant = GEMM_VARIANT,
                                         .mr = GEMM_MR,
                                         .nr = GEMM_NR,
                                         .lanes = KERNEL_LANES,
                                         .numbers = WORD_NUMBERS,
                                         .b_stationary = GEMM_B_STATIONARY};
    blocking_choose(blocking, caches);
}

/* Below this many multiplications (some 10 us) the work would be done before other threads wake up. */
static const int64_t blocked_alone = 1 << 19;

static void blocked_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    if (g->m <= 0 || g->n <= 0) return;
    struct blocked_problem x = {.g = g,
                                .team = team,
                                .a = {g->a, g->lda, g->m, g->k, g->a_trans, g->in},
                                .b = {g->b, g->ldb, g->n, g->k, !g->b_trans, g->in}};
    struct kernel_caches caches = team->caches ? *team->caches : (struct kernel_caches){0};
    if (team->steady) caches.l1 = 0; /* KC follows from it, and with KC where the sums along k are cut */
    blocked_facts(&x.blocking, &caches);
    /* the longer of m and n gets the longer blocks, so that the other operand is packed less often */
    const bool tall = g->m > g->n;
    const int64_t most_rows = tall ? x.blocking.nc_long : x.blocking.nc_short;
    const int64_t most_columns = tall ? x.blocking.nc_short : x.blocking.nc_long;
    x.rows = blocked_cut(g->m, most_rows, GEMM_MR);
    x.columns = blocked_cut(g->n, most_columns, GEMM_NR);
    x.words = blocked_cut(pack_words(g->k), x.blocking.kc, KERNEL_LANES);
    x.a_panels = team->scratch;
    x.b_panels = x.a_panels + (most_rows + BLOCKING_PANEL_MAX) * BLOCKING_KC_MAX;
    x.sums = (float *)(void *)(x.b_panels + (most_columns + BLOCKING_PANEL_MAX) * BLOCKING_KC_MAX);
    blocked_choose_in_place(&x, team->caches);
    if (team->threads == 1 || g->m * g->n * g->k <= blocked_alone) {
        blocked_run(&x); /* no parallel region: even with one thread its barriers are system calls */
        return;
    }
#pragma omp parallel num_threads(team->threads) firstprivate(x)
    blocked_run(&x);
}

/* Packs all of B into the caller's buffer. */
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
