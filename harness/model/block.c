/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills in the kernels' operands. Differences between families come from the family's row, not from branches per
 * family. */
#include "model/block.h"

#include <math.h>

static const struct model_config *config(const struct model *m) {
    return m->shape.config;
}

struct model_linear model_linear_qkv(const struct model *m, int64_t layer) {
    const int64_t out = model_config_dim(config(m), MODEL_QKV);
    return (struct model_linear){MODEL_QKV_WEIGHT, MODEL_QKV_BIAS, layer, config(m)->width, out, MODEL_QKV};
}
struct model_linear model_linear_proj(const struct model *m, int64_t layer) {
    const int64_t in = model_config_dim(config(m), MODEL_ATTENTION);
    return (struct model_linear){MODEL_PROJ_WEIGHT, MODEL_PROJ_BIAS, layer, in, config(m)->width, MODEL_ATTENTION};
}
struct model_linear model_linear_up(const struct model *m, int64_t layer) {
    const int64_t out = model_config_dim(config(m), MODEL_FFN_UP);
    return (struct model_linear){MODEL_UP_WEIGHT, MODEL_UP_BIAS, layer, config(m)->width, out, MODEL_FFN_UP};
}
struct model_linear model_linear_down(const struct model *m, int64_t layer) {
    return (struct model_linear){MODEL_DOWN_WEIGHT, MODEL_DOWN_BIAS,  layer,
                                 config(m)->ffn,    config(m)->width, MODEL_FFN};
}

struct model_linear model_linear_router(const struct model *m, int64_t layer) {
    return (struct model_linear){MODEL_ROUTER_WEIGHT, MODEL_NO_ROLE,      layer,
                                 config(m)->width,    config(m)->experts, MODEL_ONE};
}

struct model_linear model_linear_shared_up(const struct model *m, int64_t layer) {
    const int64_t out = model_config_dim(config(m), MODEL_SHARED_UP);
    return (struct model_linear){MODEL_SHARED_UP_WEIGHT, MODEL_NO_ROLE, layer, config(m)->width, out, MODEL_SHARED_UP};
}
struct model_linear model_linear_shared_down(const struct model *m, int64_t layer) {
    const int64_t in = model_config_dim(config(m), MODEL_SHARED);
    return (struct model_linear){MODEL_SHARED_DOWN_WEIGHT, MODEL_NO_ROLE, layer, in, config(m)->width, MODEL_SHARED};
}

/* y[T,out] = x[T,in] W^T + bias + d */
struct kernel_gemm model_gemm_forward(const struct model *m, struct model_linear l, const void *x, const void *d,
                                      void *y) {
    const enum kernel_dtype t = m->shape.dtype;
    return (struct kernel_gemm){.m = model_tokens(m),
                                .n = l.out,
                                .k = l.in,
                                .b_trans = true,
                                .in = t,
                                .out = t,
                                .a = x,
                                .lda = l.in,
                                .b = model_weight(m, l.weight, l.layer),
                                .ldb = l.in,
                                .bias = model_weight(m, l.bias, l.layer),
                                .d = d,
                                .c = y,
                                .ldc = l.out};
}
void model_linear_forward(const struct model *m, struct model_linear l, const void *x, const void *d, void *y) {
    const struct kernel_gemm g = model_gemm_forward(m, l, x, d, y);
    m->team->ops->gemm(m->team, &g);
}

/* dx[T,in] = dy[T,out] W */
struct kernel_gemm model_gemm_grad_input(const struct model *m, struct model_linear l, const void *dy, void *dx) {
    const enum kernel_dtype t = m->shape.dtype;
    return (struct kernel_gemm){.m = model_tokens(m),
                                .n = l.in,
                                .k = l.out,
                                .in = t,
                                .out = t,
                                .a = dy,
                                .lda = l.out,
                                .b = model_weight(m, l.weight, l.layer),
                                .ldb = l.in,
                                .c = dx,
                                .ldc = l.in};
}
void model_linear_grad_input(const struct model *m, struct model_linear l, const void *dy, void *dx) {
    const struct kernel_gemm g = model_gemm_grad_input(m, l, dy, dx);
    m->team->ops->gemm(m->team, &g);
}

