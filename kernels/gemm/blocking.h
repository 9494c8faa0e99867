/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the block sizes of a matmul from the caches and the facts in an instruction set's file. The method follows
 * Low et al., Analytical Modeling Is Enough for High-Performance BLIS, 2016. A word is 4 bytes. The maxima hold for
 * any caches, so scratch does not depend on them. */
#ifndef TOISE_KERNELS_GEMM_BLOCKING_H
#define TOISE_KERNELS_GEMM_BLOCKING_H

#include "kernels.h"

enum {
    /* Words along k at a time. From 512 on, C is read and written only once every thousands of cycles. */
    BLOCKING_KC_MAX = 512,
    /* Rows and columns that all threads pack at a time. The longer the other operand's block, the more
     * multiplications use each packed word. 3,072 of them hide the 1 to 2 cycles of packing it. */
    BLOCKING_NC_LONG = 3072,
    BLOCKING_NC_SHORT = 1024,
    /* Blocks are cut in equal parts and rounded up to whole panels of at most this many rows or columns. */
    BLOCKING_PANEL_MAX = 64,
};

static inline int64_t blocking_between(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

/* *b holds the facts; this fills in the rest. */
static inline void blocking_choose(struct kernel_blocking *b, const struct kernel_caches *caches) {
    const struct kernel_caches none = {0}, *c = caches ? caches : &none;
    const int64_t l1 = c->l1 > 0 ? c->l1 : 32 << 10, l2 = c->l2 > 0 ? c->l2 : 512 << 10;
    const int64_t l3 = c->l3 > 0 ? c->l3 : 1 << 20;
    const int64_t stationary = b->b_stationary ? b->nr : b->mr, streamed = b->b_stationary ? b->mr : b->nr;
    /* The stationary panel is as large as L1. The streamed one evicts some of it, which is reloaded from L2 during
     * the multiply-adds. Three quarters of this kc would avoid that, but read and write C a third more often. */
    b->kc = blocking_between(l1 / (4 * stationary) / b->lanes * b->lanes, b->lanes, BLOCKING_KC_MAX);
    /* The MC block is streamed repeatedly. It gets three eighths of L2, since the next stationary panel and C pass
     * through L2 too. */
    b->mc = blocking_between(l2 / 8 * 3 / (4 * b->kc * streamed), 1, BLOCKING_NC_LONG / streamed) * streamed;
    /* Half of L3 for the longer NC block, but at least 8 MC blocks even if L3 is too small. Each of its words is
     * read once per MC block, which memory can supply. The other operand is packed again for each NC block. */
    b->nc_long = blocking_between(l3 / 2 / (4 * b->kc), 8 * b->mc, BLOCKING_NC_LONG);
    b->nc_long = blocking_between(b->nc_long, 1, BLOCKING_NC_LONG);
    b->nc_short = b->nc_long < BLOCKING_NC_SHORT ? b->nc_long : BLOCKING_NC_SHORT;
}

#endif
