/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast this machine's memory is at most: measured, by passes of all threads over arrays far beyond the caches,
 * again between timed windows. Bytes are those that a pass must move, each element once in and once out, as STREAM
 * (McCalpin 1995) counts; so the roof is what passes reach, not what the memory's pins could. */
#ifndef TOISE_MEASURE_BANDWIDTH_H
#define TOISE_MEASURE_BANDWIDTH_H

#include "base/arena.h"
#include "kernels.h"

enum measure_pass {
    MEASURE_COPY,   /* 8 bytes an element: one array read, one written */
    MEASURE_TRIAD,  /* 12: two read, one written */
    MEASURE_READ,   /* 4: sums of squares; reading alone is the fastest on some machines */
    MEASURE_UPDATE, /* 28: AdamW, four read and three written; so many streams are the fastest on others */
    MEASURE_PASSES
};

/* Three arrays in as many parts, passed over in turn, so that a window is short where caches are large. */
enum { MEASURE_PARTS = 8 };

struct measure_bandwidth {
    const struct kernel_team *team;
    int64_t n;    /* elements of an array of a part */
    double bytes; /* of a window's passes together, where each is one */
    struct base_arena arenas[MEASURE_PARTS * 3];
    int part;                    /* which comes next */
    double lead_s, window_s;     /* of each kind under a quota, as of measure_peak; 0: one pass */
    double best[MEASURE_PASSES]; /* byte/s, the greatest so far; 0 before the first window */
};

/* Takes and touches three arrays of `bytes` each, by the threads that will pass over it. The team must outlive
 * it. period_s: of a CPU quota, 0: none. BASE_BROKEN when memory is short. */
int measure_bandwidth_open(struct measure_bandwidth *b, const struct kernel_team *team, size_t bytes, double period_s,
                           struct base_error *e);
/* One pass of each kind, under a quota as many as take measure_quota_window; returns the fastest's byte/s. Allocates
 * nothing. */
double measure_bandwidth_window(struct measure_bandwidth *b);
void measure_bandwidth_close(struct measure_bandwidth *b);

/* How much memory a working set must take so that nothing of it is left in the caches when it comes round again. */
size_t measure_beyond_caches(const struct kernel_caches *caches);

#endif
