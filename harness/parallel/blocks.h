/* SPDX-License-Identifier: Apache-2.0
 *
 * What each replica (plan/layout.h) owns of the parameters under ZeRO (Rajbhandari et al. 2020): of every range
 * (config/params.h) one block (comm_block). A rank alone keeps the optimizer's state of its blocks, and updates them.
 * Without ZeRO a block is the whole range. */
#ifndef TOISE_PARALLEL_BLOCKS_H
#define TOISE_PARALLEL_BLOCKS_H

#include "parallel/groups.h"
#include "plan/plan.h"

struct parallel_block {
    int64_t start, count; /* the range */
    struct comm *comm;    /* the ranks that hold it: replicas, or of experts those that hold the same ones */
    int64_t first, own;   /* this rank's block, from the range's start */
    int64_t at;           /* its place in an array of all owned elements */
};

/* A tensor whose gradient is first summed over some ranks, each of which has a part of it: tensor parallel ones, or for
 * a tied token table the first and the last stage (tied.h). */
struct parallel_shared {
    int64_t range, first, count; /* first: from the range's start */
    struct comm *group;
    bool once; /* in a step; else whenever gradients are summed */
};

struct parallel_blocks {
    struct parallel_block *block; /* [ranges] */
    int64_t ranges, owned;
    int64_t layers;                 /* see parallel_blocks_layer */
    struct parallel_shared *shared; /* [shares] */
    int shares;
};

int parallel_blocks_open(struct parallel_blocks *blocks, const struct plan *plan, const struct model_params *params,
                         const struct parallel_groups *groups, struct base_error *e);
void parallel_blocks_close(struct parallel_blocks *blocks);
/* The layer, from 1 on, whose parameters or experts are in this range; 0: those of none. */
int64_t parallel_blocks_layer(const struct parallel_blocks *blocks, int64_t range);
bool parallel_blocks_experts(const struct parallel_blocks *blocks, int64_t range);
/* The part of a tensor that this rank owns: elements [low, high) of its block of `range`; none: low >= high. */
struct parallel_part {
    int64_t range, low, high;
};
struct parallel_part parallel_blocks_part(const struct parallel_blocks *blocks, const struct model_params *params,
                                          const struct model_tensor *tensor);

#endif
