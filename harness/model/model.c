/* SPDX-License-Identifier: Apache-2.0
 *
 * The transformer block, forward and backward. T = batch*seq tokens, C = width, F = ffn, Q = qkv columns. */
#include "model/model.h"

#include <math.h>

int64_t model_tokens(const struct model *m) {
    return m->shape.batch * m->shape.seq;
}

void *model_buffer_at(const struct model *m, enum model_buffer b, int64_t layer) {
    struct model_buffer_row row = model_buffer_describe(&m->shape, b);
    return (char *)m->buffers[b] +
           layer * (int64_t)base_arena_piece((size_t)row.elements * kernel_dtype_bytes(row.dtype));
}

int model_open(struct model *m, const struct model_shape *shape, const struct model_params *params,
               const struct kernel_team *team, const void *weights, float *grads, struct base_arena *arena,
               struct base_error *e) {
    *m = (struct model){.shape = *shape, .params = params, .team = team, .weights = weights, .grads = grads};
    for (int b = 0; b < MODEL_BUFFERS; b++) {
        struct model_buffer_row row = model_buffer_describe(shape, (enum model_buffer)b);
        size_t one = base_arena_piece((size_t)row.elements * kernel_dtype_bytes(row.dtype));
        if (!row.copies) continue;
        m->buffers[b] = base_arena_take(arena, one * (size_t)row.copies);
        if (!m->buffers[b]) return base_fail(e, BASE_BROKEN, "bug: the activation arena cannot hold \"%s\"", row.name);
    }
    return BASE_OK;
}

const void *model_weight(const struct model *m, enum model_role role, int64_t layer) {
    int64_t offset = model_params_offset(m->params, role, layer);
    return offset < 0 ? NULL : (const char *)m->weights + offset * (int64_t)kernel_dtype_bytes(m->shape.dtype);
}
float *model_gradient(const struct model *m, enum model_role role, int64_t layer) {
    int64_t offset = model_params_offset(m->params, role, layer);
    return offset < 0 ? NULL : m->grads + offset;
}

static void call(const struct model *m, model_hook *hook, int64_t offset, int64_t count) {
    if (hook) hook(m->hooks.context, offset, count);
}
static int64_t final_start(const struct model *m) {
    return m->params->layer0 + m->params->layer_size * m->shape.config->layers;
}

/* y[T,out] = x[T,in] W[out,in]^T + bias + d */
static void linear(const struct model *m, enum model_role w, enum model_role bias, int64_t layer, int64_t in,
                   int64_t out, const void *x, const void *d, void *y) {
    enum kernel_dtype t = m->shape.dtype;
    m->team->ops->gemm(m->team, &(struct kernel_gemm){.m = model_tokens(m),
                                                      .n = out,
                                                      .k = in,
                                                      .b_trans = true,
                                                      .in = t,
                                                      .out = t,
                                                      .a = x,
                                                      .lda = in,
                                                      .b = model_weight(m, w, layer),
                                                      .ldb = in,
                                                      .bias = model_weight(m, bias, layer),
                                                      .d = d,
                                                      .c = y,
                                                      .ldc = out});
}

/* dx[T,in] = dy[T,out] W */
static void linear_grad_input(const struct model *m, enum model_role w, int64_t layer, int64_t in, int64_t out,
                              const void *dy, void *dx) {
    enum kernel_dtype t = m->shape.dtype;
    m->team->ops->gemm(m->team, &(struct kernel_gemm){.m = model_tokens(m),
                                                      .n = in,
                                                      .k = out,
                                                      .in = t,
                                                      .out = t,
                                                      .a = dy,
                                                      .lda = out,
                                                      .b = model_weight(m, w, layer),
                                                      .ldb = in,
                                                      .c = dx,
                                                      .ldc = in});
}

/* dW[out,in] += dy^T x; dbias[out] += column sums of dy */
static void linear_grad_params(const struct model *m, enum model_role w, enum model_role bias, int64_t layer,
                               int64_t in, int64_t out, const void *dy, const void *x) {
    float *dw = model_gradient(m, w, layer), *db = model_gradient(m, bias, layer);
    m->team->ops->gemm(m->team, &(struct kernel_gemm){.m = out,
                                                      .n = in,
                                                      .k = model_tokens(m),
                                                      .a_trans = true,
                                                      .in = m->shape.dtype,
                                                      .out = KERNEL_F32,
                                                      .a = dy,
                                                      .lda = out,
                                                      .b = x,
                                                      .ldb = in,
                                                      .d = dw,
                                                      .c = dw,
                                                      .ldc = in});
    if (db) m->team->ops->column_sum(m->team, m->shape.dtype, model_tokens(m), out, dy, db);
}

