/* SPDX-License-Identifier: Apache-2.0
 *
 * The room model/ holds one rank's transformer. This file is that transformer: forward, loss and backward on one
 * micro-batch. It promises that a step is bitwise reproducible at a fixed layout and thread count.
 *
 * It needs a configuration, a kernel team, and arenas that the caller owns: weights, gradients, activations.
 *
 * It knows no MPI, no optimizer and no data source. It reports to its caller by hooks, which may be NULL: `ready` when
 * a gradient is final (parallel/ then sends it), `need` and `done` around the use of weights, and others where it needs
 * other ranks.
 *
 * buffers.h is its memory as a table. reference.h is the same model in
 * FP64, which shares no arithmetic with this one. */
#ifndef TOISE_MODEL_MODEL_H
#define TOISE_MODEL_MODEL_H

#include "base/arena.h"
#include "config/params.h"
#include "model/buffers.h"

/* Called with a range of the parameter buffer, in elements; any may be NULL. need: before a pass first reads these
 * weights. done: after its last read. ready: their gradient is final in this backward. For the embedding and for what
 * follows the last layer, done is called in backward only, so a forward pass keeps them. */
typedef void model_hook(void *context, int64_t offset, int64_t count);
/* rows: if set and the head is tied, backward leaves the token table's gradient as the head made it, and it is ready
 * first. The caller adds the embedding's part: dx[batch*seq, width] of shape.dtype to the rows of these tokens. */
typedef void model_rows_hook(void *context, const int32_t *tokens, const void *dx);
/* Tensor parallel ranks; all are set if the model is split. sum: x[n] becomes the sum over the ranks. scatter: of that
 * sum each rank gets its share of x, the ranks' shares being equal and in their order. gather: each rank has its share
 * of x, and gets all. They may return before that, as long as wait does not; at most one is in flight. All ranks get
 * the same bits. With shape.tree sums are those of a tree over the ranks.
 *
 * With shape.sequence a rank keeps its share of the residual stream and computes norms for it alone (Korthikanti et al.
 * 2022). So sums become scatters, and what matmuls need of all tokens is gathered. Gradients of norms are then of this
 * rank's tokens alone. */
typedef void model_sum_hook(void *context, void *x, int64_t n, enum kernel_dtype dtype);
typedef void model_wait_hook(void *context);
/* Context parallel ranks; both are set if there are several. exchange: starts to send `to` to the rank after this one,
 * round in a ring, and to receive `from` from the one before, as many bytes. exchanged: both are done. One of each kind
 * is in flight at most. */
enum model_exchange { MODEL_KEYS, MODEL_KEYS_GRAD };
typedef void model_exchange_hook(void *context, enum model_exchange what, const void *to, void *from, size_t bytes);
typedef void model_exchanged_hook(void *context, enum model_exchange what);
/* Expert parallel ranks; all are set if there are several. counts: rows for each expert, sent[experts], become those
 * that came: [ranks][own_experts], of each rank for this one's experts. move: starts to send rows of `bytes` each, back
 * to back by rank, as those counts say: out to the experts, or back home. moved: they are there. One of each kind is in
 * flight at most. */
enum model_rows_kind { MODEL_ROWS_MOVED, MODEL_MIX_MOVED };
typedef void model_counts_hook(void *context, const int32_t *sent, int32_t *came);
typedef void model_move_hook(void *context, enum model_rows_kind kind, bool out, const int32_t *sent,
                             const int32_t *came, const void *from, void *to, size_t bytes);
typedef void model_moved_hook(void *context, enum model_rows_kind kind);
/* load: x[n] becomes the sum over context parallel ranks. chosen: may be NULL; called with the experts of each token,
 * choice[T, active], of a layer of the whole model. */
typedef void model_load_hook(void *context, float *x, int64_t n);
typedef void model_chosen_hook(void *context, int64_t layer, const int32_t *choice);
struct model_hooks {
    void *context;
    model_hook *need, *done, *ready;
    model_rows_hook *rows;
    model_sum_hook *sum, *scatter, *gather;
    model_wait_hook *wait;
    model_exchange_hook *exchange;
    model_exchanged_hook *exchanged;
    model_counts_hook *counts;
    model_move_hook *move;
    model_moved_hook *moved;
    model_load_hook *load;
    model_chosen_hook *chosen;
};

