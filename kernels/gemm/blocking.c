/* SPDX-License-Identifier: Apache-2.0
 *
 * The cut of a matmul in words, and what it needs of team->scratch for any shape, any caches and any variant: one block
 * of A, one of B and one of sums. */
#include <stdio.h>

#include "../scratch.h"
#include "blocking.h"

size_t kernel_gemm_scratch(int threads) {
    const size_t shorter = BLOCKING_SHORT + BLOCKING_PANEL_MAX, longer = BLOCKING_LONG + BLOCKING_PANEL_MAX;
    (void)threads; /* they share the blocks */
    return 4 * (shorter * BLOCKING_KC_MAX + longer * BLOCKING_KC_MAX + shorter * longer);
}

int kernel_blocking_explain(const struct kernel_blocking *b, const struct kernel_caches *caches, char *text,
                            size_t size) {
    const int64_t stays = b->b_stays ? b->nr : b->mr, streams = b->b_stays ? b->mr : b->nr;
    const char *const stayer = b->b_stays ? "B" : "A", *const streamer = b->b_stays ? "A" : "B";
    const double kb = 1024, panel = 4.0 * (double)(stays * b->kc) / kb, strip = 4.0 * (double)(b->strip * b->kc) / kb;
    const double l1 = caches ? (double)caches->l1 / kb : 0, l2 = caches ? (double)caches->l2 / kb : 0;
    const double l3 = caches ? (double)caches->l3 / kb : 0;
    return snprintf(text, size,
                    "tile %d x %d: %d sums of %d lanes, %d loads for %d multiply-adds a word of k\n"
                    "kc %lld words: the panel of %s, %lld x %lld x 4 B = %.1f KB of %.0f KB L1, stays; those of %s, "
                    "%lld x %lld x 4 B = %.1f KB, stream past it\n"
                    "strip %lld: %lld x %lld x 4 B = %.0f KB of %s of %.0f KB L2\n"
                    "blocks %lld and %lld: %lld x %lld x 4 B = %.1f MB of %.1f MB L3\n",
                    b->mr, b->nr, b->mr * b->nr / b->lanes, b->lanes, b->mr + b->nr / b->lanes,
                    b->mr * b->nr / b->lanes, (long long)b->kc, stayer, (long long)stays, (long long)b->kc, panel, l1,
                    streamer, (long long)streams, (long long)b->kc, 4.0 * (double)(streams * b->kc) / kb,
                    (long long)b->strip, (long long)b->strip, (long long)b->kc, strip, streamer, l2,
                    (long long)b->longer, (long long)b->shorter, (long long)b->longer, (long long)b->kc,
                    4.0 * (double)(b->longer * b->kc) / kb / kb, l3 / kb);
}