static struct kernel_norm norm(const struct model *m, enum model_role gain, enum model_role bias, int64_t layer,
                               const void *x, void *y, enum model_buffer mean, enum model_buffer rstd) {
    return (struct kernel_norm){.rows = model_tokens(m),
                                .cols = m->shape.config->width,
                                .dtype = m->shape.dtype,
                                .eps = (float)m->shape.config->norm_eps,
                                .x = x,
                                .y = y,
                                .gain = model_weight(m, gain, layer),
                                .bias = model_weight(m, bias, layer),
                                .mean = model_buffer_at(m, mean, layer),
                                .rstd = model_buffer_at(m, rstd, layer),
                                .dgain = model_gradient(m, gain, layer),
                                .dbias = model_gradient(m, bias, layer)};
}

/* dx = d_add + the gradient through the norm; its parameters' gradients are added */
static void norm_backward(const struct model *m, struct kernel_norm n, const void *dy, const void *d_add, void *dx) {
    n.dy = dy;
    n.dx_add = d_add;
    n.dx = dx;
    m->team->ops->norm_grad_params(m->team, &n);
    m->team->ops->norm_grad_input(m->team, &n);
}

static struct kernel_attention attention(const struct model *m, int64_t layer) {
    const struct model_config *c = m->shape.config;
    const int64_t d = model_config_head_dim(c), row = model_config_dim(c, MODEL_QKV);
    const int64_t bytes = (int64_t)kernel_dtype_bytes(m->shape.dtype);
    char *q = model_buffer_at(m, MODEL_QKV_OUT, layer), *dq = m->buffers[MODEL_DQKV];
    const int64_t k_at = c->heads * d * bytes, v_at = k_at + c->kv_heads * d * bytes;
    return (struct kernel_attention){.batch = m->shape.batch,
                                     .heads = c->heads,
                                     .kv_heads = c->kv_heads,
                                     .seq_q = m->shape.seq,
                                     .seq_k = m->shape.seq,
                                     .head_dim = d,
                                     .scale = 1.0f / sqrtf((float)d),
                                     .dtype = m->shape.dtype,
                                     .q = q,
                                     .k = q + k_at,
                                     .v = q + v_at,
                                     .q_row = row,
                                     .q_head = d,
                                     .kv_row = row,
                                     .kv_head = d,
                                     .o_row = c->heads * d,
                                     .o_head = d,
                                     .o = model_buffer_at(m, MODEL_ATT, layer),
                                     .lse = model_buffer_at(m, MODEL_LSE, layer),
                                     .d_o = m->buffers[MODEL_DATT],
                                     .dq = dq,
                                     .dk = dq + k_at,
                                     .dv = dq + v_at};
}

static struct kernel_embedding embedding(const struct model *m, const int32_t *tokens) {
    return (struct kernel_embedding){.rows = model_tokens(m),
                                     .cols = m->shape.config->width,
                                     .seq = m->shape.seq,
                                     .dtype = m->shape.dtype,
                                     .tokens = tokens,
                                     .token_table = model_weight(m, MODEL_TOKEN_TABLE, 0),
                                     .position_table = model_weight(m, MODEL_POSITION_TABLE, 0),
                                     .x = m->buffers[MODEL_X],
                                     .dx = m->buffers[MODEL_DX],
                                     .dtoken = model_gradient(m, MODEL_TOKEN_TABLE, 0),
                                     .dposition = model_gradient(m, MODEL_POSITION_TABLE, 0)};
}

static struct kernel_norm norm1(const struct model *m, int64_t l) {
    return norm(m, MODEL_NORM1_GAIN, MODEL_NORM1_BIAS, l, model_buffer_at(m, MODEL_X, l),
                model_buffer_at(m, MODEL_NORM1, l), MODEL_NORM1_MEAN, MODEL_NORM1_RSTD);
}
static struct kernel_norm norm2(const struct model *m, int64_t l) {
    return norm(m, MODEL_NORM2_GAIN, MODEL_NORM2_BIAS, l, model_buffer_at(m, MODEL_MID, l),
                model_buffer_at(m, MODEL_NORM2, l), MODEL_NORM2_MEAN, MODEL_NORM2_RSTD);
}
static struct kernel_norm final_norm(const struct model *m) {
    struct kernel_norm n =
        norm(m, MODEL_FINAL_GAIN, MODEL_FINAL_BIAS, 0, model_buffer_at(m, MODEL_X, m->shape.config->layers),
             m->buffers[MODEL_FINAL], MODEL_FINAL_MEAN, MODEL_FINAL_RSTD);
    return n;
}

