/* SPDX-License-Identifier: Apache-2.0
 *
 * Prediction intervals: quantiles of log(predicted / published) by class (device, framework, fabric, kind). Each run
 * was predicted by a fit that did not use it. Intervals are asymmetric: in most classes the tail of runs slower than
 * predicted is the longer one. */
#ifndef TOISE_FIT_INTERVAL_H
#define TOISE_FIT_INTERVAL_H

#include "costmodel/job.h"

enum { FIT_CLASSES = 64 };

struct fit_class {
    const struct machine_class *device;
    enum cost_framework framework;
    enum cost_fabric fabric;
    enum cost_kind kind;
    int runs;
    double low, high;    /* 5% and 95% quantiles of the logarithm */
    double accelerators; /* of the largest run */
};

struct fit_intervals {
    struct fit_class class[FIT_CLASSES];
    int count;
    /* For a class without runs: quantiles over runs of the kind with their source left out, no nearer than those with
     * their fold left out. A kind of few runs takes the widest of all kinds. */
    double unseen_low[COST_KINDS], unseen_high[COST_KINDS];
};

/* One run's residuals, log(predicted / published). fold: fitted without the run's fold (10-fold cross-validation);
 * source: without its source. */
struct fit_residual {
    const struct cost_job *job;
    double fold, source;
};

/* A class's quantiles are shrunk towards those of all runs, as if it had 12 more runs. BASE_BROKEN: out of memory, or
 * more than FIT_CLASSES classes. */
int fit_intervals_fill(const struct fit_residual *residuals, int count, struct fit_intervals *intervals,
                       struct base_error *e);

/* The 90% interval of a job priced at step_s. Beyond the largest run of its class, both sides widen by a quarter for
 * every doubling. Returns the number of runs of its class. */
int fit_interval(const struct fit_intervals *intervals, const struct cost_job *job, double step_s, double *low_s,
                 double *high_s);

/* Whether some run of the job's class was as large. Else the job is extrapolated, and its interval's coverage is
 * unknown. */
bool fit_interpolates(const struct fit_intervals *intervals, const struct cost_job *job);

#endif
