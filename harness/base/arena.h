/* SPDX-License-Identifier: Apache-2.0
 *
 * One arena per kind of memory: reserved once before the first step, bound to the calling rank's NUMA nodes
 * (libnuma), first touched by the threads that will use it, then carved; nothing is freed piecewise. */
#ifndef TOISE_BASE_ARENA_H
#define TOISE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct base_arena {
    char *base;
    size_t size, used;
    bool bound; /* memory was bound to NUMA nodes; false where the kernel has no NUMA or refused */
};

enum { BASE_ALIGN = 64 };

/* What a piece of `bytes` takes in an arena: rounded up to BASE_ALIGN. The planner adds these up. */
size_t base_arena_piece(size_t bytes);
/* Reserves `size` bytes (zeroed), binds them to the NUMA nodes that its `threads` OpenMP threads may run on,
 * asks for huge pages, and touches them with those threads in contiguous shares. BASE_BROKEN when the machine
 * has too little. size 0 is fine. */
int base_arena_open(struct base_arena *arena, size_t size, int threads, struct base_error *e);
/* A piece, 64-byte aligned; NULL when it does not fit, which is a bug of the plan. */
void *base_arena_take(struct base_arena *arena, size_t bytes);
void base_arena_close(struct base_arena *arena);

/* This process's resident set in bytes: now, and at its peak (VmRSS, VmHWM of /proc/self/status); -1 unknown. */
long long base_memory_resident(void);
long long base_memory_peak(void);
/* Starts the peak anew (/proc/self/clear_refs); false where the kernel does not allow it. */
bool base_memory_peak_reset(void);
/* Memory that a new process may take on this machine: MemAvailable, capped by cgroup v1/v2 limits; -1 unknown. */
long long base_memory_available(void);

#endif