static struct kernel_norm norm(const struct model *m, enum model_role gain, enum model_role bias, int64_t layer,
                               const void *x, void *y, enum model_buffer mean, enum model_buffer rstd) {
    return (struct kernel_norm){.rows = model_own_tokens(m),
                                .cols = config(m)->width,
                                .dtype = m->shape.dtype,
                                .eps = (float)config(m)->norm_eps,
                                .x = x,
                                .y = y,
                                .gain = model_weight(m, gain, layer),
                                .bias = model_weight(m, bias, layer),
                                .mean = config(m)->family->rms ? NULL : model_buffer_at(m, mean, layer),
                                .rstd = model_buffer_at(m, rstd, layer),
                                .dgain = model_gradient(m, gain, layer),
                                .dbias = model_gradient(m, bias, layer)};
}
struct kernel_norm model_norm_embed(const struct model *m) {
    return norm(m, MODEL_EMBED_GAIN, MODEL_EMBED_BIAS, 0, model_buffer_at(m, MODEL_EMBED, 0), model_entry(m),
                MODEL_EMBED_MEAN, MODEL_EMBED_RSTD);
}
/* This rank's share of a buffer of all tokens. */
static void *own_of(const struct model *m, enum model_buffer b, int64_t layer) {
    const int64_t row = config(m)->width * (int64_t)kernel_dtype_bytes(m->shape.dtype);
    return (char *)model_buffer_at(m, b, layer) + model_own_first(m) * row;
}
struct kernel_norm model_norm1(const struct model *m, int64_t l) {
    return norm(m, MODEL_NORM1_GAIN, MODEL_NORM1_BIAS, l, model_buffer_at(m, MODEL_X, l), own_of(m, MODEL_NORM1, l),
                MODEL_NORM1_MEAN, MODEL_NORM1_RSTD);
}
struct kernel_norm model_norm2(const struct model *m, int64_t l) {
    return norm(m, MODEL_NORM2_GAIN, MODEL_NORM2_BIAS, l, model_buffer_at(m, MODEL_MID, l), own_of(m, MODEL_NORM2, l),
                MODEL_NORM2_MEAN, MODEL_NORM2_RSTD);
}
struct kernel_norm model_norm_final(const struct model *m) {
    return norm(m, MODEL_FINAL_GAIN, MODEL_FINAL_BIAS, 0, model_exit(m), own_of(m, MODEL_FINAL, 0), MODEL_FINAL_MEAN,
                MODEL_FINAL_RSTD);
}

void model_norm_grad_input(const struct model *m, struct kernel_norm n, const void *dy, const void *d_add, void *dx) {
    n.dy = dy;
    n.dx_add = d_add;
    n.dx = dx;
    m->team->ops->norm_grad_input(m->team, &n);
}

/* If a norm follows, x and dx are those of the embedding before it. */
static struct kernel_embedding embedding(const struct model *m, const int32_t *tokens, bool normed) {
    const bool split = model_is_split(&m->shape);
    void *own = normed ? model_buffer_at(m, MODEL_EMBED, 0) : model_entry(m);
    return (struct kernel_embedding){.rows = model_tokens(m),
                                     .cols = config(m)->width,
                                     .seq = m->shape.seq,
                                     .first = split ? model_part_vocab(&m->shape.part) : 0,
                                     .vocab = split ? config(m)->vocab : 0,
                                     .dtype = m->shape.dtype,
                                     .tokens = tokens,
                                     .token_table = model_weight(m, MODEL_TOKEN_TABLE, 0),
                                     .position_table = model_weight(m, MODEL_POSITION_TABLE, 0),
                                     .x = m->shape.sequence ? m->buffers[MODEL_SHARES] : own,
                                     .dtoken = model_gradient(m, MODEL_TOKEN_TABLE, 0),
                                     .dposition = model_gradient(m, MODEL_POSITION_TABLE, 0)};
}

