/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the blocked matmul cuts a problem, from the caches and the facts of an instruction set's page (after Low et
 * al., Analytical Modeling Is Enough for High-Performance BLIS, 2016); a word is 4 bytes. The bounds hold for any
 * caches, so that scratch needs to know none. */
#ifndef TOISE_KERNELS_GEMM_BLOCKING_H
#define TOISE_KERNELS_GEMM_BLOCKING_H

#include "../kernels.h"

enum {
    /* Words along k at a time: beyond 512, C is read and written once every thousands of cycles already. */
    BLOCKING_KC_MAX = 512,
    /* Rows and columns packed at a time by all threads together. A packed word of one operand serves as many
     * multiplications as the other's block is long: 3,072 of them hide its packing, some 1 to 2 cycles, entirely. */
    BLOCKING_LONG = 3072,
    BLOCKING_SHORT = 1024,
    /* Blocks are cut in equal parts and rounded up to whole panels of at most this many rows or columns. */
    BLOCKING_PANEL_MAX = 64,
};

static inline int64_t blocking_between(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

/* *b holds the facts; the rest is filled in. */
static inline void blocking_choose(struct kernel_blocking *b, const struct kernel_caches *caches) {
    const struct kernel_caches none = {0}, *c = caches ? caches : &none;
    const int64_t l1 = c->l1 > 0 ? c->l1 : 32 << 10, l2 = c->l2 > 0 ? c->l2 : 512 << 10;
    const int64_t l3 = c->l3 > 0 ? c->l3 : 1 << 20;
    const int64_t stays = b->b_stays ? b->nr : b->mr, streams = b->b_stays ? b->mr : b->nr;
    /* The panel that stays is as large as L1. What streams past pushes some of it out, which comes back from L2 beside
     * the multiply-adds; a kc of three quarters, which would not, has C come and go a third more often, for more. */
    b->kc = blocking_between(l1 / (4 * stays) / b->lanes * b->lanes, b->lanes, BLOCKING_KC_MAX);
    /* The strip that is streamed again and again fills three eighths of L2: what stays in L1 next, and C, pass it. */
    b->strip = blocking_between(l2 / 8 * 3 / (4 * b->kc * streams), 1, BLOCKING_LONG / streams) * streams;
    /* Half of L3 for the longer block. Where that is less than 8 strips it is cut for 8 all the same: a word of it
     * comes but once a strip, slowly enough for memory, but the other operand is packed anew for each block. */
    b->longer = blocking_between(l3 / 2 / (4 * b->kc), 8 * b->strip, BLOCKING_LONG);
    b->longer = blocking_between(b->longer, 1, BLOCKING_LONG);
    b->shorter = b->longer < BLOCKING_SHORT ? b->longer : BLOCKING_SHORT;
}

#endif
