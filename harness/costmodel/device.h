/* SPDX-License-Identifier: Apache-2.0
 *
 * What one accelerator takes for a layer and for the head, seconds. Every operation costs the longer of its arithmetic
 * and its memory traffic. A matmul's arithmetic is padded to whole waves of whole tiles over the compute units (as
 * NVIDIA's matmul guide describes), loses some of k to a tile's start and end, and slows where n or k is not a multiple
 * of 64.
 *
 * A mixture of experts has for its MLP a router (t x E scores, E experts), passes that sort the rows by expert and
 * back, and E / EP matmuls in one launch, as Megatron-Core's grouped ones, of t k EP / E rows each (k of E active).
 * Routing is balanced: what an expert gets beyond its share, and tokens dropped or padded, are not priced. Nothing of
 * it was fitted; padding of a few rows to whole tiles is the common one of matmuls. */
#ifndef TOISE_COSTMODEL_DEVICE_H
#define TOISE_COSTMODEL_DEVICE_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/step.h"

/* What the device achieves on this job. */
struct cost_rates {
    double units;
    double matmul;           /* FLOP/s of large aligned matmuls */
    double slow;             /* of batched ones with a size that is no multiple of 8: no tensor cores */
    double flash;            /* of fused attention */
    double memory;           /* bytes/s */
    double k0, k0_attention; /* elements of k lost, of a linear layer's and of a head's matmul */
    double misaligned[13];   /* time factor by the factors of two that n and k lack to 64 together */
    double word;             /* bytes of an operand's element */
    bool quantised;
};

void cost_rates_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_rates *rates);

/* `batch` products of m x k by k x n in one launch; batch 0 is a linear layer's single one. */
double cost_matmul_s(const struct cost_rates *rates, double m, double n, double k, double batch);
/* `groups` linear layers of m x k by k x n, each with its own weights, in one launch. */
double cost_grouped_s(const struct cost_rates *rates, double m, double n, double k, double groups);

/* One layer's pass over one micro-batch on one rank. */
struct cost_part {
    double forward, backward, recompute; /* recompute: what backward recomputes of forward */
};
struct cost_layer {
    struct cost_part linear, attention, passes;
    struct cost_part experts, router;       /* matmuls of the experts; router: its matmul, and the passes of routing */
    double launch_forward, launch_backward; /* what launching adds */
};

void cost_layer_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     const struct cost_rates *rates, struct cost_layer *layer);
double cost_layer_forward(const struct cost_layer *layer);
double cost_layer_backward(const struct cost_layer *layer);

/* The head's three matmuls and cross-entropy in FP32, forward and backward; and the look-up of tokens, both ways. */
double cost_head_s(const struct cost_job *job, const struct cost_rates *rates);
double cost_lookup_s(const struct cost_job *job, const struct cost_rates *rates);

#endif
