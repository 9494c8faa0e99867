/* SPDX-License-Identifier: Apache-2.0
 *
 * How wrong a projection may be: quantiles of log(predicted / published) over runs whose prediction did not use them,
 * by class (device, framework, fabric). Asymmetric on purpose: runs are slower than predicted more often than faster.
 */
#ifndef TOISE_FIT_INTERVAL_H
#define TOISE_FIT_INTERVAL_H

#include "costmodel/job.h"

enum { FIT_CLASSES = 64 };

struct fit_class {
    const struct machine_class *device;
    enum cost_framework framework;
    enum cost_fabric fabric;
    int runs;
    double low, high;    /* 5% and 95% quantiles of the logarithm */
    double accelerators; /* of the largest run */
};

struct fit_intervals {
    struct fit_class class[FIT_CLASSES];
    int count;
    double unseen_low, unseen_high; /* for a class that no run belongs to: of runs whose source was left out */
};

/* One run's residuals, log(predicted / published): with its tenth left out of the fit, with its source left out. */
struct fit_residual {
    const struct cost_job *job;
    double fold, source;
};

/* Small classes are drawn to all runs' quantiles, as if 12 runs of that kind were in each. BASE_BROKEN: out of memory,
 * or more than FIT_CLASSES classes. */
int fit_intervals_fill(const struct fit_residual *residuals, int count, struct fit_intervals *intervals,
                       struct base_error *e);

/* The 90% interval of a job priced at step_s; where no run of its class was as large, both sides are wider by a quarter
 * for every doubling. Returns the runs of its class; 0: none. */
int fit_interval(const struct fit_intervals *intervals, const struct cost_job *job, double step_s, double *low_s,
                 double *high_s);

/* Whether runs of the job's class were as large: else it is extrapolated, and nobody has seen how often its interval
 * holds. */
bool fit_interpolates(const struct fit_intervals *intervals, const struct cost_job *job);

#endif
