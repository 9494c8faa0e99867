/* SPDX-License-Identifier: Apache-2.0
 *
 * What else happened on this rank's CPUs while a window was timed. Counters are read before and after, and subtracted.
 * Interference marks a sample and never deletes it. Reading allocates nothing and opens no file. */
#ifndef TOISE_MEASURE_INTERFERENCE_H
#define TOISE_MEASURE_INTERFERENCE_H

#include <stddef.h>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/threads.h"

/* Totals so far, or a difference of two. What cannot be read is 0. CPU times have a grain of 10 ms on each CPU. */
struct measure_interference {
    double steal_s; /* given to others by the hypervisor */
    double busy_s;  /* of these CPUs, by any process */
    double own_s;   /* CPU time of this process */
    double other_s; /* difference only: busy_s - own_s, not below 0 */
    long long voluntary_switches, involuntary_switches, minor_faults, major_faults;
    long long numa_misses; /* pages placed on another node than the one wanted */
    /* of the cgroup and its ancestors, which other processes may share: periods cut short by a CPU quota, and the time
     * lost, summed over CPUs */
    long long throttled_periods;
    double throttled_s;
    double hz; /* clock of the first CPU; in a difference the lower of both */
};

enum { MEASURE_GROUPS = 16 }; /* nested cgroups that are watched; more than anyone nests */

struct measure_watch {
    int stat, vmstat, clock;           /* file descriptors; -1: unreadable */
    int group[MEASURE_GROUPS], groups; /* descriptors of cpu.stat of this process's cgroup and its ancestors */
    struct base_cgroup_quota quota;    /* the tightest quota among them */
    double tick_s;
    struct base_cpus cpus;
    char *buffer;
    size_t size;
};

enum measure_mark {
    MEASURE_MARK_STEAL = 1,     /* the hypervisor took over 1% of the CPU time */
    MEASURE_MARK_LOAD = 2,      /* other processes took over 2% of the CPU time */
    MEASURE_MARK_FAULTS = 4,    /* a page was read from disk */
    MEASURE_MARK_NUMA = 8,      /* a page was placed on the wrong node */
    MEASURE_MARK_THROTTLED = 16 /* a CPU quota stopped the process */
};

int measure_watch_open(struct measure_watch *watch, const struct base_cpus *cpus, struct base_error *e);
void measure_watch_read(const struct measure_watch *watch, struct measure_interference *now);
void measure_watch_close(struct measure_watch *watch);

struct measure_interference measure_interference_difference(const struct measure_interference *after,
                                                            const struct measure_interference *before);
/* Adds a difference to a sum of differences. */
void measure_interference_add(struct measure_interference *sum, const struct measure_interference *difference);
/* The marks of a difference over a window of `seconds` on `cpus` CPUs. Times below the kernel clock's grain count as
 * 0. */
unsigned measure_interference_marks(const struct measure_interference *difference, double seconds, int cpus);
/* Adds one cgroup's cpu.stat to *now: throttled_usec in v2, throttled_time (nanoseconds) in v1. */
void measure_interference_parse_group(const char *stat, struct measure_interference *now);
/* Sums steal and busy time of `cpus` from the text of /proc/stat. */
void measure_interference_parse(const char *stat, const struct base_cpus *cpus, double tick_s,
                                struct measure_interference *now);

#endif
