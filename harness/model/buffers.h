/* SPDX-License-Identifier: Apache-2.0
 *
 * One rank's activation memory for a micro-batch, as a table of shapes and dtypes. The plan adds it up, and model_open
 * takes it from the arena. */
#ifndef TOISE_MODEL_BUFFERS_H
#define TOISE_MODEL_BUFFERS_H

#include "config/part.h"
#include "kernels.h"
#include "model/context.h"
#include "model/experts.h"
#include "model/tree.h"

/* What forward keeps of a layer for backward, which computes the rest again. */
enum model_kept {
    MODEL_KEPT_ALL,
    MODEL_KEPT_MATMULS, /* matmuls' outputs: not attention, norms and the activation function */
    MODEL_KEPT_LAYERS   /* the layer's input alone */
};

/* What one rank computes at a time. T = batch * seq tokens; R = T, or with `sequence` this rank's equal share of them.
 */
struct model_shape {
    const struct model_config *config; /* the part's */
    struct model_part part;            /* ranks 0 or 1 and chunks 0: the whole model */
    bool sequence; /* tensor parallel ranks also split tokens, where they would all compute the same (model.h) */
    enum kernel_dtype dtype; /* of weights and activations */
    int64_t batch, seq;      /* micro-batch: sequences, tokens that this rank has of each */
    struct model_context context;
    int64_t head_rows; /* tokens whose logits are in memory at once, 1..T */
    enum model_kept kept;
    struct model_route route; /* of experts */
    struct model_tree tree;
};

enum model_buffer {
    /* the embedding, if a norm follows it */
    MODEL_EMBED,      /* [R, width] before the norm */
    MODEL_EMBED_MEAN, /* [R] FP32, as all means and rstds */
    MODEL_EMBED_RSTD,
    /* for backward, one per layer if the shape keeps it; else one, which layers share */
    MODEL_X,          /* [R, width] the residual stream into the layer; always kept, and that out of the last layer */
    MODEL_NORM1,      /* [T, width] */
    MODEL_NORM1_MEAN, /* means: none for RMSNorm */
    MODEL_NORM1_RSTD,
    MODEL_QKV_OUT, /* [T, qkv]; queries and keys are rotated if positions are rotary */
    MODEL_ATT,     /* [T, attention] */
    MODEL_LSE,     /* [batch, heads, seq] FP32; in context parallel ranks [batch, 2, heads, seq / 2] */
    MODEL_MID,     /* [R, width] the residual stream after attention */
    MODEL_NORM2,
    MODEL_NORM2_MEAN,
    MODEL_NORM2_RSTD,
    MODEL_UP,  /* [T, up] before the activation function; with experts [M, up], M = model_expert_rows */
    MODEL_ACT, /* [T, ffn] after it; [M, ffn] */
    /* experts, if there are some. Numbers of rows, tokens and experts are int32 */
    MODEL_PROBS,         /* [T, experts] FP32 */
    MODEL_CHOICE,        /* [T, active] experts */
    MODEL_MIX,           /* [T, active] FP32: their weights */
    MODEL_PLACE,         /* [T, active] a choice's row, in the order of experts */
    MODEL_ORDER,         /* [T * active] a row's token */
    MODEL_SENT,          /* [experts] rows for each */
    MODEL_CAME,          /* [ranks, own_experts] rows from each rank; only in expert parallel ranks */
    MODEL_LOAD,          /* [batch, experts] FP32: rows of each sequence, of context parallel ranks together */
    MODEL_ROWS,          /* [M, width] what own experts get */
    MODEL_ROW_MIX,       /* [M] FP32: its weights */
    MODEL_SHARED_UP_OUT, /* [T, shared up] of the shared experts; only with some, as all of them */
    MODEL_SHARED_ACT,    /* [T, shared] */
    /* one of each, but for the final norm's: of each micro-batch */
    MODEL_POSITION, /* rotary: cosines, then sines, [seq, head_dim / 2] FP32 each; ALiBi: slopes, [heads] FP32 */
    MODEL_FINAL,    /* [T, width] after the final norm */
    MODEL_FINAL_MEAN,
    MODEL_FINAL_RSTD,
    MODEL_LOGITS, /* [head_rows, vocab_ld] FP32 */
    MODEL_CE_MAX, /* [T] FP32 */
    MODEL_CE_SUM,
    MODEL_CE_TARGET,
    MODEL_LOSS,
    /* gradients of activations, reused by every layer; what late weight gradients need has copies of each */
    MODEL_DLOGITS, /* [head_rows, vocab_ld]; none in FP32, which overwrites the logits */
    MODEL_DX,      /* [R, width] of the residual stream; between pipeline stages two, in turns */
    MODEL_DOUT,    /* [T, width] of the residual stream out of a layer, as the last matmul gets it; only if late */
    MODEL_DMID,    /* [T, width] the same after attention */
    MODEL_DNORM1,  /* [R, width] of each norm's output; only if late */
    MODEL_DNORM2,
    MODEL_DNORM,   /* [R, width] of a norm's output */
    MODEL_DATT,    /* [T, attention] */
    MODEL_DQKV,    /* [T, qkv] */
    MODEL_DUP,     /* [T or M, up] before the activation function */
    MODEL_DACT,    /* [T or M, ffn] after it; none without a gate, where it becomes dup in place */
    MODEL_PARTIAL, /* [T, width] FP32: a rank's addend of a sum over tensor parallel ranks, or the sum of rows; in FP32
                      only with `sequence` */
    MODEL_SHARES,  /* [T, width] the residual stream's or its gradient's shares of all ranks; only with `sequence` */
    MODEL_STATISTICS, /* [parts][3][head_rows] FP32: the cross-entropy's, of parts of the vocabulary */
    /* only with a tree */
    MODEL_SUMS,       /* one for each level above the lowest: [T, width] FP32, sums over k */
    MODEL_NORM_PARTS, /* [batch * leaves][2][width] FP32: a norm's gradients, of parts of sequences */
    MODEL_NUMBERS,    /* [R] 0, 1, 2, ... */
    /* only in context parallel ranks */
    MODEL_RING,      /* 2 x [T, 2 * kv] keys and values of a rank */
    MODEL_RING_GRAD, /* 3 x [T, 2 * kv] FP32: their gradients */
    MODEL_JOINED,    /* [T, qkv] FP32: attention, then gradients, that join over the ring; none in FP32 */
    /* only with experts */
    MODEL_SCORES,     /* [T, experts] FP32: the router's logits */
    MODEL_DSCORES,    /* [T, experts] */
    MODEL_DPROBS,     /* [batch, experts] FP32: of the load-balancing loss */
    MODEL_DROWS,      /* [M, width] of what own experts give; only if late */
    MODEL_NEXT,       /* [experts] the next row of each */
    MODEL_OUT_ROWS,   /* [M, width] what own experts give, or its gradient; FP32 if the model is split */
    MODEL_DROW_MIX,   /* [M] FP32 */
    MODEL_DMIX,       /* [T, active] FP32 */
    MODEL_DSHARED_UP, /* [T, shared up] */
    MODEL_DSHARED,    /* [T, shared] */
    /* only in expert parallel ranks: rows and their weights at home, in the order of experts, and as they came */
    MODEL_HOME_ROWS, /* [T * active, width] as MODEL_OUT_ROWS */
    MODEL_CAME_ROWS, /* [M, width] */
    MODEL_HOME_MIX,  /* [T * active] FP32 */
    MODEL_CAME_MIX,  /* [M] FP32 */
    MODEL_INTO,      /* [M] which of the rows that came is an expert's; and the reverse */
    MODEL_BACK,
    MODEL_BUFFERS
};

