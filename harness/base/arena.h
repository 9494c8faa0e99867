/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory arenas, one for each kind of data. An arena is reserved once, before the first step. It is bound to the rank's
 * NUMA nodes and first touched by the threads that will use it. Pieces are taken from it and never freed one by one. */
#ifndef TOISE_BASE_ARENA_H
#define TOISE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"

struct base_arena {
    char *base;
    size_t size, used;
    bool bound; /* memory is bound to NUMA nodes; false if the kernel has no NUMA or refused */
};

enum { BASE_ALIGN = 64 };

/* Bytes that a piece occupies: `bytes` rounded up to BASE_ALIGN. The planner adds these up. */
size_t base_arena_piece(size_t bytes);
/* Reserves `size` zeroed bytes and asks for huge pages. Binds them to the NUMA nodes that `threads` OpenMP threads may
 * run on. Each thread touches one contiguous share first. size may be 0. BASE_BROKEN: the machine has too little
 * memory. */
int base_arena_open(struct base_arena *arena, size_t size, int threads, struct base_error *e);
/* Takes a 64-byte aligned piece. NULL if it does not fit, which is a bug in the plan. */
void *base_arena_take(struct base_arena *arena, size_t bytes);
void base_arena_close(struct base_arena *arena);
/* The share of the arenas' touched pages that lie on the NUMA nodes of these CPUs. The kernel is asked for some 4,096
 * pages, spread over them. NAN: it does not say. */
double base_arenas_near(const struct base_arena *arenas, int count, const struct base_cpus *cpus);
/* The share of the arenas' bytes that lie in huge pages (AnonHugePages of /proc/self/smaps). NAN: the kernel does not
 * say. `why` has `size` bytes: why there are none or nobody knows; "": some are. */
double base_arenas_huge(const struct base_arena *arenas, int count, char *why, int size);
/* Bytes of a huge page, at whose multiples arenas start. */
enum { BASE_HUGE_PAGE = 2 << 20 };

/* This process's resident bytes: now, and at the peak (VmRSS and VmHWM of /proc/self/status). -1: unknown. */
long long base_memory_resident(void);
long long base_memory_peak(void);
/* Resets the peak (/proc/self/clear_refs). False: the kernel does not allow it. */
bool base_memory_peak_reset(void);
/* Bytes that a new process may take on this machine: MemAvailable, capped by cgroup v1/v2 limits. -1: unknown. */
long long base_memory_available(void);

#endif
