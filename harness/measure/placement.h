/* SPDX-License-Identifier: Apache-2.0
 *
 * Which CPUs a rank takes and with how many threads: the one rule of every command. Its affinity mask is shared fairly
 * with the ranks of its node that have the same mask; quotas, Slurm and OpenMP's variables may grant less. */
#ifndef TOISE_MEASURE_PLACEMENT_H
#define TOISE_MEASURE_PLACEMENT_H

#include "base/threads.h"
#include "comm/comm.h"
#include "measure/grants.h"

struct measure_placement {
    struct base_cpus cpus; /* this rank's share of the mask */
    int threads;
    const char *threads_from; /* what bound their number: "--threads", "affinity mask", "OMP_NUM_THREADS", ... */
    bool loose;               /* others have a part of cpus, and which is unknown: threads are not to be pinned */
    bool overlaps;            /* more ranks than CPUs in their mask */
    bool pinned;              /* every thread has a CPU of its own */
    double cpus_per_thread;   /* below 1 when threads, of this rank or of others with its mask, must take turns */
    char warning[256];        /* "" or what is wrong with the placement and the flag that cures it */
};

/* Collective. threads: asked for; 0: the least that anything grants (measure/grants.h). Nothing is pinned yet.
 * BASE_USAGE, on all ranks, for variables that say nonsense. */
int measure_place(struct measure_placement *placement, struct comm *world, int threads, struct base_error *e);
/* The rule itself, of this rank's mask and grants; tests bring their own. Collective; *placement holds zeros, or a
 * warning that stands. */
void measure_place_by(struct measure_placement *placement, struct comm *world, int threads,
                      const struct base_cpus *mask, const struct measure_grants *grants);
/* Sets OpenMP's number of threads and pins them. */
void measure_place_pin(struct measure_placement *placement);

#endif
