/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of a step: seconds, from the configuration alone. Device, network and schedule in that order; every term
 * stands in the result, so that --explain, the trace and the tests read the same figures. */
#ifndef TOISE_COSTMODEL_STEP_H
#define TOISE_COSTMODEL_STEP_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/terms.h"

/* Parts left out, to show what each is worth; all false is the model. */
struct cost_ablation {
    bool quantisation, alignment, achieved, schedule, overlap, interference, blocking, passes;
};

struct cost_step {
    double total; /* work and the terms beside it */
    double work;  /* micro-batches x the mean stage: the terms inside it, look-up of tokens and context parallelism */
#define T(name, part, meaning) double name;
    COST_TERM_LIST(T)
#undef T
    double data_parallel_experts; /* of data_parallel, what experts' gradients and weights take by themselves */
    /* of one micro-batch: a layer's passes with all that is exposed in them, and the stages */
    double layer_forward, layer_backward, stage_first, stage_last, stage_max, stage_sum, hop;
    double layer_weight;                      /* of a layer's backward, the gradients of its weights */
    double layer_gather, layer_scatter;       /* ZeRO-3's messages: before each pass of a layer, after its backward */
    double exposed_forward, exposed_backward; /* of these, what a layer's passes have in them */
    double stage_table, stage_head;           /* that the first and the last stage take beside their layers */
    double micro_batches;
};

double cost_step_seconds(const struct cost_step *step, enum cost_term term);

void cost_step(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
               struct cost_step *step);
/* Whether ZeRO-3 gathers the next layer's weights while this one computes. */
bool cost_step_gathers_ahead(const struct cost_job *job);

#endif
