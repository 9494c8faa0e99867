/* SPDX-License-Identifier: Apache-2.0
 *
 * Explains a matmul's blocking in text. Gives the scratch for any shape, caches and variant: one block of A, one of B
 * and one of sums. */
#include <stdio.h>

#include "gemm/blocking.h"
#include "scratch.h"

size_t kernel_gemm_scratch(int threads) {
    const size_t nc_short = BLOCKING_NC_SHORT + BLOCKING_PANEL_MAX, nc_long = BLOCKING_NC_LONG + BLOCKING_PANEL_MAX;
    (void)threads; /* threads share the blocks */
    return 4 * (nc_short * BLOCKING_KC_MAX + nc_long * BLOCKING_KC_MAX + nc_short * nc_long);
}

int kernel_blocking_explain(const struct kernel_blocking *b, const struct kernel_caches *caches, char *text,
                            size_t size) {
    const int64_t stationary = b->b_stationary ? b->nr : b->mr, streamed = b->b_stationary ? b->mr : b->nr;
    const char *const held = b->b_stationary ? "B" : "A", *const other = b->b_stationary ? "A" : "B";
    const double kb = 1024, panel = 4.0 * (double)(stationary * b->kc) / kb, mc = 4.0 * (double)(b->mc * b->kc) / kb;
    const double l1 = caches ? (double)caches->l1 / kb : 0, l2 = caches ? (double)caches->l2 / kb : 0;
    const double l3 = caches ? (double)caches->l3 / kb : 0;
    return snprintf(
        text, size,
        "tile %d x %d: %d sums of %d lanes, %d loads for %d multiply-adds a word of k\n"
        "KC %lld words: the stationary panel of %s, %lld x %lld x 4 B = %.1f KiB of %.0f KiB L1; those of %s, "
        "%lld x %lld x 4 B = %.1f KiB, are streamed\n"
        "MC %lld: %lld x %lld x 4 B = %.0f KiB of %s of %.0f KiB L2\n"
        "NC %lld and %lld: %lld x %lld x 4 B = %.1f MiB of %.1f MiB L3\n",
        b->mr, b->nr, b->mr * b->nr / b->lanes, b->lanes, b->mr + b->nr / b->lanes, b->mr * b->nr / b->lanes,
        (long long)b->kc, held, (long long)stationary, (long long)b->kc, panel, l1, other, (long long)streamed,
        (long long)b->kc, 4.0 * (double)(streamed * b->kc) / kb, (long long)b->mc, (long long)b->mc, (long long)b->kc,
        mc, other, l2, (long long)b->nc_long, (long long)b->nc_short, (long long)b->nc_long, (long long)b->kc,
        4.0 * (double)(b->nc_long * b->kc) / kb / kb, l3 / kb);
}
