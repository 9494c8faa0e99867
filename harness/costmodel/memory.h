/* SPDX-License-Identifier: Apache-2.0
 *
 * What one accelerator holds while it trains, bytes. Activations by Korthikanti et al. 2022 (equations 1 to 6), taken
 * apart into their tensors so that gated MLPs, grouped queries and fused attention count what they keep.
 *
 * Of a mixture of experts a rank holds experts / EP a layer, and ZeRO shares those out among the DP CP / EP ranks that
 * hold the same. A layer keeps of k active experts: k rows a token as the experts take them (not shared out by sequence
 * parallelism, which gathers them), k of the MLP's, k as they return, and the scores. Routing is balanced. */
#ifndef TOISE_COSTMODEL_MEMORY_H
#define TOISE_COSTMODEL_MEMORY_H

#include "plan/layout.h"

/* How the framework trains, as far as memory knows. */
struct cost_numerics {
    double weight_bytes;     /* a parameter as the layers use it: 2, or 4 for FP32 */
    double gradient_bytes;   /* 4 where sums of micro-batches are kept in FP32, as Megatron does with BF16; else 2 */
    double optimizer_bytes;  /* 12: FP32 master weights and two moments; 8 where the weights are FP32 themselves */
    double activation_bytes; /* an element: 2, or 4 */
    bool dropout;            /* masks of a byte an element are kept */
    bool fused_attention;    /* scores are never stored */
    double framework_bytes;  /* of its own: context, libraries, message buffers */
};

struct cost_memory {
    double weights, gradients, optimizer, activations;
    double logits;    /* of one micro-batch, in FP32, and their gradient; on the last stage */
    double total;     /* of the above */
    double framework; /* beside it */
    int device;       /* the pipeline rank that holds the most: the one these are of */
};

/* The fullest pipeline rank's memory. The layout must have passed plan_layout_check(). */
struct cost_memory cost_memory(const struct model_config *config, const struct plan_layout *layout,
                               const struct plan_batch *batch, const struct cost_numerics *numerics);
/* What an accelerator must have for it: a twentieth more for fragments, and what the framework takes. */
double cost_memory_needed(const struct cost_memory *memory);
/* Bytes that one layer keeps of one micro-batch until its backward. */
double cost_memory_layer(const struct model_config *config, const struct plan_layout *layout,
                         const struct plan_batch *batch, const struct cost_numerics *numerics);
/* Parameters of one pipeline rank's share on one tensor parallel rank; of those, its experts'. */
double cost_memory_parameters(const struct model_config *config, const struct plan_layout *layout, int device);
double cost_memory_experts(const struct model_config *config, const struct plan_layout *layout, int device);

#endif
