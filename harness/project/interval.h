/* SPDX-License-Identifier: Apache-2.0
 *
 * How wrong a projection may be: quantiles of log(predicted / published) over runs whose prediction did not use them,
 * by class (device, framework, fabric). Asymmetric on purpose: runs are slower than predicted more often than faster.
 */
#ifndef TOISE_PROJECT_INTERVAL_H
#define TOISE_PROJECT_INTERVAL_H

#include "project/job.h"

enum { PROJECT_CLASSES = 64 };

struct project_class {
    enum project_device device;
    enum project_era era;
    enum project_fabric fabric;
    int runs;
    double low, high;    /* 5% and 95% quantiles of the logarithm */
    double accelerators; /* of the largest run */
};

struct project_intervals {
    struct project_class class[PROJECT_CLASSES];
    int count;
    double unseen_low, unseen_high; /* for a class that no run belongs to: of runs whose source was left out */
};

/* One run's residuals, log(predicted / published): with its tenth left out of the fit, with its source left out. */
struct project_residual {
    const struct project_job *job;
    double fold, source;
};

/* Small classes are drawn to all runs' quantiles, as if 12 runs of that kind were in each. BASE_BROKEN: out of memory,
 * or more than PROJECT_CLASSES classes. */
int project_intervals_fill(const struct project_residual *residuals, int count, struct project_intervals *intervals,
                           struct base_error *e);

/* The 90% interval of a job priced at step_s; where no run of its class was as large, both sides are wider by a quarter
 * for every doubling. Returns the runs of its class; 0: none. */
int project_interval(const struct project_intervals *intervals, const struct project_job *job, double step_s,
                     double *low_s, double *high_s);

/* Whether runs of the job's class were as large: else it is extrapolated, and nobody has seen how often its interval
 * holds. */
bool project_interpolates(const struct project_intervals *intervals, const struct project_job *job);

/* Quantile q of n values, linear between order statistics, sorts x; n >= 1. Type 6 of Hyndman and Fan 1996, since the
 * next value is below the k-th of n with a chance of k / (n + 1); beyond the first and the last it is these. */
double project_quantile(double *x, int n, double q);

#endif
