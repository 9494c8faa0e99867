/* SPDX-License-Identifier: Apache-2.0
 *
 * ZeRO's traffic among replicas (plan/layout.h; Rajbhandari et al. 2020), range by range (config/params.h). Each rank
 * owns a block of every range (blocks.h).
 *
 * Stage 1: in the last micro-batch's backward a range's gradient is reduce-scattered once it is final, so that each
 * rank has the sum of its block. After the update the weights are all-gathered.
 * Stage 2 keeps only the owned gradients. So every micro-batch's are reduce-scattered, from two buffers that layers use
 * in turn. What a rank has of earlier micro-batches is its addend.
 * Stage 3 keeps only the owned weights as well, and gathers a range before its use: the embeddings and what follows the
 * layers once a step, a layer and its experts in each pass, while the layer before it is computed. A layer stays until
 * its buffer's turn comes, so two are still there when the next pass starts.
 *
 * If weight gradients are late (model_weights), a pass of its own has them: backward gathers weights, and adds to the
 * embeddings' gradients and those of what follows the layers; the later pass adds to those of layers, and gathers none.
 *
 * A pipeline stage has no embeddings, or nothing after its layers: such a range is empty, and nothing is sent of it. */
#ifndef TOISE_PARALLEL_ZERO_H
#define TOISE_PARALLEL_ZERO_H

#include "base/arena.h"
#include "model/model.h"
#include "parallel/blocks.h"

struct parallel_zero {
    int stage; /* 0: nothing here does anything */
    const struct parallel_blocks *blocks;
    const struct kernel_team *team;
    int64_t size;   /* bytes of a weight */
    char *weights;  /* stages 1 and 2: all of them; 3: the owned ones */
    float *grads;   /* stage 1: all of them; 2 and 3: the owned ones */
    char **kept;    /* [ranges] stage 3: where a range of weights is gathered; layers share two buffers */
    float **summed; /* [ranges] stages 2 and 3: likewise, where its gradient is computed and summed */
    /* [ranges] requests in flight, and what was started and not yet waited for */
    struct comm_request *gather, *sum;
    bool *gathering, *summing;
    bool *held;        /* [ranges] stage 3: gathered since the last update */
    bool backward;     /* the pass that runs; */
    bool reads, adds;  /* it reads weights of layers, and adds to their gradients; */
    int64_t low, high; /* its ranges, without experts */
    bool deferred;     /* overlap nothing with compute; the same messages */
    bool silent;       /* send nothing: weights are not valid */
    int64_t owed;      /* elements whose gradient is yet to be reported */
};

/* Takes from the arenas what the plan has for ranges that pass through. weights and grads: as above. */
int parallel_zero_open(struct parallel_zero *zero, const struct plan *plan, const struct parallel_blocks *blocks,
                       const struct kernel_team *team, struct base_arena *arenas, void *weights, float *grads,
                       struct base_error *e);
void parallel_zero_close(struct parallel_zero *zero);
/* Where the model finds ranges; NULLs where all are in one buffer. */
struct model_places parallel_zero_places(const struct parallel_zero *zero);
/* Where backward adds a range's gradient. */
float *parallel_zero_gradient(const struct parallel_zero *zero, int64_t range);

/* The weights have changed: what was gathered of them is stale. */
void parallel_zero_renew(struct parallel_zero *zero);
/* Before a forward pass over ranges low to high and these layers' experts, and before its loss. sums: this backward's
 * gradients are summed over the ranks; else ready is not called. late: those of layers are left to a pass over weights,
 * before which the third is called, of layers alone. */
void parallel_zero_forward(struct parallel_zero *zero, int64_t low, int64_t high);
void parallel_zero_backward(struct parallel_zero *zero, int64_t low, int64_t high, bool sums, bool late);
void parallel_zero_weights(struct parallel_zero *zero, int64_t low, int64_t high, bool sums);
/* The model's hooks, by range. need: what the pass reads and adds to is there. ready: its gradient is final. */
void parallel_zero_need(struct parallel_zero *zero, int64_t range);
void parallel_zero_ready(struct parallel_zero *zero, int64_t range);
/* Blocks until this rank has its blocks of all sums. False: a range was not reported, or twice. */
bool parallel_zero_finish(struct parallel_zero *zero);
/* Stage 3: gathers a range, if it is not there. */
void parallel_zero_hold(struct parallel_zero *zero, int64_t range);
/* Stages 1 and 2: starts gathering an updated range; waits for all of them. */
void parallel_zero_gather(struct parallel_zero *zero, int64_t range);
void parallel_zero_gathered(struct parallel_zero *zero);

#endif
