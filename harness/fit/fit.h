/* SPDX-License-Identifier: Apache-2.0
 *
 * Fits the cost model's parameters on published runs: the most probable values (maximum a posteriori), given their
 * priors and the published times. The room fit/ promises tables of runs as jobs (published.h), fits, scores of
 * predictions (score.h), their intervals (interval.h), ranks of layouts (ranking.h), and the result as parameters.json
 * (result.h). It needs costmodel/, machine/, plan/ and records/. It does not know what is printed. */
#ifndef TOISE_FIT_FIT_H
#define TOISE_FIT_FIT_H

#include "costmodel/step.h"
#include "fit/published.h"

struct fit_row {
    const struct cost_job *job;
    double measured_s;
    double weight; /* 0: the row is left out */
};

/* Weighs usable runs of tiers 1 and 2 (tiers: harness/catalog/runs/README.md). A source of n rows has a total weight of
 * n^0.65; tier 1 has 1.5 times the weight of tier 2. rows: [runs->count]. `without`: a source whose rows get weight 0;
 * NULL: none. */
void fit_weigh(const struct fit_runs *runs, const char *without, struct fit_row *rows);
/* Weighs the rows again after some were left out (weight 0). */
void fit_weights(const struct fit_runs *runs, struct fit_row *rows);

/* Minimises, over the logarithms x of the parameters,
 *     sum_i weight_i H(log(predicted_i / measured_i)) / 0.08^2 + sum_j ((x_j - prior_j) / sd_j)^2 / 2
 * by Levenberg-Marquardt on reweighted squares. H is Huber's loss with its corner at 0.05 (Huber 1964). *p is the start
 * and becomes the optimum, with its posterior standard deviations. *cost: that of the optimum; may be NULL.
 * BASE_BROKEN: out of memory, or the optimum's equations are singular. */
int fit_parameters(const struct fit_row *rows, int count, const struct cost_ablation *ablation,
                   struct cost_parameters *p, double *cost, struct base_error *e);

#endif
