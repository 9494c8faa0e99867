/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters from runs: the most probable ones given their priors and the published times. */
#ifndef TOISE_FIT_FIT_H
#define TOISE_FIT_FIT_H

#include "costmodel/step.h"
#include "fit/published.h"

struct fit_row {
    const struct cost_job *job;
    double measured_s;
    double weight; /* 0: the row is left out */
};

/* Weighs usable runs of tiers 1 and 2: a source of n rows counts n^0.65, tier 1 half as much again. rows:
 * [runs->count]. `without`: a source whose rows get weight 0; NULL: none. */
void fit_weigh(const struct fit_runs *runs, const char *without, struct fit_row *rows);
/* The same weights for rows of which some were left out (weight 0). */
void fit_weights(const struct fit_runs *runs, struct fit_row *rows);

/* Minimises, over the logarithms x of the parameters,
 *     sum_i weight_i H(log(predicted_i / measured_i)) / 0.08^2 + sum_j ((x_j - prior_j) / sd_j)^2 / 2,
 * H being Huber's loss with its corner at 0.05 (Huber 1964), by Levenberg-Marquardt on reweighted squares. *p is where
 * it starts; it becomes the optimum, with the standard deviations that are left. *cost: of the optimum; may be NULL.
 * BASE_BROKEN: out of memory, or no step can be solved for. */
int fit_parameters(const struct fit_row *rows, int count, const struct cost_ablation *ablation,
                   struct cost_parameters *p, double *cost, struct base_error *e);

#endif
