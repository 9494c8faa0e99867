/* SPDX-License-Identifier: Apache-2.0
 *
 * How the ranks of a world share a training step: the parallel dimensions, and what each rank stores or recomputes.
 * Terms and defaults follow Megatron (Shoeybi et al. 2019, Narayanan et al. 2021, Korthikanti et al. 2022), ZeRO
 * (Rajbhandari et al. 2020), and for experts GShard (Lepikhin et al. 2021). */
#ifndef TOISE_PLAN_LAYOUT_H
#define TOISE_PLAN_LAYOUT_H

#include "config/config.h"
#include "plan/schedule.h"

enum plan_recompute {
    PLAN_RECOMPUTE_NONE,
    PLAN_RECOMPUTE_SELECTIVE, /* attention, norms and activation functions: no matmul of weights */
    PLAN_RECOMPUTE_FULL,      /* everything except each layer's input */
    PLAN_RECOMPUTES
};

enum { PLAN_STAGES_LISTED = 64 };

/* The axes of the grid of ranks (grid.h). Expert parallel ranks are among the replicas, but talk among themselves. */
enum plan_axis { PLAN_TP, PLAN_CP, PLAN_DP, PLAN_PP, PLAN_AXES, PLAN_EP = PLAN_AXES, PLAN_TALKING };

struct plan_layout {
    int tp, pp, cp, dp; /* tensor, pipeline, context and data parallel ranks: the world is their product */
    int ep;  /* expert parallel ranks among the replicas: each holds experts / ep of every layer; 0 means 1 */
    int etp; /* ranks that split each expert: tp, which 0 means, or 1, where ep may go over tensor parallel ranks too */
    int vp;  /* chunks of layers of a pipeline rank */
    int zero;              /* what replicas shard: 0 nothing, 1 optimizer state, 2 also gradients, 3 also weights */
    int sequence_parallel; /* 0 or 1: tensor parallel ranks also split norms and dropouts */
    int recompute;         /* enum plan_recompute */
    int schedule;          /* enum plan_schedule */
    int reproducible;      /* leaves of sums with the same bits in every layout (model/tree.h); 0: none */
    int64_t micro_batch;   /* sequences in one micro-batch of a rank */
    short stage_layers[PLAN_STAGES_LISTED]; /* layers of each virtual stage; zeros: see plan_layout_layers */
    short order[PLAN_AXES];                 /* enum plan_axis, from the innermost; zeros: as they are numbered */
};

/* A field that the search should choose. */
enum { PLAN_FREE = -1 };

/* A layout with all fields free. */
struct plan_layout plan_layout_free(void);
/* Every rank holds the whole model and processes its share of the batch. */
struct plan_layout plan_layout_data_parallel(int ranks, int64_t micro_batch);

/* The number of expert parallel ranks: ep, or 1 if ep is 0. */
int plan_layout_expert_ranks(const struct plan_layout *layout);
/* The number of ranks that split each expert: etp, or tp if etp is 0. */
int plan_layout_expert_slices(const struct plan_layout *layout);

/* One step's batch, in tokens and sequences. */
struct plan_batch {
    int64_t seq, global_batch;
};

int plan_layout_world(const struct plan_layout *layout);
/* Ranks that hold the same part of the model: data and context parallel ones. They sum gradients, and ZeRO shares out
 * over them. */
int plan_layout_replicas(const struct plan_layout *layout);
/* Ranks that hold the same part of the same experts: tp x replicas / (etp x ep). */
int plan_layout_expert_replicas(const struct plan_layout *layout);
/* Fills *pipeline for one data parallel rank's pipeline. */
void plan_layout_pipeline(const struct plan_layout *layout, const struct plan_batch *batch,
                          struct plan_pipeline *pipeline);
/* BASE_USAGE: names the flags that contradict each other or the model, and the nearest values that work. */
int plan_layout_check(const struct plan_layout *layout, const struct plan_batch *batch,
                      const struct model_config *config, struct base_error *e);
/* Its parts that concern the model alone: expert parallel ranks, and all others. */
int plan_layout_check_experts(const struct plan_layout *layout, const struct model_config *config,
                              struct base_error *e);
int plan_layout_check_model(const struct plan_layout *layout, const struct plan_batch *batch,
                            const struct model_config *config, struct base_error *e);
/* Whether each of so many parts of the vocabulary, alike but for the last, has words. */
bool plan_layout_fills(const struct model_config *config, int64_t parts);
/* The number of layers of virtual stage chunk * pp + device, of pp * vp. If they are not listed, surplus layers go to
 * stages before the last one, which has the head. */
int64_t plan_layout_layers(const struct plan_layout *layout, int64_t layers, int stage);
/* The same if embedding and head are a layer each, as BLOOM did (Le Scao et al. 2022); may be 0 or less. */
int64_t plan_layout_slots(const struct plan_layout *layout, int64_t layers, int stage);
/* Lists the layers of each stage: "5,6,6,5", or "slots". BASE_USAGE: no such list, or a stage without a layer. */
int plan_layout_list(struct plan_layout *layout, const char *text, int64_t layers, struct base_error *e);

/* Elements of one kind of parameter on a tensor and expert parallel rank. For one layer, if every layer has it. */
double plan_layout_share(const struct plan_layout *layout, const struct model_config *config,
                         const struct model_parameter *parameter);
/* The same of all experts of a layer; 0: the model has none. */
double plan_layout_experts(const struct plan_layout *layout, const struct model_config *config);

const char *plan_recompute_name(enum plan_recompute recompute);
bool plan_recompute_find(const char *name, enum plan_recompute *recompute);

#endif
