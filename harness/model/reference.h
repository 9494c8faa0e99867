/* SPDX-License-Identifier: Apache-2.0
 *
 * The same transformer in FP64: serial, plain loops, a reference matmul. The gate compares the fast path with it. It
 * shares no arithmetic with model.c or the kernels. For BF16 it rounds where the path stores BF16: activations and
 * their gradients when they leave an operation, and inside one only what `weights` says. */
#ifndef TOISE_MODEL_REFERENCE_H
#define TOISE_MODEL_REFERENCE_H

#include "config/params.h"
#include "model/buffers.h"

struct model_reference {
    const struct model_params *params;
    struct model_shape shape; /* batch and seq of one call; head_rows is unused */
    /* BF16: attention rounds its weights and the gradients of its scores, as kernel_attention_weights says of the path.
     * Weights are rounded before they are divided by their sum, over all keys at once: up to ATTENTION_BLOCK keys. */
    enum kernel_dtype weights;
    /* Reads weights [offset, offset + count) as FP64 from wherever they are stored. It is called tensor by tensor, so a
     * large model is never in memory twice. */
    void (*read)(void *context, int64_t offset, int64_t count, double *out);
    void *context;
    /* [params->total], or NULL. Gradients of gains and biases are sums over tokens. This gets the sums of squares of
     * their terms, which show how far terms cancel. */
    double *squares;
    /* Of experts. choice: those that the path chose, [layers][batch * seq][active], since near-ties round; NULL: those
     * of the largest scores. These may be NULL, and the caller clears them. surprise: the most by which the score of an
     * expert that was not chosen exceeds that of one that was, as a difference of logits. It is relative to the norms
     * of the token and of the router's largest row, and infinite if a choice is no expert, or stands twice. balance:
     * gains the load-balancing loss (experts.h). */
    const int32_t *choice;
    double *surprise, *balance;
};

/* Writes each token's loss (nats) into loss[batch*seq]. If grads is not NULL, adds the gradient of grad_scale * (sum of
 * losses) into grads[params->total]. BASE_BROKEN when memory runs out. */
int model_reference_step(const struct model_reference *r, const int32_t *tokens, const int32_t *targets,
                         double grad_scale, double *loss, double *grads, struct base_error *e);

/* Bytes of memory that a call takes. Reads only params and shape of r. */
double model_reference_bytes(const struct model_reference *r, bool backward);

#endif
