/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that one accelerator holds while it trains. Activations follow Korthikanti et al. 2022 (equations 1 to 6),
 * tensor by tensor. So gated MLPs, grouped queries and fused attention count what they keep.
 *
 * In a mixture of experts, a rank holds experts / EP of a layer. ZeRO shards those among the DP CP / EP ranks that hold
 * the same ones. With k active experts a layer keeps per token: k rows as the experts take them, k of the MLP's, k as
 * they return, and the scores. Sequence parallelism gathers the rows that experts take, so those are not sharded.
 * Routing is balanced. */
#ifndef TOISE_COSTMODEL_MEMORY_H
#define TOISE_COSTMODEL_MEMORY_H

#include "plan/layout.h"

/* Sizes that depend on framework and precision. Bytes of an element unless stated. */
struct cost_numerics {
    double weight_bytes;     /* a parameter as the layers use it: 2, or 4 for FP32 */
    double gradient_bytes;   /* 4 where micro-batches are summed in FP32, as Megatron does with BF16; else 2 */
    double optimizer_bytes;  /* 12: FP32 master weights and two moments; 8 where the weights are FP32 */
    double activation_bytes; /* 2, or 4 for FP32 */
    bool dropout;            /* masks are kept, one byte an element */
    bool fused_attention;    /* scores are never stored */
    double framework_bytes;  /* bytes in all: context, libraries, message buffers */
};

struct cost_memory {
    double weights, gradients, optimizer, activations;
    double logits;    /* of one micro-batch in FP32, and their gradient; last stage only */
    double total;     /* sum of the above */
    double framework; /* not in total */
    int device;       /* the pipeline rank these are of: the one that holds the most */
};

/* The fullest pipeline rank's memory. The layout must have passed plan_layout_check(). */
struct cost_memory cost_memory(const struct model_config *config, const struct plan_layout *layout,
                               const struct plan_batch *batch, const struct cost_numerics *numerics);
/* Memory that an accelerator needs: total plus 5% for fragmentation, plus the framework's. */
double cost_memory_needed(const struct cost_memory *memory);
/* Bytes that one layer keeps for one micro-batch until its backward. */
double cost_memory_layer(const struct model_config *config, const struct plan_layout *layout,
                         const struct plan_batch *batch, const struct cost_numerics *numerics);
/* Parameters of one pipeline rank, on one tensor parallel rank. */
double cost_memory_parameters(const struct model_config *config, const struct plan_layout *layout, int device);
/* The experts' part of those. */
double cost_memory_experts(const struct model_config *config, const struct plan_layout *layout, int device);

#endif
