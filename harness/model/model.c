/* SPDX-License-Identifier: Apache-2.0
 *
 * The transformer: blocks in order, forward and backward, with the hooks between them. */
#include "model/model.h"

#include "model/block.h"

int64_t model_tokens(const struct model *m) {
    return m->shape.batch * m->shape.seq;
}

int64_t model_run(const struct model *m) {
    return model_context_shares(m->shape.context) ? m->shape.seq / 2 : m->shape.seq;
}

int64_t model_own_tokens(const struct model *m) {
    return m->shape.sequence ? model_tokens(m) / m->shape.part.ranks : model_tokens(m);
}
int64_t model_own_first(const struct model *m) {
    return m->shape.sequence ? m->shape.part.rank * model_own_tokens(m) : 0;
}

/* The number of the copy. */
static int64_t copy_of(const struct model *m, enum model_each each, int64_t layer) {
    const struct model_chunk c = model_chunk_of(&m->shape, m->chunk);
    const int64_t own = c.layers + (each == MODEL_EACH_INPUT), slot = each == MODEL_EACH_LATE ? m->late : m->slot;
    if (each == MODEL_ONCE) return 0;
    if (each == MODEL_EACH_FIRST || each == MODEL_EACH_LAST) return m->slot;
    return model_copies_before(&m->shape, each, m->chunk) + slot * own + layer - c.first;
}

void *model_buffer_at(const struct model *m, enum model_buffer b, int64_t layer) {
    const struct model_buffer_row row = model_buffer_describe(&m->shape, b);
    return model_buffer_copy(m, b, b == MODEL_DX ? m->turn : copy_of(m, row.each, layer));
}

void *model_buffer_copy(const struct model *m, enum model_buffer b, int64_t copy) {
    const struct model_buffer_row row = model_buffer_describe(&m->shape, b);
    return (char *)m->buffers[b] +
           copy * (int64_t)base_arena_piece((size_t)row.elements * kernel_dtype_bytes(row.dtype));
}

void model_turn(struct model *m, int chunk, int64_t slot, int64_t late, int turn) {
    m->chunk = chunk, m->slot = slot, m->late = late, m->turn = turn;
}
bool model_embeds(const struct model *m) {
    return m->chunk == 0 && !m->shape.config->lacks_embedding;
}
bool model_heads(const struct model *m) {
    return m->chunk == model_chunks(&m->shape) - 1 && !m->shape.config->lacks_head;
}
void *model_entry(const struct model *m) {
    return model_buffer_at(m, MODEL_X, model_chunk_of(&m->shape, m->chunk).first);
}
void *model_exit(const struct model *m) {
    const struct model_chunk c = model_chunk_of(&m->shape, m->chunk);
    return model_buffer_at(m, MODEL_X, c.first + c.layers);
}
void *model_stream(const struct model *m) {
    return model_buffer_at(m, MODEL_DX, 0);
}

/* Fills the position table, if the family has one. */
static void fill_positions(const struct model *m) {
    const struct model_config *c = m->shape.config;
    float *table = m->buffers[MODEL_POSITION];
    const bool split = model_is_split(&m->shape);
    if (c->family->position == MODEL_POSITION_ALIBI)
        model_position_slopes(split ? m->shape.part.whole->heads : c->heads, split ? m->shape.part.rank * c->heads : 0,
                              c->heads, table);
    if (c->family->position == MODEL_POSITION_ROTARY)
        for (int64_t i = 0, n = model_run(m); i < m->shape.seq; i += n)
            model_position_angles(c, model_context_position(m->shape.context, m->shape.seq, i), n,
                                  table + i * (c->head_dim / 2), table + (m->shape.seq + i) * (c->head_dim / 2));
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
    fill_positions(m);
    int32_t *const numbers = m->buffers[MODEL_NUMBERS];
    for (int64_t i = 0; numbers && i < model_own_tokens(m); i++) numbers[i] = (int32_t)i;
    return BASE_OK;
}

const void *model_weight(const struct model *m, enum model_role role, int64_t layer) {
    const int64_t offset = model_params_offset(m->params, role, layer),
                  size = (int64_t)kernel_dtype_bytes(m->shape.dtype);
    if (offset < 0) return NULL;
    if (!m->places.weights) return (const char *)m->weights + offset * size;
    const int64_t range = model_params_range_of(m->params, offset);
    return (const char *)m->places.weights[range] + (offset - model_params_start(m->params, range)) * size;
}
float *model_gradient(const struct model *m, enum model_role role, int64_t layer) {
    const int64_t offset = model_params_offset(m->params, role, layer);
    if (offset < 0) return NULL;
    if (!m->places.grads) return m->grads + offset;
    const int64_t range = model_params_range_of(m->params, offset);
    return m->places.grads[range] + (offset - model_params_start(m->params, range));
}

