/* SPDX-License-Identifier: Apache-2.0
 *
 * How a world of ranks shares a training step: the grid of parallel ways, and what each rank keeps or recomputes.
 * Terms and defaults are Megatron's (Shoeybi et al. 2019, Narayanan et al. 2021, Korthikanti et al. 2022), ZeRO's
 * (Rajbhandari et al. 2020), and for experts GShard's (Lepikhin et al. 2021). */
#ifndef TOISE_PLAN_LAYOUT_H
#define TOISE_PLAN_LAYOUT_H

#include "model/config.h"
#include "plan/schedule.h"

enum plan_recompute {
    PLAN_RECOMPUTE_NONE,
    PLAN_RECOMPUTE_SELECTIVE, /* the attention's scores, weights and dropout */
    PLAN_RECOMPUTE_FULL,      /* everything but each layer's input */
    PLAN_RECOMPUTES
};

struct plan_layout {
    int tp, pp, cp, dp; /* tensor, pipeline, context and data parallel ranks: the world is their product */
    int ep;   /* expert parallel ranks, of the data parallel ones: each holds experts / ep of a layer's; 0 is 1 */
    int vp;   /* chunks of layers of a pipeline rank */
    int zero; /* what data parallel ranks share out: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights */
    int sequence_parallel; /* 0 or 1: norms and dropouts are shared among the tensor parallel ranks, too */
    int recompute;         /* enum plan_recompute */
    int schedule;          /* enum plan_schedule */
    int64_t micro_batch;   /* sequences that a rank computes at once */
};

/* Of a field of a layout that is to be searched. */
enum { PLAN_FREE = -1 };

/* All fields free. */
struct plan_layout plan_layout_free(void);
/* Every rank holds the whole model and its share of the batch. */
struct plan_layout plan_layout_data_parallel(int ranks, int64_t micro_batch);

/* Expert parallel ranks: ep, or 1 where it is 0. */
int plan_layout_expert_ranks(const struct plan_layout *layout);

/* One step's batch, in tokens and sequences. */
struct plan_batch {
    int64_t seq, global_batch;
};

int plan_layout_world(const struct plan_layout *layout);
/* Fills *pipeline: what one of the data parallel ranks' pipelines does. */
void plan_layout_pipeline(const struct plan_layout *layout, const struct plan_batch *batch,
                          struct plan_pipeline *pipeline);
/* BASE_USAGE names the flags that disagree with each other or with the model, and the nearest that would not. */
int plan_layout_check(const struct plan_layout *layout, const struct plan_batch *batch,
                      const struct model_config *config, struct base_error *e);
/* Layers of virtual stage chunk * pp + device, of pp * vp. What does not divide goes to stages before the last, which
 * has the head. */
int64_t plan_layout_layers(const struct plan_layout *layout, int64_t layers, int stage);

/* Elements of one kind of parameter, of one layer where each has it, on a tensor and expert parallel rank. */
double plan_layout_share(const struct plan_layout *layout, const struct model_config *config,
                         const struct model_parameter *parameter);

const char *plan_recompute_name(enum plan_recompute recompute);
bool plan_recompute_find(const char *name, enum plan_recompute *recompute);

#endif
