/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of a step: seconds, from the configuration alone. Device, network and schedule in that order; every term
 * stands in the result, so that --explain, the trace and the tests read the same figures. */
#ifndef TOISE_COSTMODEL_STEP_H
#define TOISE_COSTMODEL_STEP_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"

/* Parts left out, to show what each is worth; all false is the model. */
struct cost_ablation {
    bool quantisation, alignment, achieved, schedule, overlap, interference, blocking, passes;
};

struct cost_step {
    double total;
    /* which is the sum of: */
    double work;                   /* micro-batches x the mean stage */
    double imbalance, bubble, p2p; /* the slowest stage over the mean; fill and drain; stage to stage */
    double data_parallel, embedding, optimizer, iteration;
    /* inside work, x micro-batches x layers / stages: */
    double linear, attention, passes, launch, tensor_parallel, zero3, head;
    double experts, router, all_to_all; /* of a mixture of experts; what router is: costmodel/device.h */
    double data_parallel_experts;       /* of data_parallel, what experts' gradients and weights take by themselves */
    /* of one micro-batch: a layer's passes with all that is exposed in them, and the stages */
    double layer_forward, layer_backward, stage_first, stage_last, stage_max, stage_sum, hop;
    double layer_weight;                      /* of a layer's backward, the gradients of its weights */
    double layer_gather, layer_scatter;       /* ZeRO-3's messages: before each pass of a layer, after its backward */
    double exposed_forward, exposed_backward; /* of these, what a layer's passes have in them */
    double stage_table, stage_head;           /* that the first and the last stage take beside their layers */
    double micro_batches;
};

void cost_step(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
               struct cost_step *step);
/* Whether ZeRO-3 gathers the next layer's weights while this one computes. */
bool cost_step_gathers_ahead(const struct cost_job *job);

#endif
