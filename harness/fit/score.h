/* SPDX-License-Identifier: Apache-2.0
 *
 * How well predictions met what was published. Errors are of predicted over published time, less one. */
#ifndef TOISE_FIT_SCORE_H
#define TOISE_FIT_SCORE_H

#include "fit/fit.h"
#include "fit/interval.h"

struct fit_prediction {
    double step_s, low_s, high_s; /* NAN: none; low_s, high_s: the 90% interval */
};

struct fit_score {
    int n;
    double mean, median, max; /* of |error| */
    double bias;              /* mean error */
    double coverage;          /* share inside the interval */
    double half_width;        /* median of (high - low) / 2 predicted */
    double interval_score; /* mean, relative to published: width + 20 x what lies outside (Gneiting and Raftery 2007) */
};

/* Of the rows of weight > 0 that `take` takes (NULL: all). */
struct fit_score fit_score(const struct fit_runs *runs, const struct fit_row *rows,
                           const struct fit_prediction *predictions,
                           bool (*take)(const struct fit_run *run, const void *context), const void *context);

/* Which part of the runs a row belongs to, when parts are left out of the fit in turn. */
enum fit_split { FIT_SPLIT_SOURCE, FIT_SPLIT_TENTH };

/* Predicts each row by parameters fitted on the rows of other parts, from `start`; tenths are drawn with a fixed seed.
 * step_s: [runs->count], NAN where the weight is 0. */
int fit_leave_out(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                  const struct cost_ablation *ablation, const struct cost_parameters *start, double *step_s,
                  struct base_error *e);

/* Intervals around those predictions by the residuals of the other parts' rows alone: fold and source are what both
 * splits predicted, `split` is the one whose parts are left out, whose steps the predictions are. */
int fit_leave_out_intervals(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                            const double *fold, const double *source, struct fit_prediction *predictions,
                            struct base_error *e);

/* The rival that knows no model: one rate of model FLOP/s for each device class, the weighted median of the other
 * parts' rows; a class without rows gets the median share of peak of the others. */
int fit_naive(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split, double *step_s,
              struct base_error *e);
/* Its rates by all rows: shares of peak by class; NAN where there are no rows at all. */
int fit_naive_shares(const struct fit_row *rows, int count, double shares[MACHINE_CLASSES], struct base_error *e);
double fit_naive_step(const struct cost_job *job, const double shares[MACHINE_CLASSES]);

#endif
