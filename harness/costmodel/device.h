/* SPDX-License-Identifier: Apache-2.0
 *
 * Seconds of one accelerator for a layer and for the head, without messages.
 *
 * In a mixture of experts, these parts replace the MLP of all layers but the first dense ones.
 * - A router has t x E scores, of t tokens for E experts.
 * - Passes sort the rows by expert and back.
 * - One launch has the matmuls of all experts of a rank, like Megatron-Core's grouped ones, at a share of the rate of
 *   one matmul as large. Rows are padded to whole tiles as in any matmul.
 * The busiest rank's experts have traits.busiest times the rows of balanced routing. Dropped tokens are not priced. */
#ifndef TOISE_COSTMODEL_DEVICE_H
#define TOISE_COSTMODEL_DEVICE_H

#include "costmodel/matmul.h"

/* Seconds of one layer for one micro-batch on one rank. */
struct cost_part {
    double forward, backward, recompute; /* recompute: the forward work that backward repeats */
};
struct cost_layer {
    struct cost_part linear, attention, passes;
    struct cost_part experts;               /* the experts' matmuls */
    struct cost_part router;                /* the router's matmul and the passes of routing */
    double shared;                          /* forward of the shared experts, which is in `linear` */
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
