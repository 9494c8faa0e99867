/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything known before anything runs: how the world is laid out, and what it makes each rank hold. The plan
 * is a function of the request; making it allocates nothing. */
#ifndef TOISE_PLAN_PLAN_H
#define TOISE_PLAN_PLAN_H

#include "model/buffers.h"
#include "model/params.h"
#include "plan/layout.h"
#include "plan/ledger.h"

/* What the user asks for. */
struct plan_request {
    struct model_config config;
    enum kernel_dtype dtype;
    int64_t seq, global_batch;   /* tokens; sequences */
    struct plan_layout layout;   /* of the ranks: what runs today is data parallel */
    int threads;                 /* OpenMP threads of a rank */
    struct kernel_caches caches; /* of a rank's team; zeros: unknown */
    int64_t bucket;              /* elements of a gradient message; 0: PLAN_BUCKET */
    int64_t head_rows;           /* 0: PLAN_HEAD_ROWS */
    bool gate;                   /* the gate runs first: its FP64 sequence must fit beside the rest */
};

enum {
    PLAN_BUCKET = 8 << 20, /* 32 MiB: long enough for full bandwidth, short enough to start early */
    PLAN_GATE_TOKENS = 64, /* of the sequence that the gate repeats in FP64; attention is causal: a prefix will do */
    PLAN_HEAD_ROWS = 512   /* logits of 512 tokens x 50,257 are 103 MB; fewer rows re-read the table's gradient more */
};

/* One kind of memory of a rank. */
struct plan_arena {
    const char *name;
    double bytes;
};
enum plan_memory {
    PLAN_WEIGHTS,   /* BF16 copy; nothing in FP32, where the master weights are used */
    PLAN_MASTER,    /* FP32 weights */
    PLAN_GRADIENTS, /* FP32 */
    PLAN_MOMENTS,   /* two of FP32 */
    PLAN_ACTIVATIONS,
    PLAN_BATCH,   /* tokens of a micro-batch, inputs and targets */
    PLAN_SCRATCH, /* of the kernels */
    PLAN_ARENAS
};

struct plan {
    struct plan_request request; /* with defaults filled in */
    struct model_shape shape;    /* of a micro-batch; .config points into request */
    int64_t accumulation;        /* micro-batches of a rank in a step */
    struct plan_arena arenas[PLAN_ARENAS];
    double memory_bytes; /* of a rank: the arenas' sum */
    double gate_bytes;   /* of a rank beside it, before timing; 0 without the gate */
    struct plan_ledger ledger;
};

/* Lays the request out, or says which sizes disagree and what would fit (BASE_USAGE). `plan` must stay where it
 * is: plan->shape points into it. */
int plan_make(struct plan *plan, const struct plan_request *request, struct base_error *e);

/* Refuses a plan whose `local` ranks exceed the node's memory: BASE_USAGE, naming the largest
 * micro-batch or slice that would fit. available: bytes; negative: unknown, and nothing is refused. */
int plan_check_memory(const struct plan *plan, int local, double available, struct base_error *e);

#endif
