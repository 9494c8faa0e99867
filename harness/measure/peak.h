/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's peak arithmetic rate. Measured: a register-only loop on all threads of all ranks at once, repeated
 * between timed windows since clocks drift. Nominal: cores x clock x pipes. The measured peak is the greatest sample,
 * an upper bound. A utilisation above 1 is an error, not a result. Under a CPU quota a sample is work over wall time,
 * which the quota sustains. No workload keeps up a burst's rate. */
#ifndef TOISE_MEASURE_PEAK_H
#define TOISE_MEASURE_PEAK_H

#include "base/cgroup.h"
#include "base/topology.h"
#include "comm/comm.h"
#include "kernels.h"

struct measure_peak {
    const struct kernel_team *team;
    kernel_peak_fn *run;    /* the team's peak, or its tile_peak */
    enum kernel_dtype loop; /* dtype of the peak loop: for BF16, BF16's dot or FP32's loop, whichever is faster here */
    double share;           /* CPUs for each thread, at most 1: threads that share a CPU cannot each have its rate */
    int64_t rounds;         /* rounds of one slice, calibrated once */
    double lead_s;   /* under a quota: how long the loop runs before a window, to spend saved-up quota; otherwise 0 */
    double window_s; /* length of a window */
    double own_best; /* this rank's greatest FLOP/s so far; 0 before the first window */
    double best;     /* the same for all ranks together */
};

/* Calibrates the loop on this team, which must outlive the peak. Windows take MEASURE_PEAK_S, or
 * measure_quota_window(period_s) under a quota of that period (0: none). Not collective. */
void measure_peak_open(struct measure_peak *peak, const struct kernel_team *team, enum kernel_dtype dtype, double share,
                       double period_s);
/* The same for the matmul's micro-tile alone, in this dtype as the team's set multiplies it. */
void measure_tile_peak_open(struct measure_peak *peak, const struct kernel_team *team, enum kernel_dtype dtype,
                            double share, double period_s);
/* After a barrier, runs all threads of all ranks at once, each timed by itself. Returns the FLOP/s of all ranks
 * together. Collective; allocates nothing. */
double measure_peak_window(struct measure_peak *peak, struct comm *world);
extern const double MEASURE_PEAK_S;
/* The instruction set that its loop runs on; "unknown" for a table that is not of list.h. */
const char *measure_peak_isa(const struct measure_peak *peak);
/* The peak's name for records: "measured bf16 peak, avx512, 2 threads"; `sustained`: under a CPU quota. All threads of
 * all ranks count. */
void measure_peak_text(enum kernel_dtype dtype, const char *isa, int threads, bool sustained, char *text, int size);

/* The shortest window whose rate a CPU quota of this period sustains: whole periods, at least five, at least 0.1 s. The
 * lead is two periods of the same work before it. They use up saved-up quota, so that each period of the window grants
 * one quota. */
double measure_quota_window(double period_s);
double measure_quota_lead(double period_s);
/* The period of a quota that `threads` busy threads of its group can exhaust. 0: they cannot, or there is no quota. */
double measure_quota_period(const struct base_cgroup_quota *quota, int threads);

/* One node's nominal peak: cores of `cpus` hardware threads x maximum clock x FLOPs per cycle. 0: one of them is not
 * certain. BF16 emulated by *ops has FP32's peak. The clock is that of a single busy core, so a full machine remains
 * below it. */
double measure_peak_nominal(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_dtype dtype,
                            int cpus);
/* FLOPs per cycle of one core (a multiply-add counts as two), by CPUID's vendor, family and model; 0: unknown. */
double measure_peak_flop_per_cycle(const char *vendor, long long family, long long model, const char *name,
                                   enum kernel_dtype dtype);

#endif
