/* SPDX-License-Identifier: Apache-2.0
 *
 * Which CPUs a rank takes: its affinity mask, shared fairly with the ranks of its node that have the same mask. */
#ifndef TOISE_RUN_PLACEMENT_H
#define TOISE_RUN_PLACEMENT_H

#include "base/threads.h"
#include "comm/comm.h"

struct run_placement {
    struct base_cpus cpus; /* this rank's share */
    int threads;
    bool pinned;            /* every thread has a CPU of its own */
    double cpus_per_thread; /* below 1 when threads, of this rank or of others with its mask, must take turns */
    char warning[256];      /* "" or what is wrong with the placement and the flag that cures it */
};

/* Collective. threads: asked for; 0: one for each CPU of the share. Threads are pinned here. */
void run_place(struct run_placement *placement, struct comm *world, int threads);

#endif
