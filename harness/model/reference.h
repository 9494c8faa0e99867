/* SPDX-License-Identifier: Apache-2.0
 *
 * The same transformer in FP64, serial, by plain loops and a reference matmul: what the gate holds the fast path
 * against. It shares no arithmetic with model.c or the kernels. With dtype BF16 it rounds where the path stores
 * BF16: every activation and activation gradient that leaves an operation, never inside one. */
#ifndef TOISE_MODEL_REFERENCE_H
#define TOISE_MODEL_REFERENCE_H

#include "model/buffers.h"
#include "model/params.h"

struct model_reference {
    const struct model_params *params;
    struct model_shape shape; /* batch and seq of one call; head_rows is not used */
    /* Weights [offset, offset + count) as FP64, from wherever they live; called tensor by tensor, so that a large
     * model is never held twice. */
    void (*read)(void *context, int64_t offset, int64_t count, double *out);
    void *context;
    /* [params->total], or NULL: as gradients of gains and biases are summed over tokens, the squares of what is summed
     * are added here, for whoever asks how far it cancels. */
    double *squares;
};

/* Each token's loss (nats) into loss[batch*seq]; and, with grads not NULL, the gradient of
 * grad_scale * (sum of losses) added into grads[params->total]. BASE_BROKEN when memory runs out. */
int model_reference_step(const struct model_reference *r, const int32_t *tokens, const int32_t *targets,
                         double grad_scale, double *loss, double *grads, struct base_error *e);

/* Memory that a call takes, bytes; only params and shape of r matter. */
double model_reference_bytes(const struct model_reference *r, bool backward);

#endif
