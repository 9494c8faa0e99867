/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of a training step in seconds, from the configuration alone. This is the main header of the room.
 * It promises every term of the price (terms.h) in one struct, which --explain, the trace and the tests all read.
 * It needs a job (job.h: model, layout, framework, platform) and fitted parameters (parameters.h).
 * It does not know published runs, MPI, or measurements that it will be compared with.
 * The parts: device.h prices compute, network.h messages, memory.h the memory. platform.h reads a machine's facts, and
 * search.h tries layouts. stages.h and schedule.h simulate the pipeline by events, also with a slow node.
 * Not priced: offload. */
#ifndef TOISE_COSTMODEL_STEP_H
#define TOISE_COSTMODEL_STEP_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/terms.h"

/* Parts of the model to leave out, to measure what each is worth. All false: the whole model. */
struct cost_ablation {
    bool quantisation, alignment, achieved, schedule, overlap, interference, blocking, passes;
};

struct cost_step {
    double total; /* work plus all terms of COST_PART_STEP */
    double work;  /* micro-batches x the mean stage: the other terms, the embedding and context parallelism */
#define T(name, part) double name;
    COST_TERM_LIST(T)
#undef T
    double data_parallel_experts; /* messages of the experts' gradients and weights, without overlap */
    /* per micro-batch: */
    double layer_forward, layer_backward; /* with exposed messages and launches */
    double stage_first, stage_last, stage_max, stage_sum;
    double hop;                               /* p2p to the next stage */
    double layer_weight;                      /* the weight gradients' part of layer_backward */
    double layer_gather, layer_scatter;       /* ZeRO-3: before each pass of a layer, after its backward */
    double exposed_forward, exposed_backward; /* the exposed part of those in layer_forward, layer_backward */
    double stage_table, stage_head;           /* embedding and head, on the first and last stage */
    double micro_batches;
};

double cost_step_seconds(const struct cost_step *step, enum cost_term term);

void cost_step(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
               struct cost_step *step);
/* Whether ZeRO-3 prefetches the next layer's weights during compute. */
bool cost_step_gathers_ahead(const struct cost_job *job);

#endif
