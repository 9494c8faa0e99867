/* SPDX-License-Identifier: Apache-2.0
 *
 * What else went on while a window was timed, on this rank's CPUs: read before and after, subtracted, and put
 * beside the sample. It marks samples and never deletes one. Reading allocates nothing and opens no file. */
#ifndef TOISE_MEASURE_INTERFERENCE_H
#define TOISE_MEASURE_INTERFERENCE_H

#include <stddef.h>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/threads.h"

/* Totals so far, or the difference of two. What cannot be read stays 0. CPU times have a grain of 10 ms a CPU. */
struct measure_interference {
    double steal_s; /* that the hypervisor gave to others */
    double busy_s;  /* of the CPUs, by whomever */
    double own_s;   /* CPU time of this process */
    double other_s; /* difference only: busy_s - own_s, not below 0 */
    long long voluntary_switches, involuntary_switches, minor_faults, major_faults;
    long long numa_misses; /* pages that the machine placed on another node than wanted */
    /* of the control group and all above it, which others may share: periods in which a CPU quota stopped it before
     * their end, and for how long, added up over CPUs */
    long long throttled_periods;
    double throttled_s;
    double hz; /* of the first CPU at the time; a difference holds the lower one */
};

enum { MEASURE_GROUPS = 16 }; /* levels of control groups: more than anybody nests */

struct measure_watch {
    int stat, vmstat, clock;           /* file descriptors; -1 unreadable */
    int group[MEASURE_GROUPS], groups; /* of cpu.stat of this process's control group and those above it */
    struct base_cgroup_quota quota;    /* the tightest of theirs */
    double tick_s;
    struct base_cpus cpus;
    char *buffer;
    size_t size;
};

enum measure_mark {
    MEASURE_MARK_STEAL = 1,     /* over 1% of the CPU time was stolen */
    MEASURE_MARK_LOAD = 2,      /* others took over 2% of it */
    MEASURE_MARK_FAULTS = 4,    /* a page came from disk */
    MEASURE_MARK_NUMA = 8,      /* a page went to the wrong node */
    MEASURE_MARK_THROTTLED = 16 /* a CPU quota stopped the process */
};

int measure_watch_open(struct measure_watch *watch, const struct base_cpus *cpus, struct base_error *e);
void measure_watch_read(const struct measure_watch *watch, struct measure_interference *now);
void measure_watch_close(struct measure_watch *watch);

struct measure_interference measure_interference_difference(const struct measure_interference *after,
                                                            const struct measure_interference *before);
/* Adds a difference to a sum of them. */
void measure_interference_add(struct measure_interference *sum, const struct measure_interference *difference);
/* Marks of a difference over a window of `seconds` on `cpus` CPUs. Shares smaller than the grain of the kernel's
 * clock over the window are not told from 0. */
unsigned measure_interference_marks(const struct measure_interference *difference, double seconds, int cpus);
/* Adds what cpu.stat of one control group tells: v2's throttled_usec, v1's throttled_time in nanoseconds. */
void measure_interference_parse_group(const char *stat, struct measure_interference *now);
/* Adds up the steal and the busy time of `cpus` in the text of /proc/stat. */
void measure_interference_parse(const char *stat, const struct base_cpus *cpus, double tick_s,
                                struct measure_interference *now);

#endif
