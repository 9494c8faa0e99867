/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's memory bandwidth. All threads measure it on arrays far larger than the caches, and again between timed
 * windows. As in STREAM (McCalpin 1995), a pass counts the bytes it must move, each element once in and once out. So
 * the roof is what passes reach, not the theoretical DRAM bandwidth. */
#ifndef TOISE_MEASURE_BANDWIDTH_H
#define TOISE_MEASURE_BANDWIDTH_H

#include "base/arena.h"
#include "kernels.h"

enum measure_pass {
    MEASURE_COPY,   /* 8 bytes for each element: one array read, one written */
    MEASURE_TRIAD,  /* 12: two read, one written */
    MEASURE_READ,   /* 4: sum of squares; on some machines reading alone is the fastest */
    MEASURE_UPDATE, /* 28: AdamW, four read and three written; on others so many streams are the fastest */
    MEASURE_PASSES
};

/* Each of the three arrays has this many parts. Passes take one part after the other, so that a window is short even if
 * caches are large. */
enum { MEASURE_PARTS = 8 };

struct measure_bandwidth {
    const struct kernel_team *team;
    int64_t n;    /* elements of one array in one part */
    double bytes; /* of all passes of a window, if there is one of each kind */
    struct base_arena arenas[MEASURE_PARTS * 3];
    int part;                    /* the part in use */
    double lead_s, window_s;     /* for each kind under a quota, as in measure_peak; 0: one pass */
    double best[MEASURE_PASSES]; /* greatest byte/s so far; 0 before the first window */
    enum measure_pass fastest;   /* of the last window */
};

/* Allocates three arrays of `bytes` each; the threads that will pass over them touch them first. The team must outlive
 * *b. period_s: of a CPU quota; 0: none. BASE_BROKEN: too little memory. */
int measure_bandwidth_open(struct measure_bandwidth *b, const struct kernel_team *team, size_t bytes, double period_s,
                           struct base_error *e);
/* Runs one pass of each kind; under a quota, passes for measure_quota_window. Returns the fastest kind's byte/s.
 * Allocates nothing. */
double measure_bandwidth_window(struct measure_bandwidth *b);
/* One pass over the next part, and the bytes that it moves. */
void measure_bandwidth_pass(struct measure_bandwidth *b, enum measure_pass kind);
double measure_bandwidth_pass_bytes(const struct measure_bandwidth *b, enum measure_pass kind);
void measure_bandwidth_close(struct measure_bandwidth *b);

/* The bandwidth's name for records: "measured triad bandwidth beyond the caches, 2 threads"; `sustained`: under a CPU
 * quota. */
void measure_bandwidth_text(enum measure_pass pass, int threads, bool sustained, char *text, int size);
const char *measure_pass_name(enum measure_pass pass);

/* Bytes of a working set that leaves the caches before it is used again. */
size_t measure_beyond_caches(const struct kernel_caches *caches);

#endif
