/* SPDX-License-Identifier: Apache-2.0
 *
 * Executes a plan, one training step at a time, on every rank of the world. Data parallel: gradients are summed while
 * backward still runs.
 *
 * The room parallel/ promises the training step: forward, backward, and the update (optimizer.h). Gradient all-reduces
 * overlap with backward (buckets.h), and a tied embedding does not hold them up (rows.h). ZeRO shares what a rank keeps
 * of the parameters' state (blocks.h, zero.h); collect.h puts it together again. Memory is allocated in
 * parallel_open; a step allocates nothing and prints nothing. Results are bitwise reproducible for a fixed layout and
 * number of threads. It needs a plan, the model, a source of data and a comm. It does not know when a step is timed or
 * checked. */
#ifndef TOISE_PARALLEL_STEP_H
#define TOISE_PARALLEL_STEP_H

#include "comm/comm.h"
#include "data/data.h"
#include "model/model.h"
#include "parallel/blocks.h"
#include "parallel/buckets.h"
#include "parallel/optimizer.h"
#include "parallel/rows.h"
#include "parallel/zero.h"
#include "plan/plan.h"

struct parallel_engine {
    const struct plan *plan;
    struct comm *world;
    struct kernel_team team; /* between steps .ops may be replaced by a wrapping table */
    struct kernel_ops ops;
    struct model_params params;
    struct model model;
    struct base_arena arenas[PLAN_ARENAS];
    /* [params.total]; under ZeRO only what this rank owns, by blocks.block[].at: moments and the BF16 path's master,
     * from stage 2 on gradients, in stage 3 all. */
    float *master, *grads, *moment1, *moment2;
    kernel_bf16 *half; /* NULL in FP32 */
    int32_t *inputs, *targets;
    struct parallel_blocks blocks;
    struct parallel_buckets buckets; /* without ZeRO */
    struct parallel_rows rows;
    struct parallel_zero zero;
    bool last_micro; /* gradients become final in the current micro-batch */
    bool nulled;     /* gradients are discarded: computed but not sent */
    int64_t updates; /* since parallel_start */
};

struct parallel_result {
    double loss;      /* mean over the global batch's tokens, nats */
    double own_loss;  /* the part of this rank's samples: the parts of all ranks add up to the loss */
    double grad_norm; /* before clipping */
    double lr;
    double seconds, phase_s[PLAN_PHASES];
};

/* plan and world must outlive the engine. *ops is copied. */
int parallel_open(struct parallel_engine *engine, const struct plan *plan, struct comm *world,
                  const struct kernel_ops *ops, struct base_error *e);
void parallel_close(struct parallel_engine *engine);
/* Initialises weights and moments from the seed. hot: see model_params_init. */
void parallel_start(struct parallel_engine *engine, uint64_t seed, bool hot);

/* Restarts from the current weights: moments zero, copies refreshed, update count 0. Collective under ZeRO. */
void parallel_restart(struct parallel_engine *engine);
/* This rank's block of a range in the arrays above: blocks.block[range].own elements. */
float *parallel_master(const struct parallel_engine *engine, int64_t range);
float *parallel_gradient(const struct parallel_engine *engine, int64_t range);
/* 64-bit hashes: of the bits of the weights that forward reads, which are the same on all ranks, and of this rank's
 * blocks of the last gradient. Equal ones have equal hashes. Of the weights in stage 3: collective. */
uint64_t parallel_weights_mix(struct parallel_engine *engine);
uint64_t parallel_gradients_mix(const struct parallel_engine *engine);

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
/* One micro-batch of `inputs` and `targets`, as parallel_gradients runs it; returns the sum of its tokens' losses. */
double parallel_micro(struct parallel_engine *engine, float scale, struct parallel_result *result);
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