/* One call for each run of adjacent positions, if they matter. */
static void embed(const struct model *m, const struct kernel_embedding *all, kernel_embedding_fn *f) {
    struct kernel_embedding e = *all;
    const int64_t row = e.cols * (int64_t)kernel_dtype_bytes(e.dtype);
    if (e.position_table && e.seq != model_run(m)) e.rows = e.seq = model_run(m);
    for (int64_t t = 0; t < all->rows; t += e.rows) {
        if (e.position_table) e.position0 = model_context_position(m->shape.context, m->shape.seq, t % m->shape.seq);
        e.tokens = all->tokens + t, e.x = (char *)all->x + t * row;
        if (all->dx) e.dx = (const char *)all->dx + t * row;
        f(m->team, &e);
    }
}

static void scatter(const struct model *m, const struct kernel_embedding *e) {
    embed(m, e, m->team->ops->embedding_backward);
}

void model_embed_forward(const struct model *m, const int32_t *tokens) {
    const bool normed = model_config_has(config(m), MODEL_EMBED_GAIN);
    const struct kernel_embedding e = embedding(m, tokens, normed);
    embed(m, &e, m->team->ops->embedding_forward);
    if (e.vocab) model_sum_embedding(m, &e, normed ? model_buffer_at(m, MODEL_EMBED, 0) : model_entry(m));
    if (!normed) return;
    const struct kernel_norm n = model_norm_embed(m);
    m->team->ops->norm_forward(m->team, &n);
}

void model_embed_backward(const struct model *m, const int32_t *tokens) {
    const bool normed = model_config_has(config(m), MODEL_EMBED_GAIN);
    struct kernel_embedding e = embedding(m, tokens, normed);
    if (normed) model_norm_grad_params(m, model_norm_embed(m), model_stream(m));
    if (normed) model_norm_grad_input(m, model_norm_embed(m), model_stream(m), NULL, m->buffers[MODEL_DNORM]);
    e.dx = model_shares(m, normed ? m->buffers[MODEL_DNORM] : model_stream(m));
    if (model_early(m)) {
        m->hooks.rows(m->hooks.context, tokens, e.dx);
        e.dtoken = NULL;
    }
    float *const dtoken = e.dtoken, *const dposition = e.dposition;
    if (m->shape.tree.leaves) {
        e.dposition = NULL;
        model_embedding_grad(m, &e, dtoken, config(m)->vocab, scatter);
        e.dtoken = NULL, e.dposition = dposition;
        if (dposition) model_embedding_grad(m, &e, dposition, config(m)->positions, scatter);
    } else if (dtoken || dposition) {
        scatter(m, &e);
    }
}

/* A token's queries, keys and values are adjacent: in three blocks, or head by head. */
static struct kernel_attention attention(const struct model *m, int64_t layer) {
    const struct model_config *c = config(m);
    const int64_t d = c->head_dim, row = model_config_dim(c, MODEL_QKV);
    const int64_t size = (int64_t)kernel_dtype_bytes(m->shape.dtype);
    const bool interleaved = c->family->interleaved;
    const int64_t k_at = (interleaved ? d : c->heads * d) * size;
    const int64_t v_at = k_at + (interleaved ? d : c->kv_heads * d) * size, head = interleaved ? 3 * d : d;
    char *q = model_buffer_at(m, MODEL_QKV_OUT, layer), *dq = model_buffer_at(m, MODEL_DQKV, layer);
    return (struct kernel_attention){.batch = m->shape.batch,
                                     .heads = c->heads,
                                     .kv_heads = c->kv_heads,
                                     .seq_q = m->shape.seq,
                                     .seq_k = m->shape.seq,
                                     .head_dim = d,
                                     .window = c->window,
                                     .slopes = c->family->position == MODEL_POSITION_ALIBI ? m->buffers[MODEL_POSITION]
                                                                                           : NULL,
                                     .scale = 1.0f / sqrtf((float)d),
                                     .dtype = m->shape.dtype,
                                     .q = q,
                                     .k = q + k_at,
                                     .v = q + v_at,
                                     .q_row = row,
                                     .q_head = head,
                                     .kv_row = row,
                                     .kv_head = head,
                                     .o_row = c->heads * d,
                                     .o_head = d,
                                     .o = model_buffer_at(m, MODEL_ATT, layer),
                                     .lse = model_buffer_at(m, MODEL_LSE, layer),
                                     .d_o = m->buffers[MODEL_DATT],
                                     .dq = dq,
                                     .dk = dq + k_at,
                                     .dv = dq + v_at};
}

