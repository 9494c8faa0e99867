/* SPDX-License-Identifier: Apache-2.0
 *
 * Executes a plan, one training step at a time, on every rank of the world: data parallel, gradients summed while
 * backward still runs. Memory is taken in parallel_open; a step allocates nothing and prints nothing. */
#ifndef TOISE_PARALLEL_STEP_H
#define TOISE_PARALLEL_STEP_H

#include "comm/comm.h"
#include "data/data.h"
#include "model/model.h"
#include "parallel/buckets.h"
#include "parallel/optimizer.h"
#include "plan/plan.h"

struct parallel_engine {
    const struct plan *plan;
    struct comm *world;
    struct kernel_team team; /* .ops may be exchanged for a wrapping table between steps */
    struct kernel_ops ops;
    struct model_params params;
    struct model model;
    struct base_arena arenas[PLAN_ARENAS];
    float *master, *grads, *moment1, *moment2;
    kernel_bf16 *half; /* NULL in FP32 */
    int32_t *inputs, *targets;
    struct parallel_buckets buckets;
    bool last_micro; /* gradients become final in the micro-batch now running */
    bool nulled;     /* gradients are not sent: a probe */
    int64_t updates; /* done since parallel_start */
};

struct parallel_result {
    double loss;      /* mean over the global batch's tokens, nats */
    double grad_norm; /* before clipping */
    double lr;
    double seconds, phase_s[PLAN_PHASES];
};

/* plan and world must outlive the engine. ops is copied. */
int parallel_open(struct parallel_engine *engine, const struct plan *plan, struct comm *world,
                  const struct kernel_ops *ops, struct base_error *e);
void parallel_close(struct parallel_engine *engine);
/* Fresh weights and moments from the seed (hot: see model_params_init). */
void parallel_start(struct parallel_engine *engine, uint64_t seed, bool hot);

/* From the weights as they stand: moments zero, the BF16 copy made, no update done. */
void parallel_restart(struct parallel_engine *engine);
/* A 64-bit mix of the master weights' bits: equal weights have equal mixes. */
uint64_t parallel_weights_mix(const struct parallel_engine *engine);

/* The mean gradient of global batch `step`, summed over all ranks, into engine->grads, and the loss. */
void parallel_gradients(struct parallel_engine *engine, const struct data_source *source, int64_t step,
                        struct parallel_result *result);
/* Clips, updates the weights. */
void parallel_update(struct parallel_engine *engine, const struct parallel_optimizer *optimizer,
                     struct parallel_result *result);
/* Both: a whole step. */
void parallel_step(struct parallel_engine *engine, const struct data_source *source,
                   const struct parallel_optimizer *optimizer, int64_t step, struct parallel_result *result);
/* The same work as parallel_gradients with communication nulled, the gradient thrown away: what the step would
 * take if messages were free. Collective only in that ranks should run it at the same time. */
void parallel_probe(struct parallel_engine *engine, const struct data_source *source, int64_t step,
                    struct parallel_result *result);

#endif
