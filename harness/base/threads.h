/* SPDX-License-Identifier: Apache-2.0
 *
 * Which CPUs a rank may use, and pinning its OpenMP threads to them, one each. */
#ifndef TOISE_BASE_THREADS_H
#define TOISE_BASE_THREADS_H

#include <stdbool.h>

#include "base/error.h"

enum { BASE_CPUS_MAX = 4096 };

struct base_cpus {
    int count;              /* CPUs in the mask */
    int cpu[BASE_CPUS_MAX]; /* their numbers, ascending */
};

/* The calling thread's affinity mask; where OpenMP was told to place threads (OMP_PROC_BIND), all its places. */
void base_cpus_mask(struct base_cpus *mask);
/* All CPUs that the calling thread could be given, whatever its mask is now: those of its cpuset. */
void base_cpus_usable(struct base_cpus *cpus);
/* CPUs online on this machine. */
int base_cpus_online(void);
/* Share `index` of `count` equal contiguous shares of a mask; at least one CPU each (shares then overlap). */
void base_cpus_share(const struct base_cpus *mask, int index, int count, struct base_cpus *share);
/* Sets the OpenMP thread count to `threads` and pins thread i to cpus->cpu[i], none where cpus is NULL. Returns whether
 * every thread is pinned to a CPU of its own; false, and nothing pinned, when there are more threads than CPUs or the
 * user placed them (OMP_PROC_BIND, GOMP_CPU_AFFINITY or OMP_PLACES set). */
bool base_threads_pin(const struct base_cpus *cpus, int threads);
/* "0-3,8" */
void base_cpus_text(const struct base_cpus *cpus, char *text, int size);

#endif
