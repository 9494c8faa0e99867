/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything known before anything runs: the layout of the world, the memory of a rank, and the ledger of its step. A
 * plan is a function of the request; making it allocates nothing.
 *
 * The room plan/ promises one layout for training, pricing and search (layout.h), pipeline schedules (schedule.h), and
 * the phases of a step (phase.h). It has the one ledger of operations, messages and bytes (ledger.h). FLOP counts come
 * from the ledger and from nowhere else. Impossible requests are refused here, with the flags to change. It needs
 * base/, records/ and model/. It does not know how long anything takes, nor on which machine. */
#ifndef TOISE_PLAN_PLAN_H
#define TOISE_PLAN_PLAN_H

#include "config/params.h"
#include "model/buffers.h"
#include "plan/grid.h"
#include "plan/layout.h"
#include "plan/ledger.h"

enum plan_rows { PLAN_ROWS_BY_SIZE, PLAN_ROWS_APART, PLAN_ROWS_TOGETHER };

/* The user's request. */
struct plan_request {
    struct model_config config;
    enum kernel_dtype dtype;
    int64_t seq, global_batch;   /* tokens; sequences */
    struct plan_layout layout;   /* of the ranks */
    struct model_route route;    /* of experts */
    int rank;                    /* of the world; plans differ by what a rank holds */
    int threads;                 /* OpenMP threads of a rank */
    struct kernel_caches caches; /* of a rank's team; zeros: unknown */
    int64_t bucket;              /* elements in a gradient message; 0: PLAN_BUCKET */
    int64_t head_rows;           /* 0: PLAN_HEAD_ROWS */
    enum plan_rows rows;         /* the tied token table's gradient, see plan_rows_apart */
    bool gate;                   /* the gate runs first, so its FP64 sequence must also fit */
    bool copies;                 /* a rank has room for a copy of what it writes of a checkpoint (writers.h) */
};

enum {
    PLAN_BUCKET = 8 << 20, /* 32 MiB: long enough for full bandwidth, short enough to start early */
    PLAN_GATE_TOKENS =
        64, /* tokens of the sequence that the gate repeats in FP64; attention is causal, so a prefix suffices */
    PLAN_HEAD_ROWS =
        512 /* logits of 512 tokens x 50,257 are 103 MB; fewer rows re-read the table's gradient more often */
};

/* One kind of memory on a rank. */
struct plan_arena {
    const char *name;
    double bytes;
};
enum plan_memory {
    PLAN_WEIGHTS, /* BF16 copy; none in FP32, which uses the master weights. A table that another stage lends. Stage 3:
                     the blocks that the rank owns in BF16, and ranges while they are used */
    PLAN_MASTER,  /* FP32 weights; under ZeRO the owned ones. FP32 computes with them, so needs all before stage 3 */
    PLAN_GRADIENTS, /* FP32, of each level; from stage 2 on the owned ones, and ranges while they are summed; those of a
                       head apart from its table */
    PLAN_MOMENTS,   /* two in FP32; under ZeRO the owned ones */
    PLAN_ACTIVATIONS,
    PLAN_BATCH,    /* inputs of the micro-batches that are kept, targets of one; both of a sequence that ranks share */
    PLAN_SCRATCH,  /* of the kernels */
    PLAN_GATHERED, /* of all ranks: tokens, then rows, if rows are apart */
    PLAN_COPY,     /* whole tensors of a checkpoint: master weights, then both moments */
    PLAN_ARENAS
};

struct plan {
    struct plan_request request; /* with defaults filled in */
    struct plan_place place;     /* of the rank */
    struct model_config part;    /* what the rank holds of request.config */
    struct model_shape shape;    /* of a micro-batch; .config points to part, .part.whole into request */
    int64_t accumulation;        /* micro-batches of a rank in one step */
    bool rows_apart;             /* see plan_rows_apart */
    struct plan_arena arenas[PLAN_ARENAS];
    double memory_bytes; /* of a rank: sum of the arenas */
    double gate_bytes;   /* of a rank, in addition, before timing; 0 without the gate */
    struct plan_ledger ledger;
};

/* Makes the plan. BASE_USAGE: sizes that contradict each other, and what would fit. Do not move *plan: plan->shape
 * points into it. */
int plan_make(struct plan *plan, const struct plan_request *request, struct base_error *e);

/* The plan of the rank that holds most: the first of a pipeline stage, or of a stage the one that copies most. */
int plan_make_largest(struct plan *plan, const struct plan_request *request, struct base_error *e);
/* The pipeline that the rank is in; of one device if there are no stages. */
void plan_pipeline_of(const struct plan *plan, struct plan_pipeline *pipeline);

/* The replicas that hold a range of the parameters (config/params.h): of experts fewer. */
int plan_range_replicas(const struct plan_layout *layout, const struct model_params *params, int64_t range);
/* Under ZeRO each range is cut into as many blocks as it has replicas, and each rank owns one (comm_block). Elements
 * that a rank owns at most; without ZeRO all. */
int64_t plan_owned(const struct plan_layout *layout, const struct model_params *params);
/* Parameters whose gradient is summed over tensor parallel ranks before replicas: key/value heads that
 * several of them hold, and with sequence parallelism norms. */
bool plan_shared_heads(const struct plan *plan, const struct model_parameter *parameter);
bool plan_shared_norm(const struct plan *plan, const struct model_parameter *parameter);
/* Whole ranges that are in memory at once if only the owned blocks are kept: the embeddings, two layers and their
 * experts, and what follows the layers. Elements. */
int64_t plan_passing(const struct model_params *params);

/* Whether the gradient of a tied token table is summed in two parts. The head's part is final before the layers'
 * backward starts, so its all-reduce overlaps with that. The embedding's part, final last, is the rows of the last
 * micro-batch's tokens; each rank gathers those of all and adds them in order of rank. By size: if tokens and rows of
 * all ranks have at most a quarter of the table's bytes. That bounds the memory, and what is sent last is an eighth
 * or less of what it would be. */
bool plan_rows_apart(const struct plan_request *request);
/* Rows that are gathered: the tokens of one micro-batch of every rank. */
int64_t plan_rows_count(const struct plan_request *request);

/* Bytes of `local` ranks on a node, with the gate's: of all stages if it has all ranks, else of those that hold most.
 */
double plan_node_bytes(const struct plan_request *request, int local);
/* BASE_USAGE: `local` ranks exceed the node's memory; the message names the largest micro-batch or slice that would
 * fit. available: bytes; negative: unknown, and nothing is refused. */
int plan_check_memory(const struct plan *plan, int local, double available, struct base_error *e);
/* Sets the request's micro-batch: the largest that divides `share` sequences, has at most 8,192 tokens, leaves each
 * pipeline stage four of them, and fits as above; else 1. share: a rank's, or what all points of a curve have in
 * common. */
void plan_choose_micro_batch(struct plan_request *request, int64_t share, int local, double available);

#endif