/* Where each range of the parameters (params.h) is in memory, if not all are in one buffer. The caller keeps valid what
 * a hook announced, and the gradients that a backward pass is about to add to. */
struct model_places {
    const void **weights; /* [ranges] */
    float **grads;        /* [ranges] */
};

struct model {
    struct model_shape shape;
    const struct model_params *params;
    const struct kernel_team *team;
    struct model_hooks hooks;
    const void *weights;        /* [params->total] of shape.dtype */
    float *grads;               /* [params->total] */
    struct model_places places; /* NULLs: weights and grads say */
    const void *head;           /* a tied head apart from its token table (model_part_borrows); else NULL */
    float *head_grad;           /* its gradient, or with shape.tree that of a tied head; else NULL */
    /* with shape.tree: elements from one level of gradients (tree.h) to the next, of grads or places.grads, and of
     * head_grad */
    int64_t grads_apart, head_apart;
    int64_t sample; /* the first sequence of the micro-batch that runs, counted from this rank's first of the step */
    void *buffers[MODEL_BUFFERS]; /* first copy of each */
    int chunk, turn;              /* see model_turn */
    int64_t slot, late;
    float grad_scale; /* of experts' load-balancing loss: that of model_loss, which the caller sets */
    double balance;   /* that loss (experts.h) of forward passes since the caller cleared it, summed over tokens */
};

/* Takes every buffer of buffers.h from the arena. BASE_BROKEN when the arena is too small, which is a bug of the plan.
 */
int model_open(struct model *m, const struct model_shape *shape, const struct model_params *params,
               const struct kernel_team *team, const void *weights, float *grads, struct base_arena *activations,
               struct base_error *e);

/* What the next passes are of. chunk: of layers. slot: one of its micro-batches that are kept. late: one of those that
 * wait for weight gradients. turn: one of two gradients of the residual stream. All are 0 from the start. */
void model_turn(struct model *m, int chunk, int64_t slot, int64_t late, int turn);
/* Whether the chunk begins with the embeddings, and whether it ends with the head. Else forward starts from what is in
 * model_entry, and backward from what is in model_stream. */
bool model_embeds(const struct model *m);
bool model_heads(const struct model *m);
/* [R, width] of the residual stream: into the chunk, and out of it. Its gradient: of what comes out, and after backward
 * of what went in. */
void *model_entry(const struct model *m);
void *model_exit(const struct model *m);
void *model_stream(const struct model *m);

/* tokens[batch*seq] -> the final norm's output, or the chunk's. Keeps what backward needs. */
void model_forward(struct model *m, const int32_t *tokens);
/* Head and loss, chunk by chunk. Returns the sum of the tokens' losses (nats) and leaves each in MODEL_LOSS. With
 * grad_scale != 0 it also starts backward. It adds the head's weight gradient into grads or head_grad, and leaves the
 * gradient of the final norm's output in MODEL_DNORM. Every gradient is multiplied by grad_scale. */
double model_loss(struct model *m, const int32_t *targets, float grad_scale);
/* Adds all other parameter gradients into grads, last layer first, unless hooks.rows takes some. Calls hooks.ready when
 * a range is final. If the chunk is late (struct model_chunk), those of layers are left to model_weights: backward
 * keeps what it needs. Until then the micro-batch's slots stay its own. */
void model_backward(struct model *m, const int32_t *tokens);
/* The rest of a late backward, with the bits that it would have had at once; it reads no weights, but calls hooks.need
 * before it adds to a layer's gradients. */
void model_weights(struct model *m);

/* Elements at the start of the buffer that are ready first in this backward: the token table if hooks.rows takes the
 * embedding's part, else 0. */
int64_t model_early(const struct model *m);
/* batch * seq; those whose residual stream this rank keeps; and the first of them. */
int64_t model_tokens(const struct model *m);
int64_t model_own_tokens(const struct model *m);
int64_t model_own_first(const struct model *m);
/* A role's weight and gradient in layer `layer`. NULL when the family has none. */
const void *model_weight(const struct model *m, enum model_role role, int64_t layer);
float *model_gradient(const struct model *m, enum model_role role, int64_t layer);
/* A buffer's copy of the chunk and micro-batch whose turn it is; of layer `layer`, if layers have copies. */
void *model_buffer_at(const struct model *m, enum model_buffer buffer, int64_t layer);
/* A buffer's copy by its number. */
void *model_buffer_copy(const struct model *m, enum model_buffer buffer, int64_t copy);

#endif
