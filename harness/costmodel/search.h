/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the fastest layouts of a job that fit into memory. Fields that the user set stay fixed; fields equal to
 * PLAN_FREE are searched. It prices every layout by cost_step(), and does not know what a projection adds (interval,
 * label). */
#ifndef TOISE_COSTMODEL_SEARCH_H
#define TOISE_COSTMODEL_SEARCH_H

#include "costmodel/memory.h"
#include "costmodel/step.h"

struct cost_ask {
    const struct model_config *config;
    struct cost_platform platform;
    struct cost_traits traits; /* zero_group 0: all data parallel ranks; overlap_tp: if the framework can */
    struct plan_layout choice; /* what the user gave; PLAN_FREE is searched, dp follows */
    int64_t seq, global_batch;
    int ranks;
};

struct cost_layout_price {
    struct plan_layout layout;
    double step_s;
    struct cost_memory memory;
};

struct cost_search {
    struct cost_layout_price *best; /* [count] layouts that fit, fastest first */
    int count;
    long long legal;                /* layouts priced */
    long long faster;               /* layouts faster than the best one, that do not fit */
    struct cost_layout_price least; /* the one of least memory, of those checked for memory */
};

/* Prices every legal layout and finds the `most` fastest that fit. These rules make a layout legal; those in brackets
 * hold unless the user's choice breaks them.
 * - Tensor parallel ranks divide heads and MLP (and fit into the scale-up domain).
 * - Sequence parallelism has two or more tensor parallel ranks, and they divide the sequence.
 * - Context parallel ranks divide the sequence (they are a power of two, and each has 2,048 tokens or more).
 * - Expert parallel ranks divide the experts and the data parallel ranks.
 * - (ZeRO 2 and 3 have no pipeline.)
 * - Interleaved chunks are whole layers.
 * - Replicas times the micro-batch divide the global batch (the micro-batch is a power of two, at most 32).
 * - Zero-bubble recomputes nothing.
 * - (The schedule is 1F1B or zero-bubble, and the framework supports the layout.)
 * BASE_USAGE: no layout has what was given; the message says why. Free *search in any case. */
int cost_search(const struct cost_ask *ask, const struct cost_parameters *p, int most, struct cost_search *search,
                struct base_error *e);
void cost_search_free(struct cost_search *search);

/* The job of one layout. */
void cost_search_job(const struct cost_ask *ask, const struct plan_layout *layout, struct cost_job *job);
/* Memory of a job whose model is `config`. The job's traits decide precision and the framework's own memory. */
struct cost_memory cost_search_memory(const struct model_config *config, const struct cost_job *job);

#endif