static void call(const struct model *m, model_hook *hook, int64_t offset, int64_t count) {
    if (hook) hook(m->hooks.context, offset, count);
}
int64_t model_early(const struct model *m) {
    const struct model_config *c = m->shape.config;
    return m->hooks.rows && c->tied ? model_config_table(c) : 0;
}
static int64_t final_start(const struct model *m) {
    return model_params_start(m->params, m->params->layers + 1);
}
static int64_t final_count(const struct model *m) {
    return m->params->expert0 - final_start(m);
}
/* A layer's parameters, and those of its experts. */
static void call_layer(const struct model *m, model_hook *hook, int64_t l) {
    call(m, hook, m->params->layer0 + l * m->params->layer_size, m->params->layer_size);
}
static void call_experts(const struct model *m, model_hook *hook, int64_t l) {
    const struct model_params *p = m->params;
    if (p->expert_size) call(m, hook, p->expert0 + l * p->expert_size, p->expert_size);
}
static bool has_experts(const struct model *m) {
    return m->shape.config->experts > 0;
}

/* All of a layer that backward reads: everything before the last matmul. Without `matmuls` their outputs are there. */
static void layer_inner(const struct model *m, int64_t l, bool matmuls) {
    const struct kernel_norm n1 = model_norm1(m, l), n2 = model_norm2(m, l);
    void *qkv = model_buffer_at(m, MODEL_QKV_OUT, l), *mid = model_buffer_at(m, MODEL_MID, l);

    const void *y1 = model_norm_forward(m, &n1);
    if (matmuls) model_linear_forward(m, model_linear_qkv(m, l), y1, NULL, qkv);
    if (matmuls) model_rotate_forward(m, l);
    model_attention_forward(m, l);
    if (matmuls) model_linear_sum(m, model_linear_proj(m, l), model_buffer_at(m, MODEL_ATT, l), n1.x, mid);
    const void *y2 = model_norm_forward(m, &n2);
    if (has_experts(m))
        matmuls ? model_experts_up(m, l, y2) : model_experts_activations(m, l);
    else
        matmuls ? model_up_forward(m, l, y2) : model_activation_forward(m, l);
}

static void layer_forward(const struct model *m, int64_t l) {
    layer_inner(m, l, true);
    if (has_experts(m))
        model_experts_down(m, l);
    else
        model_linear_sum(m, model_linear_down(m, l), model_buffer_at(m, MODEL_ACT, l), model_buffer_at(m, MODEL_MID, l),
                         model_buffer_at(m, MODEL_X, l + 1));
}

/* Computes what forward did not keep. */
static void layer_again(const struct model *m, int64_t l) {
    if (l < model_chunk_of(&m->shape, m->chunk).first + model_again(&m->shape, m->chunk))
        layer_inner(m, l, m->shape.kept == MODEL_KEPT_LAYERS);
}

void model_forward(struct model *m, const int32_t *tokens) {
    const struct model_params *p = m->params;
    const struct model_chunk c = model_chunk_of(&m->shape, m->chunk);
    if (model_embeds(m)) {
        call(m, m->hooks.need, 0, p->layer0);
        model_embed_forward(m, tokens);
    }
    for (int64_t l = c.first; l < c.first + c.layers; l++) {
        call_layer(m, m->hooks.need, l), call_experts(m, m->hooks.need, l);
        layer_forward(m, l);
        if (has_experts(m)) m->balance += model_route_balance(m, l);
        call_layer(m, m->hooks.done, l), call_experts(m, m->hooks.done, l);
    }
    if (!model_heads(m)) return;
    const struct kernel_norm n = model_norm_final(m);
    call(m, m->hooks.need, final_start(m), final_count(m));
    model_norm_forward(m, &n);
}

/* Where the gradient of a norm's output is. */
static void *dnorm_at(const struct model *m, enum model_buffer own, int64_t l) {
    return model_is_late(&m->shape, m->chunk) ? model_buffer_at(m, own, l) : m->buffers[MODEL_DNORM];
}

/* A layer's weight gradients, each from what backward left. */
static void down_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_down(m, l), model_stream_kept(m, MODEL_DOUT, l),
                             model_buffer_at(m, MODEL_ACT, l));
}
static void up_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_up(m, l), model_buffer_at(m, MODEL_DUP, l),
                             model_buffer_at(m, MODEL_NORM2, l));
}
static void norm2_weights(const struct model *m, int64_t l) {
    model_norm_grad_params(m, model_norm2(m, l), dnorm_at(m, MODEL_DNORM2, l));
}
static void proj_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_proj(m, l), model_stream_kept(m, MODEL_DMID, l),
                             model_buffer_at(m, MODEL_ATT, l));
}
static void qkv_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_qkv(m, l), model_buffer_at(m, MODEL_DQKV, l),
                             model_buffer_at(m, MODEL_NORM1, l));
}
static void norm1_weights(const struct model *m, int64_t l) {
    model_norm_grad_params(m, model_norm1(m, l), dnorm_at(m, MODEL_DNORM1, l));
}

