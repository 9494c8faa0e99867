/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores predictions against published times. An error is predicted / published - 1. */
#ifndef TOISE_FIT_SCORE_H
#define TOISE_FIT_SCORE_H

#include "fit/fit.h"
#include "fit/interval.h"

struct fit_prediction {
    double step_s, low_s, high_s; /* low_s, high_s: the 90% interval; NAN: none */
};

struct fit_score {
    int n;
    double mean, median, max; /* of |error| */
    double bias;              /* mean error */
    double coverage;          /* share inside the interval */
    double half_width;        /* median of (high - low) / 2 predicted */
    double interval_score; /* mean of width + 20 x the distance outside, over published (Gneiting and Raftery 2007) */
};

/* Scores the rows of weight > 0 for which `take` is true (NULL: all). */
struct fit_score fit_score(const struct fit_runs *runs, const struct fit_row *rows,
                           const struct fit_prediction *predictions,
                           bool (*take)(const struct fit_run *run, const void *context), const void *context);

/* How runs are split into parts, each of which is left out of one fit. */
enum fit_split {
    FIT_SPLIT_SOURCE, /* releases that patch one another are one source */
    FIT_SPLIT_TENTH,
    FIT_SPLIT_DEVICE, /* by the accelerator's name */
    FIT_SPLIT_LATER   /* one part: runs of software of 2026-04 on; the others are not predicted */
};

/* Predicts each row by parameters fitted on the other parts' rows, starting at `start`. Tenths are the folds of 10-fold
 * cross-validation, drawn with a fixed seed. step_s: [runs->count]; NAN for weight 0. */
int fit_leave_out(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                  const struct cost_ablation *ablation, const struct cost_parameters *start, double *step_s,
                  struct base_error *e);

/* Puts intervals around those predictions, from the residuals of the other parts' rows only. fold and source are the
 * predictions of both splits. `split` chooses whose parts are left out, and whose steps are the predictions. */
int fit_leave_out_intervals(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                            const double *fold, const double *source, struct fit_prediction *predictions,
                            struct base_error *e);

/* The baseline without a cost model: one rate of model FLOP/s per device class at 16 bits and one below, the weighted
 * median over the other parts' rows. One without rows gets the median share of the peak of the others. */
enum { FIT_RATES = 2 * MACHINE_CLASSES };
int fit_naive_rate(const struct machine_class *class, bool low); /* its index */
int fit_naive(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split, double *step_s,
              struct base_error *e);
/* Its rates from all rows, as shares of the peak by class. NAN: there are no rows at all. */
int fit_naive_shares(const struct fit_row *rows, int count, double shares[FIT_RATES], struct base_error *e);
double fit_naive_step(const struct cost_job *job, const double shares[FIT_RATES]);

#endif
