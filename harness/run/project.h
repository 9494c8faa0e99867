/* SPDX-License-Identifier: Apache-2.0
 *
 * One answer of `toise project`: a model on a machine, as a record. */
#ifndef TOISE_RUN_PROJECT_H
#define TOISE_RUN_PROJECT_H

#include "project/bill.h"
#include "project/straggler.h"
#include "run/train.h"

struct run_project {
    struct project_machine machine;
    struct project_projection projection;
    struct project_search search;
    struct project_terms terms;
    struct project_bill bill;
    bool billed;        /* terms.tokens were given or found */
    double simulated_s; /* the pipeline's part of the step by event simulation; NAN: neither that nor ZeRO-3 */
    struct project_straggler straggler;  /* step_s 0: not asked */
    const char *verdict;                 /* why the answer is no, beside memory; NULL */
    struct project_projection would_fit; /* where it does not: what does, if `some` */
    bool some;
};

/* A record of kind "project", FAILED where nothing fits or there is a verdict. listed: how many layouts of the search
 * it has; explain: with every term's formula and inputs, and the machine's facts with their sources. */
json_t *run_project_record(const struct run_project *r, const struct project_question *q,
                           const struct project_fitted *fitted, int listed, bool explain);

/* Terms, formulas and inputs of a projection, [{term, seconds, formula, inputs}]. */
json_t *run_project_explain(const struct run_project *r, const struct project_fitted *fitted);

/* Adds to a record how its machine does against the first one's: "against" {machine, of, ratio, low, high}, the ratio
 * of the first's time of training (of a token, where they are not billed) over this one's, with the interval that
 * independent errors of both give. */
void run_project_against(json_t *record, const struct run_project *first, const struct run_project *r);

#endif
