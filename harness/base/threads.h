/* SPDX-License-Identifier: Apache-2.0
 *
 * The CPUs that a rank may use, and pinning of its OpenMP threads, one thread on each CPU. */
#ifndef TOISE_BASE_THREADS_H
#define TOISE_BASE_THREADS_H

#include <stdbool.h>

#include "base/error.h"

enum { BASE_CPUS_MAX = 4096 };

struct base_cpus {
    int count;              /* CPUs in the mask */
    int cpu[BASE_CPUS_MAX]; /* their numbers, ascending */
};

/* The calling thread's affinity mask. If OpenMP was told to place threads (OMP_PROC_BIND), all its places. */
void base_cpus_mask(struct base_cpus *mask);
/* All CPUs of the calling thread's cpuset, whatever its mask is now. */
void base_cpus_usable(struct base_cpus *cpus);
/* Lets the calling thread run on these CPUs only, and threads that it starts from now on. Nothing if the user told
 * OpenMP where to run threads. */
void base_cpus_confine(const struct base_cpus *cpus);
/* For a thread that works beside those that compute: it may run on any of these CPUs. It takes what
 * they leave, and a tenth of a CPU otherwise. */
void base_thread_beside(const struct base_cpus *cpus);
/* The CPUs that a thread may run on, by the thread's id. False: no such thread. */
bool base_cpus_of(int id, struct base_cpus *cpus);
/* The one CPU that a thread may run on, by the thread's id; -1: several, or no such thread. */
int base_cpus_only(int id);
/* The number of CPUs online on this machine. */
int base_cpus_online(void);
/* Share `index` of `count` equal, contiguous shares of a mask. Each has at least one CPU, so shares overlap if CPUs are
 * few. */
void base_cpus_share(const struct base_cpus *mask, int index, int count, struct base_cpus *share);
/* Sets the number of OpenMP threads and pins thread i to cpus->cpu[i], or with groups[cpus->count] to all CPUs of that
 * one's group. With cpus NULL it pins none. True: every thread is pinned. False: none is. Either there are more threads
 * than CPUs, or the user placed them (OMP_PROC_BIND, GOMP_CPU_AFFINITY or OMP_PLACES is set). The order of cpus is the
 * caller's. */
bool base_threads_pin(const struct base_cpus *cpus, const int *groups, int threads);
/* Waits until the other threads of this process sleep. Threads of OpenMP and of BLAS libraries spin for a while after
 * work and would disturb each other's samples. False: some still ran after about `most_ms` milliseconds, as with
 * OMP_WAIT_POLICY=active. */
bool base_threads_quiet(int most_ms);
/* "0-3,8" */
void base_cpus_text(const struct base_cpus *cpus, char *text, int size);

#endif
