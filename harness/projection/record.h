/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of `toise project`: a model on a machine, with its formulas and facts if asked for. */
#ifndef TOISE_PROJECTION_RECORD_H
#define TOISE_PROJECTION_RECORD_H

#include "costmodel/stages.h"
#include "projection/cost.h"
#include "records/set.h"

struct projection_outcome {
    struct machine machine;
    struct projection projection;
    struct cost_search search;
    struct projection_assumptions assumptions;
    struct projection_cost cost;
    bool has_cost;      /* assumptions.tokens were given or found, so `cost` is filled */
    double simulated_s; /* the pipeline's part of the step by event simulation; NAN: no pipeline and no ZeRO-3 */
    struct cost_straggler straggler; /* step_s 0: not asked for */
    const char *verdict;             /* a reason for FAILED other than memory; NULL: none */
    struct projection would_fit;     /* if the projection does not fit: one that does */
    bool has_would_fit;
};

/* A record of kind "project". It is FAILED if the projection does not fit or has a verdict. It lists `listed` layouts
 * of the search. explain adds every term's formula and inputs, and the machine's facts with their sources. */
json_t *projection_record(const struct projection_outcome *r, const struct projection_question *q,
                          const struct fit_result *fitted, int listed, bool explain);

/* The peak that its MFU is a share of: "nominal bf16 peak, NVIDIA A100". */
json_t *projection_peak_name(const struct projection *p);

/* The terms of a step: [{term, seconds, formula, inputs}]. */
json_t *projection_explain(const struct projection_outcome *r, const struct fit_result *fitted);

/* Compares the record's machine with the first one. Adds "against" {machine, of, ratio, low, high}. The ratio is the
 * first machine's time over this one's, for the training, or for a token where a cost is missing. Its interval assumes
 * that errors of the two are independent. */
void projection_record_against(json_t *record, const struct projection_outcome *first,
                               const struct projection_outcome *r);

#endif
