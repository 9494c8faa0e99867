/* SPDX-License-Identifier: Apache-2.0
 *
 * What one rank keeps of a training: its part of the model, and the state of its parameters. */
#ifndef TOISE_PARALLEL_ENGINE_H
#define TOISE_PARALLEL_ENGINE_H

#include "comm/comm.h"
#include "model/model.h"
#include "parallel/blocks.h"
#include "parallel/buckets.h"
#include "parallel/exchanges.h"
#include "parallel/groups.h"
#include "parallel/pipeline.h"
#include "parallel/rows.h"
#include "parallel/tied.h"
#include "parallel/zero.h"
#include "plan/plan.h"

struct parallel_engine {
    const struct plan *plan;
    struct comm *world;
    struct kernel_team team; /* between steps .ops may be replaced by a wrapping table */
    struct kernel_ops ops;
    struct parallel_groups groups;
    struct model_params params, whole; /* of this rank's part, and of the whole model */
    int *local;                        /* [whole.count] the number of a tensor in params; -1: another stage's */
    struct model model;
    struct base_arena arenas[PLAN_ARENAS];
    /* [params.total]; under ZeRO only what this rank owns, by blocks.block[].at: moments and the BF16 path's master,
     * from stage 2 on gradients, in stage 3 all. */
    float *master, *grads, *moment1, *moment2;
    kernel_bf16 *half; /* NULL in FP32 */
    int32_t *inputs;   /* [slots][tokens] of the micro-batches that the embeddings' chunk keeps */
    int32_t *targets;
    int32_t *sequence; /* [2][seq] of one that context parallel ranks share; else NULL */
    struct parallel_blocks blocks;
    struct parallel_buckets buckets, expert_buckets; /* without ZeRO */
    struct parallel_rows rows;
    struct parallel_zero zero;
    struct parallel_tensor tensor;
    struct parallel_context context;
    struct parallel_experts experts;
    /* Where the model's choices of experts go, if not NULL: [layers of the whole model][chosen_samples][chosen_seq]
     * [active], of samples from chosen_first on and of the first positions. Each rank fills in its own. */
    int32_t *chosen;
    int64_t chosen_first, chosen_samples, chosen_seq;
    int64_t sample;          /* the first of the micro-batch that runs */
    double *rows_of_experts; /* [layers of the whole model][experts]: of this rank's tokens, since it was cleared */
    struct parallel_pipeline pipeline;
    struct parallel_tied tied;
    double losses[MODEL_LEAVES]; /* with a tree: of the tokens of each leaf of the batch */
    bool last_micro;             /* gradients become final in the current micro-batch */
    bool nulled;                 /* gradients are discarded: computed but not sent */
    int64_t updates;             /* since parallel_start */
};

/* plan and world must outlive the engine. *ops is copied. Collective if a rank has but a part of the model. */
int parallel_open(struct parallel_engine *engine, const struct plan *plan, struct comm *world,
                  const struct kernel_ops *ops, struct base_error *e);
void parallel_close(struct parallel_engine *engine);
/* Initialises weights and moments from the seed. hot: see model_params_init. */
void parallel_start(struct parallel_engine *engine, uint64_t seed, bool hot);

/* Restarts from the current weights: moments zero, copies refreshed, update count 0. And goes on from the current
 * weights and moments after so many updates. Collective under ZeRO. */
void parallel_restart(struct parallel_engine *engine);
void parallel_resume(struct parallel_engine *engine, int64_t updates);
/* Whether gradients of the current micro-batch are summed over ranks: the last one's, and from stage 2 on every one's.
 */
bool parallel_sums(const struct parallel_engine *engine);
/* This rank's block of a range in the arrays above: blocks.block[range].own elements. */
float *parallel_master(const struct parallel_engine *engine, int64_t range);
float *parallel_gradient(const struct parallel_engine *engine, int64_t range);
/* Its BF16 copy; NULL in FP32. */
kernel_bf16 *parallel_copy(const struct parallel_engine *engine, int64_t range);
/* Whether what this rank holds of a tensor of `params` counts in sums over tensor parallel ranks; of equal copies one
 * does. */
bool parallel_counts(const struct parallel_engine *engine, int tensor);
/* 64-bit hashes; equal bits have equal ones. Of any bytes, but for the last ones that fill no 32 bits. Of the weights
 * that forward reads, or without ZeRO of the master weights: `experts` alone, which are the same on ranks that hold the
 * same ones, or all others, the same on replicas; in stage 3 collective. Of what this rank owns of master weights that
 * tensor parallel ranks have in common: the same on those. Of this rank's blocks of the last gradient. */
uint64_t parallel_mix(const void *data, int64_t bytes, int threads);
uint64_t parallel_weights_mix(struct parallel_engine *engine, bool experts);
uint64_t parallel_common_mix(const struct parallel_engine *engine);
uint64_t parallel_gradients_mix(const struct parallel_engine *engine);
/* The first stage sends a tied token table to the last one, if that has not got its weights as they are now. */
void parallel_share_table(struct parallel_engine *engine);
/* [layers of the whole model][experts] rows in passes whose gradients count, since they were cleared, of all ranks;
 * where backward repeats forward they count twice. Collective; adds up in place, so it is called once. */
const double *parallel_expert_rows(struct parallel_engine *engine);
void parallel_clear_expert_rows(struct parallel_engine *engine);
/* The model's hook while the embedding's rows are sent apart. */
void parallel_on_rows(void *engine, const int32_t *tokens, const void *dx);

#endif
