/* SPDX-License-Identifier: Apache-2.0
 *
 * Seconds of one accelerator for a layer and for the head, without messages. Every operation takes the longer of its
 * arithmetic and its memory traffic. A matmul's arithmetic is padded to whole waves of whole tiles over the compute
 * units (NVIDIA's matmul guide). It loses some of k to a tile's start and end. It slows down where n or k is not a
 * multiple of 64.
 *
 * In a mixture of experts, three parts replace the MLP.
 * - A router has t x E scores, of t tokens for E experts.
 * - Passes sort the rows by expert and back.
 * - One launch has E / EP matmuls of t k EP / E rows each (k of E active), like Megatron-Core's grouped ones.
 * Routing is balanced: uneven load, dropped and padded tokens are not priced. None of it was fitted. Its rows are
 * padded to whole tiles as in any matmul. */
#ifndef TOISE_COSTMODEL_DEVICE_H
#define TOISE_COSTMODEL_DEVICE_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/step.h"

/* What the device achieves on this job. */
struct cost_rates {
    double units;          /* compute units (SMs) */
    double matmul;         /* FLOP/s of large aligned matmuls */
    double slow;           /* FLOP/s of batched matmuls whose n or k is not a multiple of 8: no tensor cores */
    double flash;          /* FLOP/s of fused attention */
    double memory;         /* bytes/s */
    double k0;             /* elements of k lost in a linear layer's matmul */
    double k0_attention;   /* elements of k lost in an attention head's matmul */
    double misaligned[13]; /* time factor, indexed by the factors of two that n and k together lack to 64 */
    double word;           /* bytes of an operand's element */
    bool quantised;        /* pad to whole tiles and waves */
};

void cost_rates_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_rates *rates);

/* `batch` products of m x k by k x n in one launch. batch 0: the single one of a linear layer. */
double cost_matmul_s(const struct cost_rates *rates, double m, double n, double k, double batch);
/* `groups` linear layers of m x k by k x n, each with its own weights, in one launch. */
double cost_grouped_s(const struct cost_rates *rates, double m, double n, double k, double groups);

/* Seconds of one layer for one micro-batch on one rank. */
struct cost_part {
    double forward, backward, recompute; /* recompute: the forward work that backward repeats */
};
struct cost_layer {
    struct cost_part linear, attention, passes;
    struct cost_part experts;               /* the experts' matmuls */
    struct cost_part router;                /* the router's matmul and the passes of routing */
    double launch_forward, launch_backward; /* exposed launch time */
};

void cost_layer_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     const struct cost_rates *rates, struct cost_layer *layer);
double cost_layer_forward(const struct cost_layer *layer);
double cost_layer_backward(const struct cost_layer *layer);

/* The head's three matmuls and cross-entropy in FP32, forward and backward. */
double cost_head_s(const struct cost_job *job, const struct cost_rates *rates);
/* The embedding of tokens, forward and backward. */
double cost_lookup_s(const struct cost_job *job, const struct cost_rates *rates);

#endif
