/* SPDX-License-Identifier: Apache-2.0
 *
 * Predictions of points that are not measured yet, and how well those of earlier records did. Only a prediction that
 * was made before its point ran is scored. */
#ifndef TOISE_SCALE_PREDICT_H
#define TOISE_SCALE_PREDICT_H

#include "scale/model.h"

/* Each model's predictions of the points ahead: array of {n, by, time, from, tokens_per_s, low, high, ...}. */
json_t *scale_predict_ahead(const struct scale_curve *c, const struct scale_model models[SCALE_LAWS]);
/* Predictions in the curve's records of kind "scale" for points that now have a rate: with measured_tokens_per_s, error
 * and inside. `work`: of this curve, as in the record's config; predictions of other work are not this curve's. */
json_t *scale_predict_scored(const struct scale_curve *c, const json_t *work);
/* Of the scored: by model, how many, how many inside their interval, mean and largest absolute error. */
json_t *scale_predict_summary(const json_t *scored);

#endif
