/* SPDX-License-Identifier: Apache-2.0
 *
 * How a team divides work: one contiguous range of whole units per thread, and the poll between blocks. Call it inside
 * an OpenMP parallel region; it uses the number of threads that really run. */
#ifndef TOISE_KERNELS_SPLIT_H
#define TOISE_KERNELS_SPLIT_H

#include <omp.h>

#include "kernels.h"

struct kernel_range {
    int64_t begin, end;
};

/* This thread's share of 0..n. Every begin is a multiple of `unit`. */
static inline struct kernel_range kernel_share(int64_t n, int64_t unit) {
    int64_t units = (n + unit - 1) / unit, threads = omp_get_num_threads(), thread = omp_get_thread_num();
    int64_t begin = units * thread / threads * unit, end = units * (thread + 1) / threads * unit;
    return (struct kernel_range){begin < n ? begin : n, end < n ? end : n};
}

static inline void kernel_poll(const struct kernel_team *team) {
    if (team->poll && omp_get_thread_num() == 0) team->poll(team->poll_context);
}

enum { KERNEL_BLOCK = 16384 }; /* elements between polls: ten to a hundred microseconds */

/* Iterates over a share in blocks: for (b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s,
 * b)) */
static inline struct kernel_range kernel_block_first(struct kernel_range share) {
    int64_t end = share.begin + KERNEL_BLOCK;
    return (struct kernel_range){share.begin, end < share.end ? end : share.end};
}
static inline struct kernel_range kernel_block_next(const struct kernel_team *team, struct kernel_range share,
                                                    struct kernel_range block) {
    kernel_poll(team);
    return kernel_block_first((struct kernel_range){block.end, share.end});
}

/* For a loop over rows of `cols` elements: polls about once every KERNEL_BLOCK elements. */
static inline void kernel_poll_row(const struct kernel_team *team, int64_t row, int64_t cols) {
    if (row % (1 + KERNEL_BLOCK / (cols + 1)) == 0) kernel_poll(team);
}

#endif
