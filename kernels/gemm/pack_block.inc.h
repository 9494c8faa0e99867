/* SPDX-License-Identifier: Apache-2.0
 *
 * Packs a block's panels, and prefetches those that come next. */
#ifndef TOISE_KERNELS_GEMM_PACK_BLOCK_INC_H
#define TOISE_KERNELS_GEMM_PACK_BLOCK_INC_H

#include "gemm/problem.inc.h"

/* Packs panels begin .. end of the block, except those that are read in place. */
static void blocked_pack_a(const struct blocked_problem *x, struct blocked_block *at, int64_t begin, int64_t end) {
    const int64_t stride = blocked_a_stride(at->words), p = at->w * WORD_NUMBERS;
    while (begin < end && blocked_a_in_place(x, at, begin)) begin++;
    for (int64_t panel = begin, some; panel < end; panel += some) {
        const int64_t row = at->i + panel * GEMM_MR;
        some = !x->a.strided ? 1 : end - panel < BLOCKED_A_TOGETHER ? end - panel : BLOCKED_A_TOGETHER;
        if (x->a.strided)
            pack_strided(&x->a, row, p, at->words, GEMM_MR, some, stride, blocked_a_slot(x, at, panel));
        else
            pack_contiguous(&x->a, row, p, at->words, GEMM_MR, blocked_a_slot(x, at, panel));
        blocked_work(x, at, some * stride * KERNEL_LANES);
    }
}

/* Packs several panels of B together, at most `left`, from column `row`, `words` words from k = p. Returns how many. */
SIMD_INLINE int64_t blocked_pack_columns(const struct pack_operand *b, int64_t row, int64_t p, int64_t words,
                                         int64_t left, uint32_t *to) {
    if (!b->strided) {
        pack_transposed(b, row, p, words, GEMM_NR, to);
        return 1;
    }
    const int64_t some = left < BLOCKED_TOGETHER ? left : BLOCKED_TOGETHER;
    pack_strided(b, row, p, words, GEMM_NR, some, words * GEMM_NR, to);
    return some;
}

static void blocked_pack_b(const struct blocked_problem *x, struct blocked_block *at, int64_t begin, int64_t end) {
    while (begin < end && blocked_b_in_place(x, at, begin)) begin++;
    for (int64_t panel = begin, some; panel < end; panel += some) {
        some = blocked_pack_columns(&x->b, at->j + panel * GEMM_NR, at->w * WORD_NUMBERS, at->words, end - panel,
                                    blocked_b_slot(x, at, panel));
        blocked_work(x, at, some * at->words * GEMM_NR * KERNEL_LANES);
    }
}

/* What tiles prefetch. Tile n < tiles takes part n % parts of row n / parts: a line for each group of words, `step`
 * bytes apart. */
struct blocked_prefetch {
    const char *at;
    int64_t tiles, parts, row_stride, part_stride, step; /* strides in bytes */
};

SIMD_INLINE struct tile_prefetch blocked_prefetch_tile(const struct blocked_prefetch *x, int64_t n, const void *idle) {
    if (n < 0 || n >= x->tiles) return (struct tile_prefetch){idle, 0};
    const int64_t row = x->parts == 1 ? n : n / x->parts;
    return (struct tile_prefetch){x->at + row * x->row_stride + (n - row * x->parts) * x->part_stride, x->step};
}

/* A packed panel, `words` words long. */
static struct blocked_prefetch blocked_prefetch_panel(const uint32_t *panel, int64_t words, int64_t groups) {
    return (struct blocked_prefetch){(const char *)panel, blocked_panels(words / 16, groups), 1, groups * 64, 0, 64};
}

/* The source of `panels` panels of B from `panel`, `words` words from word w. */
static struct blocked_prefetch blocked_prefetch_source(const struct blocked_problem *x, const struct blocked_block *at,
                                                       int64_t panel, int64_t panels, int64_t w, int64_t words) {
    const int64_t groups = at->words / KERNEL_LANES, element = (int64_t)kernel_dtype_bytes(x->g->in);
    const int64_t row = at->j + panel * GEMM_NR, p = w * WORD_NUMBERS, ld = x->b.ld * element;
    const int64_t numbers = words * WORD_NUMBERS, left = x->b.rows - row;
    const int64_t rows = left < panels * GEMM_NR ? left : panels * GEMM_NR;
    if (x->b.strided) {
        const int64_t parts = blocked_panels(rows * element, groups * 64);
        return (struct blocked_prefetch){
            (const char *)x->b.data + p * ld + row * element, numbers * parts, parts, ld, groups * 64, 64};
    }
    return (struct blocked_prefetch){
        (const char *)x->b.data + row * ld + p * element, rows, 1, ld, 0, numbers * element / groups};
}

/* For a column of tiles: B's panel `panel`, or its source if it is not packed yet. */
static struct blocked_prefetch blocked_prefetch_b(const struct blocked_problem *x, const struct blocked_block *at,
                                                  int64_t panel, bool packed) {
    const int64_t groups = at->words / KERNEL_LANES;
    if (panel >= at->my_columns.end || groups == 0 || x->b_in_place) return (struct blocked_prefetch){0};
    if (packed) return blocked_prefetch_panel(blocked_b(x, at, panel), at->words * GEMM_NR, groups);
    return blocked_prefetch_source(x, at, panel, 1, at->w, at->words);
}

/* For a row of tiles: A's packed panel `panel`. B's panels are not prefetched then: the hardware does that. */
static struct blocked_prefetch blocked_prefetch_a(const struct blocked_problem *x, const struct blocked_block *at,
                                                  int64_t panel) {
    const int64_t groups = at->words / KERNEL_LANES;
    if (panel >= at->my_rows.end || groups == 0 || x->a_in_place) return (struct blocked_prefetch){0};
    return blocked_prefetch_panel(blocked_a_slot(x, at, panel), blocked_a_stride(at->words), groups);
}

/* For all tiles of an MC block of B that ends at panel `end`: the source of the next block, maybe further along k. */
static struct blocked_prefetch blocked_prefetch_next(const struct blocked_problem *x, const struct blocked_block *at,
                                                     int64_t end, int64_t panels) {
    const bool further = end >= at->my_columns.end;
    const int64_t panel = further ? at->my_columns.begin : end, w = further ? at->w + at->words : at->w;
    const int64_t left = x->words.total - w, words = left < at->words ? left : at->words;
    if (panel + panels > at->my_columns.end) panels = at->my_columns.end - panel;
    if (!x->b_private || x->b_in_place || at->words < KERNEL_LANES || words <= 0 || panels <= 0)
        return (struct blocked_prefetch){0};
    return blocked_prefetch_source(x, at, panel, panels, w, words);
}

#endif
