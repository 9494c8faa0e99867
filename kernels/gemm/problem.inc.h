/* SPDX-License-Identifier: Apache-2.0
 *
 * A matmul divided into blocks, and where a block's panels are: packed in team->scratch, packed by the caller, or in
 * place if packing would not pay. */
#ifndef TOISE_KERNELS_GEMM_PROBLEM_INC_H
#define TOISE_KERNELS_GEMM_PROBLEM_INC_H

#include "gemm/blocking.h"
#include "gemm/pack.inc.h"
#include "gemm/tile.inc.h"
#include "split.h"

_Static_assert(GEMM_MR <= (int)BLOCKING_PANEL_MAX && (int)GEMM_NR <= (int)BLOCKING_PANEL_MAX,
               "scratch holds one more panel than a block");

/* How one dimension is divided: blocks of `size`, the last may be smaller. */
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

static int64_t blocked_panels(int64_t length, int64_t width) {
    return (length + width - 1) / width;
}

/* The whole problem, shared by all threads. A grid of threads works on each block. */
struct blocked_problem {
    const struct kernel_gemm *g;
    const struct kernel_team *team;
    struct kernel_blocking blocking;
    struct pack_operand a, b;
    struct blocked_cut rows, columns, words;
    int64_t grid_rows, grid_columns;
    bool a_in_place, b_in_place; /* whole panels are not packed */
    bool thin;                   /* thin.inc.h: B is read once, in place */
    bool a_private, b_private;   /* each thread packs what only it reads; false: all threads pack together first */
    int64_t b_ring;              /* room for so many of a thread's panels suffices, then reused; 0: for all */
    uint32_t *a_panels, *b_panels;
    float *sums; /* BF16 output over several blocks of k: the block's FP32 tiles, up to the last block of k */
};

/* The current block and this thread's panels of it. */
struct blocked_block {
    int64_t me;      /* this thread */
    int64_t i, j, w; /* its origin */
    int64_t rows, columns, words;
    bool first, last; /* block of k */
    struct kernel_range my_rows, my_columns;
    int64_t done; /* multiplications since the last poll */
};

/* Counts multiplications and polls every some 70 us with AVX-512, 150 us with AVX2. */
static void blocked_work(const struct blocked_problem *x, struct blocked_block *at, int64_t more) {
    at->done += more;
    if (at->done < (int64_t)8 << 20) return;
    at->done = 0;
    kernel_poll(x->team);
}

/* Panels of a strided operand that are packed together. Each of its rows is on another page, so several lines are
 * taken at once. */
enum { BLOCKED_TOGETHER = 4, BLOCKED_A_TOGETHER = 8 };

/* Words of one panel of A, in whole vectors; B's are counted exactly. */
static int64_t blocked_a_stride(int64_t words) {
    return (words + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES * GEMM_MR;
}

static uint32_t *blocked_a_slot(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel) {
    return x->a_panels + panel * blocked_a_stride(at->words);
}

/* Panels that are read soon and no more use a ring of slots for each thread, which remains in its L2. */
static uint32_t *blocked_b_slot(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel) {
    const int64_t slot = x->b_ring ? at->me * x->b_ring + (panel - at->my_columns.begin) % x->b_ring : panel;
    return x->b_panels + slot * at->words * GEMM_NR;
}

static bool blocked_a_in_place(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel) {
    return x->a_in_place && at->i + (panel + 1) * GEMM_MR <= x->g->m;
}
static bool blocked_b_in_place(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel) {
    return x->b_in_place && at->j + (panel + 1) * GEMM_NR <= x->g->n;
}

static void blocked_read_a(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel,
                           struct tile_operands *t) {
    const int64_t ld = x->a.ld, row = at->i + panel * GEMM_MR;
    if (blocked_a_in_place(x, at, panel)) {
        t->a = (const tile_word *)x->a.data + (x->a.strided ? at->w * ld + row : row * ld + at->w);
        t->row = x->a.strided ? 1 : ld, t->step = x->a.strided ? ld : 1, t->group = t->step * KERNEL_LANES;
    } else {
        t->a = blocked_a_slot(x, at, panel);
        t->row = x->a.strided ? 1 : KERNEL_LANES, t->step = x->a.strided ? GEMM_MR : 1,
        t->group = GEMM_MR * KERNEL_LANES;
    }
}

static const tile_word *blocked_b(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel) {
    if (!x->g->b_packed) return blocked_b_slot(x, at, panel);
    return (const tile_word *)x->g->b + (at->j + panel * GEMM_NR) * pack_words(x->g->k) + at->w * GEMM_NR;
}

static void blocked_read_b(const struct blocked_problem *x, const struct blocked_block *at, int64_t panel,
                           struct tile_operands *t) {
    const bool in_place = blocked_b_in_place(x, at, panel);
    t->b_step = in_place ? x->b.ld : GEMM_NR;
    t->b =
        !in_place ? blocked_b(x, at, panel) : (const tile_word *)x->b.data + at->w * x->b.ld + at->j + panel * GEMM_NR;
}

#endif
