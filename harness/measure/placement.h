/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the CPUs and the number of threads of a rank, for all commands. Ranks of a node with the same affinity mask
 * divide its cores equally. Each core gets one thread: its other hardware threads stay idle unless more threads are
 * asked for. Quotas, Slurm and OpenMP's variables may grant less. */
#ifndef TOISE_MEASURE_PLACEMENT_H
#define TOISE_MEASURE_PLACEMENT_H

#include "base/topology.h"
#include "comm/comm.h"
#include "measure/grants.h"

/* Where a thread may run: on one core, anywhere in its core's NUMA node, or on all CPUs of its rank. */
enum measure_bind { MEASURE_BIND_CORE, MEASURE_BIND_NUMA, MEASURE_BIND_NONE };
/* "core", "numa", "none"; NULL: no such. */
const char *measure_bind_name(int bind);

/* Other programs whose threads run pinned to a core of this rank's threads (rivals.h). */
enum { MEASURE_RIVALS = 8 };
struct measure_rivals {
    int count;
    struct measure_rival {
        int process, cpu;
        char name[16];
    } at[MEASURE_RIVALS];
};

struct measure_placement {
    struct base_cpus cpus;    /* this rank's share of the mask */
    struct base_cpus turns;   /* they in the order in which threads take them: first one of each core */
    int nodes[BASE_CPUS_MAX]; /* NUMA node of each of `turns` */
    int cores;                /* that they are of */
    int threads;
    enum measure_bind bind;
    const char *threads_from; /* what set their number: "--threads", "affinity mask", "OMP_NUM_THREADS", ... */
    bool loose;               /* other ranks use an unknown part of cpus, so threads are not pinned */
    bool overlaps;            /* the mask has fewer CPUs than ranks */
    bool pinned;              /* every thread is pinned: to its own CPU, or its NUMA node */
    double cpus_per_thread;   /* below 1 if threads, of this rank or of others with its mask, share CPUs */
    struct measure_rivals rivals;
    char warning[256]; /* "", or what is wrong with the placement and the flag that cures it */
};

/* Chooses CPUs and threads; pins nothing yet. Collective. threads: as asked; 0: the smallest grant (measure/grants.h).
 * BASE_USAGE on all ranks: a variable has an invalid value. */
int measure_place(struct measure_placement *placement, struct comm *world, int threads, struct base_error *e);
/* The same for given CPUs and grants, which tests supply. Collective. *placement holds zeros, or a warning, which is
 * kept. */
void measure_place_by(struct measure_placement *placement, struct comm *world, int threads, const struct base_cpu *cpus,
                      int count, const struct measure_grants *grants);
/* Sets OpenMP's number of threads and pins them. */
void measure_place_pin(struct measure_placement *placement, enum measure_bind bind);

#endif
