/* SPDX-License-Identifier: Apache-2.0
 *
 * Executes a plan, one training step at a time, on every rank of the world.
 *
 * The room parallel/ promises the training step: forward, backward, and the update (optimizer.h). Gradient all-reduces
 * overlap with backward (buckets.h), and a tied embedding does not hold them up (rows.h). ZeRO shares what a rank keeps
 * of the parameters' state (blocks.h, zero.h); collect.h puts it together again. Tensor parallel ranks share layers
 * (groups.h, exchanges.h), context parallel ones sequences and expert parallel ones experts, and pipeline
 * stages have some layers each (pipeline.h, tied.h). Memory is allocated in parallel_open; a step allocates nothing and
 * prints nothing. Results are bitwise reproducible for a fixed layout and number of threads, and with a tree of sums
 * (model/tree.h) for any. It needs a plan, the
 * model, a source of data and a comm. It does not know when a step is timed or checked. */
#ifndef TOISE_PARALLEL_STEP_H
#define TOISE_PARALLEL_STEP_H

#include "data/data.h"
#include "parallel/engine.h"
#include "parallel/optimizer.h"

struct parallel_result {
    double loss;      /* mean over the global batch's tokens, nats */
    double balance;   /* the load-balancing loss of experts (model/experts.h), which is not in `loss` */
    double own_loss;  /* the part of this rank's tokens: those of replicas add up to the loss */
    double grad_norm; /* before clipping */
    double lr;
    double seconds, phase_s[PLAN_PHASES];
    /* Of parallel_step, by the axis whose ranks talk: seconds in which messages were in flight, and in which the step
     * waited for them. Each includes waiting for other ranks. In one rank's phases the second is spread over several.
     */
    double busy_s[PLAN_TALKING], waited_s[PLAN_TALKING];
};

/* Whether gradients are sent while backward still runs; the same on all ranks. It starts so. */
void parallel_overlap(struct parallel_engine *engine, bool overlap);
/* Gradients become zero. */
void parallel_clear(struct parallel_engine *engine);
/* Computes the loss of global batch `step`, and its mean gradient, summed over all ranks, in parallel_gradient. */
void parallel_gradients(struct parallel_engine *engine, const struct data_source *source, int64_t step,
                        struct parallel_result *result);
/* Its part that crosses ranks: begin before the first micro-batch, end once the last one's hooks have reported. False:
 * an incomplete sum. */
void parallel_sum_begin(struct parallel_engine *engine);
bool parallel_sum_end(struct parallel_engine *engine);
/* Forward and backward of the first `micros` micro-batches of a step, all or 1; returns the sum of their tokens' losses
 * on the ranks that have the head. */
double parallel_passes(struct parallel_engine *engine, const struct data_source *source, int64_t step, int64_t micros,
                       struct parallel_result *result);
/* Fills inputs and targets with this rank's tokens of a micro-batch that starts at sample `first` of a step. */
void parallel_fill(struct parallel_engine *engine, const struct data_source *source, int64_t step, int64_t first);
/* The first sample of a step that this rank's pipeline computes. */
int64_t parallel_first(const struct parallel_engine *engine);
/* The inputs of the micro-batch whose turn it is. */
int32_t *parallel_inputs(const struct parallel_engine *engine);
/* Clips the gradient and updates the weights. */
void parallel_update(struct parallel_engine *engine, const struct parallel_optimizer *optimizer,
                     struct parallel_result *result);
/* Both: a whole step. */
void parallel_step(struct parallel_engine *engine, const struct data_source *source,
                   const struct parallel_optimizer *optimizer, int64_t step, struct parallel_result *result);
/* The same work as parallel_gradients without communication; the gradient is discarded. Measures a step with free
 * messages. Ranks need not agree, but should run it at the same time. */
void parallel_probe(struct parallel_engine *engine, const struct data_source *source, int64_t step,
                    struct parallel_result *result);

#endif
