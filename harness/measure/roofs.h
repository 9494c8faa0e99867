/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's roofs as rows: the peak of each instruction set and dtype, and copy, triad and read within each cache
 * and beyond them, on one to all threads. roofs.c chooses rows, CPUs and sizes, and says why a row is skipped.
 * roofs_run.c measures them: each rate is of all its threads at once, never a sum of separate runs. roofs_record.c
 * writes the record. */
#ifndef TOISE_MEASURE_ROOFS_H
#define TOISE_MEASURE_ROOFS_H

#include "base/topology.h"
#include "measure/bandwidth.h"
#include "measure/record.h"

enum measure_roof_kind { MEASURE_ROOF_PEAK, MEASURE_ROOF_CACHE, MEASURE_ROOF_MEMORY };
enum { MEASURE_ROOF_PASSES = MEASURE_READ + 1 }; /* copy, triad, read */

struct measure_roof {
    enum measure_roof_kind kind;
    int place, threads;      /* runs on the first `threads` CPUs of roofs->places[place] */
    enum kernel_isa isa;     /* whose loop runs; of memory, whose copy and triad */
    enum kernel_dtype dtype; /* peak */
    enum measure_pass pass;  /* cache, memory; MEASURE_PASSES: of all, in a row that is skipped */
    int level;               /* cache: 1 to 3 */
    int memory;              /* memory: the place whose nodes hold the arrays */
    double bytes;            /* cache: a thread's working set; memory: one of three arrays */
    char skipped[200];       /* why it was not measured; "": it was, and the rest holds */
    char note[200];          /* what a reader of the rate should know; "": nothing */
    struct measure_timed timed;
    double work;            /* FLOP or bytes of one call, over all threads */
    bool pinned, sustained; /* sustained: under a CPU quota */
    enum record_status status;
    char why[160];
};

/* CPUs in the order in which threads take them: first one of each core, the fastest kind first, spread over the last
 * caches. */
struct measure_roof_place {
    int node; /* the system's number of the NUMA node; -1: all nodes */
    int count;
    struct base_cpu *cpus;
};

struct measure_roofs {
    struct measure_roof *rows;
    int count, capacity;
    struct measure_roof_place *places; /* 0: all CPUs; then each NUMA node, if there are several */
    int place_count;
    bool pinned; /* threads can be pinned */
    int stopped; /* the signal that ended the measurement early; 0: none */
};

struct measure_roofs_limits {
    int threads;         /* the most */
    bool pinned;         /* whether threads can be pinned; only then do they belong to a NUMA node */
    enum kernel_isa cap; /* the highest instruction set; of those within it, the ones that cannot run are skipped */
    double memory;       /* free bytes of which half may be used; negative: unknown */
    double node_memory;  /* free bytes of the NUMA node with the least; negative: unknown */
};

/* Chooses the rows for these CPUs. measure_roofs_close frees them, also after an error. */
int measure_roofs_choose(struct measure_roofs *roofs, const struct base_cpu *cpus, int count,
                         const struct measure_roofs_limits *limits, struct base_error *e);
void measure_roofs_close(struct measure_roofs *roofs);
/* A thread's working set within a cache level, for the first `threads` CPUs of a place: half of a thread's share of L1,
 * and of others the geometric mean of the shares of this level and the one below. 0 with the reason in why[200]: this
 * level's share is not twice that of the one below. */
double measure_roofs_working_set(const struct measure_roof_place *place, int level, int threads, char *why);
/* The row's name: "measured L2 read bandwidth, 2 threads". */
void measure_roof_text(const struct measure_roofs *roofs, const struct measure_roof *row, char *text, int size);

struct measure_roofs_options {
    double seconds; /* for each row; under a CPU quota at least three windows */
    double ci;      /* the widest relative half-width of an interval that is not inconclusive */
    void (*on_row)(void *context, int row, const char *name); /* before each; NULL: none */
    void *context;
};
/* Measures all rows that are not skipped. A row that does not fit into memory becomes one that is skipped, and so do
 * those left once the process was told to stop (guard/stop.h). */
int measure_roofs_run(struct measure_roofs *roofs, const struct measure_roofs_options *options, struct base_error *e);
/* Adds notes to caches whose read is not faster than the next level's, as a virtual machine may report too much. */
void measure_roofs_cross_check(struct measure_roofs *roofs);

/* Whether the row has a rate. */
static inline bool measure_roof_timed(const struct measure_roof *row) {
    return !row->skipped[0] && row->status != RECORD_FAILED;
}
/* The record of kind "roofs". */
json_t *measure_roofs_record(const struct measure_roofs *roofs, const struct measure_roofs_options *options,
                             const struct base_topology *topology, const struct measure_origin *origin);

#endif