/* Rotates queries and keys in one call: their blocks are adjacent, so keys are just more heads. */
static void rotate(const struct model *m, void *qkv, bool inverse) {
    const struct model_config *c = config(m);
    const float *table = m->buffers[MODEL_POSITION];
    if (c->family->position != MODEL_POSITION_ROTARY) return;
    m->team->ops->rotary(m->team, &(struct kernel_rotary){.rows = model_tokens(m),
                                                          .seq = m->shape.seq,
                                                          .heads = c->heads + c->kv_heads,
                                                          .head_dim = c->head_dim,
                                                          .row = model_config_dim(c, MODEL_QKV),
                                                          .head = c->head_dim,
                                                          .dtype = m->shape.dtype,
                                                          .inverse = inverse,
                                                          .cos = table,
                                                          .sin = table + m->shape.seq * (c->head_dim / 2),
                                                          .x = qkv});
}

void model_rotate_forward(const struct model *m, int64_t layer) {
    rotate(m, model_buffer_at(m, MODEL_QKV_OUT, layer), false);
}

void model_attention_forward(const struct model *m, int64_t layer) {
    const struct kernel_attention a = attention(m, layer);
    if (model_context_shares(m->shape.context))
        model_context_forward(m, &a);
    else
        m->team->ops->attention_forward(m->team, &a);
}

void model_attention_backward(const struct model *m, int64_t layer) {
    const struct kernel_attention a = attention(m, layer);
    if (model_context_shares(m->shape.context))
        model_context_backward(m, &a);
    else
        m->team->ops->attention_backward(m->team, &a);
    rotate(m, model_buffer_at(m, MODEL_DQKV, layer), true);
}

void model_up_forward(const struct model *m, int64_t layer, const void *x) {
    void *up = model_buffer_at(m, MODEL_UP, layer), *act = model_buffer_at(m, MODEL_ACT, layer);
    struct kernel_gemm g = model_gemm_forward(m, model_linear_up(m, layer), x, NULL, up);
    const bool gated = config(m)->family->gated;
    if (!gated) g.epilogue = KERNEL_EPILOGUE_GELU, g.y = act;
    m->team->ops->gemm(m->team, &g);
    if (gated) model_activation_forward(m, layer);
}

/* SwiGLU of a layer, forward and backward. */
static struct kernel_swiglu swiglu(const struct model *m, int64_t layer) {
    return (struct kernel_swiglu){.rows = model_tokens(m),
                                  .cols = config(m)->ffn,
                                  .dtype = m->shape.dtype,
                                  .x = model_buffer_at(m, MODEL_UP, layer),
                                  .y = model_buffer_at(m, MODEL_ACT, layer),
                                  .dy = m->buffers[MODEL_DACT],
                                  .dx = model_buffer_at(m, MODEL_DUP, layer)};
}

void model_activation_forward(const struct model *m, int64_t layer) {
    const struct kernel_ops *ops = m->team->ops;
    const struct kernel_swiglu s = swiglu(m, layer);
    if (config(m)->family->gated)
        ops->swiglu_forward(m->team, &s);
    else
        ops->gelu_forward(m->team, s.dtype, s.rows * s.cols, s.x, s.y);
}

void model_down_grad_input(const struct model *m, int64_t layer, const void *dy) {
    const void *up = model_buffer_at(m, MODEL_UP, layer);
    const bool gated = config(m)->family->gated;
    void *dup = model_buffer_at(m, MODEL_DUP, layer), *dact = m->buffers[MODEL_DACT];
    struct kernel_gemm g = model_gemm_grad_input(m, model_linear_down(m, layer), dy, gated ? dact : dup);
    if (!gated) g.epilogue = KERNEL_EPILOGUE_GELU_GRAD, g.x = up;
    m->team->ops->gemm(m->team, &g);
    const struct kernel_swiglu s = swiglu(m, layer);
    if (gated) m->team->ops->swiglu_backward(m->team, &s);
}