/* Through the MLP or the experts, to the gradient of the second norm's output. */
static void mlp_backward(const struct model *m, int64_t l) {
    void *dnorm = dnorm_at(m, MODEL_DNORM2, l);
    if (has_experts(m)) {
        const bool shared = m->shape.config->shared > 0; /* they get what a matmul of all tokens gets */
        const void *dy = shared ? model_stream_shares(m, MODEL_DOUT, l) : model_shares(m, model_stream(m));
        model_experts_backward(m, l, dy, dnorm);
        call_experts(m, m->hooks.done, l);
        if (!model_is_late(&m->shape, m->chunk)) call_experts(m, m->hooks.ready, l);
        return;
    }
    const void *dy = model_stream_shares(m, MODEL_DOUT, l);
    model_weights_now(m, down_weights, l);
    model_down_grad_input(m, l, dy);
    model_linear_sum_backward(m, model_linear_up(m, l), model_buffer_at(m, MODEL_DUP, l), dnorm, up_weights);
}

/* in: MODEL_DX holds d X[l+1]; out: d X[l] */
static void layer_backward(const struct model *m, int64_t l) {
    void *dx = model_stream(m), *dnorm1 = dnorm_at(m, MODEL_DNORM1, l), *dnorm2 = dnorm_at(m, MODEL_DNORM2, l);

    mlp_backward(m, l);
    model_weights_now(m, norm2_weights, l);
    model_norm_grad_input(m, model_norm2(m, l), dnorm2, dx, dx);

    const void *dy = model_stream_shares(m, MODEL_DMID, l);
    model_weights_now(m, proj_weights, l);
    model_linear_grad_input(m, model_linear_proj(m, l), dy, m->buffers[MODEL_DATT]);
    model_attention_backward(m, l);
    model_linear_sum_backward(m, model_linear_qkv(m, l), model_buffer_at(m, MODEL_DQKV, l), dnorm1, qkv_weights);
    model_weights_now(m, norm1_weights, l);
    model_norm_grad_input(m, model_norm1(m, l), dnorm1, dx, dx);
}

static void layer_weights(const struct model *m, int64_t l) {
    if (has_experts(m))
        model_experts_weights(m, l);
    else
        down_weights(m, l), up_weights(m, l);
    call_experts(m, m->hooks.ready, l);
    norm2_weights(m, l), proj_weights(m, l), qkv_weights(m, l), norm1_weights(m, l);
}

/* From the head to the layers. */
static void backward_head(const struct model *m) {
    const int64_t start = final_start(m), count = final_count(m);
    model_norm_grad_params(m, model_norm_final(m), m->buffers[MODEL_DNORM]);
    model_norm_grad_input(m, model_norm_final(m), m->buffers[MODEL_DNORM], NULL, model_stream(m));
    call(m, m->hooks.done, start, count); /* includes the head unless it is tied */
    call(m, m->hooks.ready, start, count);
}

void model_backward(struct model *m, const int32_t *tokens) {
    const struct model_params *p = m->params;
    const struct model_chunk c = model_chunk_of(&m->shape, m->chunk);
    const int64_t early = model_early(m);
    const bool late = model_is_late(&m->shape, m->chunk);
    if (early) call(m, m->hooks.ready, 0, early);
    if (model_heads(m)) backward_head(m);
    for (int64_t l = c.first + c.layers - 1; l >= c.first; l--) {
        call_layer(m, m->hooks.need, l), call_experts(m, m->hooks.need, l);
        layer_again(m, l);
        layer_backward(m, l);
        call_layer(m, m->hooks.done, l);
        if (!late) call_layer(m, m->hooks.ready, l);
    }
    if (!model_embeds(m)) return;
    model_embed_backward(m, tokens);
    call(m, m->hooks.done, 0, p->layer0);
    call(m, m->hooks.ready, early, p->layer0 - early);
}

void model_weights(struct model *m) {
    const struct model_chunk c = model_chunk_of(&m->shape, m->chunk);
    for (int64_t l = c.first + c.layers - 1; c.late && l >= c.first; l--) {
        call_layer(m, m->hooks.need, l), call_experts(m, m->hooks.need, l);
        layer_weights(m, l);
        call_layer(m, m->hooks.ready, l);
    }
}
