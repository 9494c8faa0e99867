/* SPDX-License-Identifier: Apache-2.0
 *
 * One rank's transformer: forward, loss, backward on a micro-batch, by the team's kernels, in arenas that the
 * caller owns. It knows no MPI: where its peers matter it calls a hook, and the serial hooks do nothing. */
#ifndef TOISE_MODEL_MODEL_H
#define TOISE_MODEL_MODEL_H

#include "base/arena.h"
#include "model/buffers.h"
#include "model/params.h"

/* Called with a range of the parameter buffer, in elements. need: before a pass first reads these weights; done:
 * after its last read; ready: their gradient is final in this backward. Any may be NULL. The embedding and what follows
 * the last layer are done in backward only: a pass that ends before it holds them. */
typedef void model_hook(void *context, int64_t offset, int64_t count);
struct model_hooks {
    void *context;
    model_hook *need, *done, *ready;
};

struct model {
    struct model_shape shape;
    const struct model_params *params;
    const struct kernel_team *team;
    struct model_hooks hooks;
    const void *weights;          /* [params->total] of shape.dtype */
    float *grads;                 /* [params->total] */
    void *buffers[MODEL_BUFFERS]; /* first copy of each */
};

/* Takes every buffer of buffers.h from the arena. BASE_BROKEN when the arena is too small (a bug of the plan). */
int model_open(struct model *m, const struct model_shape *shape, const struct model_params *params,
               const struct kernel_team *team, const void *weights, float *grads, struct base_arena *activations,
               struct base_error *e);

/* tokens[batch*seq] -> the final norm's output; keeps what backward needs. */
void model_forward(struct model *m, const int32_t *tokens);
/* The head and the loss, chunk by chunk: returns the sum of the tokens' losses (nats) and leaves each in
 * MODEL_LOSS. With grad_scale != 0 it also starts backward: the head's weight gradient is added into grads, and
 * the final norm's output gradient is left in MODEL_DNORM; every gradient is multiplied by grad_scale. */
double model_loss(struct model *m, const int32_t *targets, float grad_scale);
/* Adds all other parameter gradients into grads, last layer first, calling hooks.ready as each range is final. */
void model_backward(struct model *m, const int32_t *tokens);

/* batch * seq */
int64_t model_tokens(const struct model *m);
/* A role's weight and gradient in layer `layer`; NULL when the family has none. */
const void *model_weight(const struct model *m, enum model_role role, int64_t layer);
float *model_gradient(const struct model *m, enum model_role role, int64_t layer);
/* Copy `layer` of a buffer. */
void *model_buffer_at(const struct model *m, enum model_buffer buffer, int64_t layer);

#endif
