/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters from runs: the most probable ones given their priors and the published times. */
#ifndef TOISE_PROJECT_FIT_H
#define TOISE_PROJECT_FIT_H

#include "project/published.h"
#include "project/step.h"

struct project_fit_row {
    const struct project_job *job;
    double measured_s;
    double weight; /* 0: the row is left out */
};

/* Weighs usable runs of tiers 1 and 2: a source of n rows counts n^0.65, tier 1 half as much again. rows:
 * [runs->count]. `without`: a source whose rows get weight 0; NULL: none. */
void project_fit_weigh(const struct project_runs *runs, const char *without, struct project_fit_row *rows);
/* The same weights for rows of which some were left out (weight 0). */
void project_fit_weights(const struct project_runs *runs, struct project_fit_row *rows);

/* Minimises, over the logarithms x of the parameters,
 *     sum_i weight_i H(log(predicted_i / measured_i)) / 0.08^2 + sum_j ((x_j - prior_j) / sd_j)^2 / 2,
 * H being Huber's loss with its corner at 0.05 (Huber 1964), by Levenberg-Marquardt on reweighted squares. *p is where
 * it starts; it becomes the optimum, with the standard deviations that are left. *cost: of the optimum; may be NULL.
 * BASE_BROKEN: out of memory, or no step can be solved for. */
int project_fit(const struct project_fit_row *rows, int count, const struct project_ablation *ablation,
                struct project_parameters *p, double *cost, struct base_error *e);

#endif