/* What has a copy of its own, if the shape keeps it: nothing; a micro-batch that is kept of the first or last chunk;
 * each of its layers, or also what comes out of the last of them; each layer of one that waits for weight gradients. */
enum model_each { MODEL_ONCE, MODEL_EACH_FIRST, MODEL_EACH_LAST, MODEL_EACH_LAYER, MODEL_EACH_INPUT, MODEL_EACH_LATE };

struct model_buffer_row {
    const char *name;
    enum model_each each;
    int64_t copies, elements; /* in all; elements of one copy */
    enum kernel_dtype dtype;
    bool gradient; /* of an activation: used in backward only */
};

struct model_buffer_row model_buffer_describe(const struct model_shape *shape, enum model_buffer buffer);
/* Whether tensor parallel ranks share the model. */
static inline bool model_is_split(const struct model_shape *shape) {
    return shape->part.ranks > 1;
}
/* Whether sums over a k that is split are FP32 apart from where they end up: of ranks, or of a tree's leaves. */
static inline bool model_is_apart(const struct model_shape *shape) {
    return model_is_split(shape) || shape->tree.leaves > 0;
}
/* Ranks that share out experts, and those that share a sequence: at least 1. */
static inline int64_t model_expert_ranks(const struct model_shape *shape) {
    return shape->part.expert_ranks > 1 ? shape->part.expert_ranks : 1;
}
static inline int64_t model_context_ranks(const struct model_shape *shape) {
    return model_context_shares(shape->context) ? shape->context.ranks : 1;
}
/* Chunks of layers: at least 1. A chunk; its first layer is counted from the part's. */
int model_chunks(const struct model_shape *shape);
struct model_chunk model_chunk_of(const struct model_shape *shape, int chunk);
/* Whether weight gradients of a chunk's layers are computed apart from backward (model_weights). */
bool model_is_late(const struct model_shape *shape, int chunk);
/* Layers of a chunk of which backward computes again what is not kept. Of the last one it is still there, unless other
 * micro-batches came in between. */
int64_t model_again(const struct model_shape *shape, int chunk);
/* Copies of such a buffer in the chunks before `chunk`, each of its layers and micro-batches having one. */
int64_t model_copies_before(const struct model_shape *shape, enum model_each each, int chunk);
/* Parts of the vocabulary whose statistics are merged; 1: there is but one. */
int64_t model_vocab_parts(const struct model_shape *shape);
/* Leading dimension of the logits: the vocabulary rounded up to a cache line. The padding is never read. */
int64_t model_vocab_ld(const struct model_config *config);

/* The slopes of heads first .. first + count - 1 of ALiBi (Press et al. 2022). For n heads, n a power of two: 2^(-8/n),
 * 2^(-16/n), ... Else n is the largest power of two below: its slopes come first, then every second slope of 2n heads,
 * from the first. */
void model_position_slopes(int64_t heads, int64_t first, int64_t count, float *slopes);
/* Cosines and sines of positions first .. first+count-1, [count, head_dim / 2] each. Angles are computed in FP64. */
void model_position_angles(const struct model_config *config, int64_t first, int64_t count, float *cosines,
                           float *sines);

#endif
