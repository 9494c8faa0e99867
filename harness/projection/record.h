/* SPDX-License-Identifier: Apache-2.0
 *
 * One answer of `toise project`: a model on a machine, as a record. */
#ifndef TOISE_PROJECTION_RECORD_H
#define TOISE_PROJECTION_RECORD_H

#include "costmodel/straggler.h"
#include "projection/cost.h"
#include "records/set.h"

struct projection_outcome {
    struct machine machine;
    struct projection projection;
    struct cost_search search;
    struct projection_assumptions assumptions;
    struct projection_cost cost;
    bool billed;        /* assumptions.tokens were given or found */
    double simulated_s; /* the pipeline's part of the step by event simulation; NAN: neither that nor ZeRO-3 */
    struct cost_straggler straggler; /* step_s 0: not asked */
    const char *verdict;             /* why the answer is no, beside memory; NULL */
    struct projection would_fit;     /* where it does not: what does, if `some` */
    bool some;
};

/* A record of kind "project", FAILED where nothing fits or there is a verdict. listed: how many layouts of the search
 * it has; explain: with every term's formula and inputs, and the machine's facts with their sources. */
json_t *projection_record(const struct projection_outcome *r, const struct projection_question *q,
                          const struct fit_result *fitted, int listed, bool explain);

/* Terms, formulas and inputs of a projection, [{term, seconds, formula, inputs}]. */
json_t *projection_explain(const struct projection_outcome *r, const struct fit_result *fitted);

/* Adds to a record how its machine does against the first one's: "against" {machine, of, ratio, low, high}, the ratio
 * of the first's time of training (of a token, where they are not billed) over this one's, with the interval that
 * independent errors of both give. */
void projection_record_against(json_t *record, const struct projection_outcome *first,
                               const struct projection_outcome *r);

#endif
