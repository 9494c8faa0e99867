/* SPDX-License-Identifier: Apache-2.0
 *
 * Packs a block's panels and prefetches the next one. */
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

/* What a column of tiles prefetches: the next panel of B, or the source it will be packed from. Tile n < tiles
 * fetches one line per group of words, `step` bytes tile_stride, starting at `at` + n * tile_stride. */
struct blocked_prefetch {
    const char *at;
    int64_t tiles, tile_stride, step;
};

static struct blocked_prefetch blocked_prefetch(const struct blocked_problem *x, const struct blocked_block *at,
                                                int64_t panel, bool packed) {
    const int64_t groups = at->words / KERNEL_LANES, element = (int64_t)kernel_dtype_bytes(x->g->in);
    const int64_t row = at->j + panel * GEMM_NR, p = at->w * WORD_NUMBERS, ld = x->b.ld * element;
    const int64_t numbers = at->words * WORD_NUMBERS, left = x->b.rows - row;
    if (panel >= at->my_columns.end || groups == 0 || x->b_in_place) return (struct blocked_prefetch){0};
    if (packed)
        return (struct blocked_prefetch){(const char *)blocked_b(x, at, panel),
                                         blocked_panels(at->words * GEMM_NR / 16, groups), groups * 64, 64};
    if (x->b.strided)
        return (struct blocked_prefetch){(const char *)x->b.data + p * ld + row * element,
                                         blocked_panels(numbers, groups), groups * ld, ld};
    return (struct blocked_prefetch){(const char *)x->b.data + row * ld + p * element, left < GEMM_NR ? left : GEMM_NR,
                                     ld, numbers * element / groups};
}

/* The same for A's next packed panel. B's panels are not prefetched then: the hardware does that. */
static struct blocked_prefetch blocked_prefetch_a(const struct blocked_problem *x, const struct blocked_block *at,
                                                  int64_t panel) {
    const int64_t groups = at->words / KERNEL_LANES;
    if (panel >= at->my_rows.end || groups == 0 || x->a_in_place) return (struct blocked_prefetch){0};
    return (struct blocked_prefetch){(const char *)blocked_a_slot(x, at, panel),
                                     blocked_panels(blocked_a_stride(at->words) / 16, groups), groups * 64, 64};
}

#endif