static void layer_forward(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const struct kernel_ops *ops = m->team->ops;
    const int64_t attn = model_config_dim(c, MODEL_ATTENTION), qkv = model_config_dim(c, MODEL_QKV);
    void *x = model_buffer_at(m, MODEL_X, l), *mid = model_buffer_at(m, MODEL_MID, l);
    void *up = model_buffer_at(m, MODEL_UP, l), *act = model_buffer_at(m, MODEL_ACT, l);

    struct kernel_norm n1 = norm1(m, l), n2 = norm2(m, l);
    struct kernel_attention a = attention(m, l);
    ops->norm_forward(m->team, &n1);
    linear(m, MODEL_QKV_WEIGHT, MODEL_QKV_BIAS, l, c->width, qkv, n1.y, NULL, model_buffer_at(m, MODEL_QKV_OUT, l));
    ops->attention_forward(m->team, &a);
    linear(m, MODEL_PROJ_WEIGHT, MODEL_PROJ_BIAS, l, attn, c->width, a.o, x, mid);
    ops->norm_forward(m->team, &n2);
    linear(m, MODEL_UP_WEIGHT, MODEL_UP_BIAS, l, c->width, c->ffn, n2.y, NULL, up);
    ops->gelu_forward(m->team, m->shape.dtype, model_tokens(m) * c->ffn, up, act);
    linear(m, MODEL_DOWN_WEIGHT, MODEL_DOWN_BIAS, l, c->ffn, c->width, act, mid, model_buffer_at(m, MODEL_X, l + 1));
}

void model_forward(struct model *m, const int32_t *tokens) {
    const struct model_params *p = m->params;
    struct kernel_embedding e = embedding(m, tokens);
    call(m, m->hooks.need, 0, p->layer0);
    m->team->ops->embedding_forward(m->team, &e);
    for (int64_t l = 0; l < m->shape.config->layers; l++) {
        const int64_t start = p->layer0 + l * p->layer_size;
        call(m, m->hooks.need, start, p->layer_size);
        layer_forward(m, l);
        call(m, m->hooks.done, start, p->layer_size);
    }
    struct kernel_norm n = final_norm(m);
    call(m, m->hooks.need, final_start(m), p->total - final_start(m));
    m->team->ops->norm_forward(m->team, &n);
    call(m, m->hooks.done, final_start(m), p->total - final_start(m));
}

/* in: MODEL_DX holds d X[l+1]; out: d X[l] */
static void layer_backward(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const struct kernel_ops *ops = m->team->ops;
    const int64_t attn = model_config_dim(c, MODEL_ATTENTION), qkv = model_config_dim(c, MODEL_QKV);
    void *dx = m->buffers[MODEL_DX], *dnorm = m->buffers[MODEL_DNORM], *dffn = m->buffers[MODEL_DFFN];
    void *datt = m->buffers[MODEL_DATT], *dqkv = m->buffers[MODEL_DQKV];
    struct kernel_norm n1 = norm1(m, l), n2 = norm2(m, l);
    struct kernel_attention a = attention(m, l);

    linear_grad_params(m, MODEL_DOWN_WEIGHT, MODEL_DOWN_BIAS, l, c->ffn, c->width, dx,
                       model_buffer_at(m, MODEL_ACT, l));
    linear_grad_input(m, MODEL_DOWN_WEIGHT, l, c->ffn, c->width, dx, dffn);
    ops->gelu_backward(m->team, m->shape.dtype, model_tokens(m) * c->ffn, model_buffer_at(m, MODEL_UP, l), dffn, dffn);
    linear_grad_params(m, MODEL_UP_WEIGHT, MODEL_UP_BIAS, l, c->width, c->ffn, dffn, n2.y);
    linear_grad_input(m, MODEL_UP_WEIGHT, l, c->width, c->ffn, dffn, dnorm);
    norm_backward(m, n2, dnorm, dx, dx);

    linear_grad_params(m, MODEL_PROJ_WEIGHT, MODEL_PROJ_BIAS, l, attn, c->width, dx, a.o);
    linear_grad_input(m, MODEL_PROJ_WEIGHT, l, attn, c->width, dx, datt);
    ops->attention_backward(m->team, &a);
    linear_grad_params(m, MODEL_QKV_WEIGHT, MODEL_QKV_BIAS, l, c->width, qkv, dqkv, n1.y);
    linear_grad_input(m, MODEL_QKV_WEIGHT, l, c->width, qkv, dqkv, dnorm);
    norm_backward(m, n1, dnorm, dx, dx);
}

void model_backward(struct model *m, const int32_t *tokens) {
    const struct model_params *p = m->params;
    norm_backward(m, final_norm(m), m->buffers[MODEL_DNORM], NULL, m->buffers[MODEL_DX]);
    call(m, m->hooks.ready, final_start(m), p->total - final_start(m));
    for (int64_t l = m->shape.config->layers - 1; l >= 0; l--) {
        const int64_t start = p->layer0 + l * p->layer_size;
        call(m, m->hooks.need, start, p->layer_size);
        layer_backward(m, l);
        call(m, m->hooks.done, start, p->layer_size);
        call(m, m->hooks.ready, start, p->layer_size);
    }
    struct kernel_embedding e = embedding(m, tokens);
    m->team->ops->embedding_backward(m->team, &e);
    call(m, m->hooks.done, 0, p->layer0);
    call(m, m->hooks.ready, 0, p->layer0);
}
