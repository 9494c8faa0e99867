/* SPDX-License-Identifier: Apache-2.0
 *
 * The layouts that a job may have, priced: what is given is kept, what is free is tried. */
#ifndef TOISE_COSTMODEL_SEARCH_H
#define TOISE_COSTMODEL_SEARCH_H

#include "costmodel/memory.h"
#include "costmodel/step.h"

struct cost_ask {
    const struct model_config *config;
    struct cost_platform platform;
    struct cost_traits traits; /* zero_group 0: all data parallel ranks; overlap_tp as the framework allows */
    struct plan_layout choice; /* what is given; PLAN_FREE is searched, and dp follows */
    int64_t seq, global_batch;
    int ranks;
};

struct cost_layout_price {
    struct plan_layout layout;
    double step_s;
    struct cost_memory memory;
};

struct cost_search {
    struct cost_layout_price *best; /* [count]: those that fit, the fastest first */
    int count;
    long long legal, faster;        /* layouts priced; those faster than the best that do not fit */
    struct cost_layout_price least; /* of all that were looked at, the one of least memory */
};

/* Prices every legal layout and finds the `most` fastest that fit. Legal: tensor ranks divide heads and MLP and stay
 * within the scale-up domain unless given; sequence parallel ones are two or more and divide the sequence; context
 * parallelism where 2,048 tokens or more are left to a rank; expert parallel ranks divide experts and data parallel
 * ranks; ZeRO 2 and 3 have no pipeline; interleaved chunks are
 * whole layers; micro-batches are powers of two; frameworks keep to what they can do. A pipeline's order that is free
 * is 1F1B or zero-bubble. BASE_USAGE: nothing that is given is legal; says why. Free it in any case. */
int cost_search(const struct cost_ask *ask, const struct cost_parameters *p, int most, struct cost_search *search,
                struct base_error *e);
void cost_search_free(struct cost_search *search);

/* The job of one layout. */
void cost_search_job(const struct cost_ask *ask, const struct plan_layout *layout, struct cost_job *job);
/* Memory of a job whose model is `config`, and what an accelerator must have for it: fragments and what the framework
 * takes for itself included, bytes. */
struct cost_memory cost_search_memory(const struct model_config *config, const struct cost_job *job);

#endif
