/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast this machine multiplies and adds at most: measured, by a register-only loop on all threads of all
 * ranks at once, again between timed windows since clocks drift; and nominal, by cores, clock and pipes.
 * The measured peak is the greatest sample, an upper bound: a utilisation above 1 is an error, not a result. Under a
 * CPU quota a sample is what the quota sustains, work over wall time: no work keeps the rate of a burst. */
#ifndef TOISE_MEASURE_PEAK_H
#define TOISE_MEASURE_PEAK_H

#include "base/cgroup.h"
#include "base/topology.h"
#include "comm/comm.h"
#include "kernels.h"

struct measure_peak {
    const struct kernel_team *team;
    enum kernel_dtype loop; /* of kernel_peak: for BF16 the dot's or FP32's, whichever is faster here */
    double share;    /* CPUs for each thread, at most 1: threads that take turns on a CPU do not each have its rate */
    int64_t rounds;  /* of a slice of a window, calibrated once */
    double lead_s;   /* under a quota: how long the loop runs before a window, to spend what was saved up; else 0 */
    double window_s; /* how long a window is */
    double own_best; /* FLOP/s of this rank, the greatest so far; 0 before the first window */
    double best;     /* of all ranks together */
};

/* Calibrates the loop on this team, which must outlive the peak: for MEASURE_PEAK_S, and under a quota of `period_s`
 * (0: none) for measure_quota_window(period_s). Not collective. */
void measure_peak_open(struct measure_peak *peak, const struct kernel_team *team, enum kernel_dtype dtype, double share,
                       double period_s);
/* After a barrier all threads of all ranks run at once, each over its own time; returns the FLOP/s of all ranks
 * together, for the caller to keep. Collective; allocates nothing. */
double measure_peak_window(struct measure_peak *peak, struct comm *world);
extern const double MEASURE_PEAK_S;

/* The shortest time whose rate a CPU quota of this period lets last: whole periods, five at least, and 0.1 s. Two
 * periods of the same work before it leave nothing saved up, so that each period of the window grants one quota. */
double measure_quota_window(double period_s);
double measure_quota_lead(double period_s);
/* The period of a quota that so many busy threads of its group can exhaust; 0 where they cannot, or there is none. */
double measure_quota_period(const struct base_cgroup_quota *quota, int threads);

/* One node's: cores of `cpus` hardware threads x greatest clock x FLOPs per cycle; 0 where one of them is not known
 * for certain. BF16 that *ops emulates has FP32's. The clock is that of a lone core: a full machine stays below. */
double measure_peak_nominal(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_dtype dtype,
                            int cpus);
/* FLOPs per cycle of one core (multiply and add are two), by CPUID's vendor, family and model; 0 unknown. */
double measure_peak_flop_per_cycle(const char *vendor, long long family, long long model, const char *name,
                                   enum kernel_dtype dtype);

#endif
