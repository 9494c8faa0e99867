/* SPDX-License-Identifier: Apache-2.0
 *
 * Which experts tokens pass, in which order their rows stand, and the load-balancing loss. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/block.h"

/* The choices of a sequence's tokens are numbered. The favoured expert gets every (experts / skew)-th, so at most one
 * of a token's, and the others take turns. */
int32_t model_route_forced(const struct model_route *r, int64_t experts, int64_t active, int64_t layer,
                           int64_t position, int64_t j) {
    const int64_t n = position * active + j;
    const int64_t favoured =
        (int64_t)(base_random_u64(r->seed, BASE_STREAM_ROUTE, (uint64_t)layer) % (uint64_t)experts);
    const double each = r->skew / (double)experts,
                 rounded = 0.5 + 1e-6; /* to the nearest, and alike where it is between two */
    const int64_t before = (int64_t)floor((double)n * each + rounded);
    const int64_t after = (int64_t)floor((double)(n + 1) * each + rounded);
    if (after > before || experts == 1) return (int32_t)favoured;
    return (int32_t)((favoured + 1 + (n - before) % (experts - 1)) % experts);
}

double model_route_busiest(const struct model_route *r, int64_t experts, int64_t ranks) {
    const double all = (double)experts, own = all / (double)ranks;
    if (!r->forced || ranks == experts) return r->forced ? r->skew : 1;
    return (r->skew + (own - 1) * (all - r->skew) / (all - 1)) / own;
}

int64_t model_expert_rows(const struct model_shape *s) {
    const struct model_config *c = s->config;
    const int64_t ranks = model_expert_ranks(s), tokens = s->batch * s->seq * ranks;
    const int64_t own = c->own_experts;
    if (ranks == 1) return tokens * c->active;
    if (!s->route.forced) return tokens * (c->active < own ? c->active : own);
    enum { UNEVEN = 2 }; /* rows of an expert beyond its share, of a run of positions; a sequence is up to two runs */
    const double rows = (double)(tokens / ranks * c->active) * model_route_busiest(&s->route, c->experts, ranks);
    return (int64_t)ceil(rows) + 2 * UNEVEN * own * ranks * s->batch;
}

/* Sorts rows by expert, and by token for the same one: where each choice's row is, and whose row is where. */
static void sort(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const int64_t tokens = model_tokens(m), k = c->active;
    const int32_t *choice = model_buffer_at(m, MODEL_CHOICE, l);
    int32_t *place = model_buffer_at(m, MODEL_PLACE, l), *order = model_buffer_at(m, MODEL_ORDER, l);
    int32_t *sent = model_buffer_at(m, MODEL_SENT, l), *next = m->buffers[MODEL_NEXT];
    memset(sent, 0, (size_t)c->experts * sizeof *sent);
    for (int64_t i = 0; i < tokens * k; i++) sent[choice[i]]++;
    int32_t first = 0;
    for (int64_t x = 0; x < c->experts; x++) next[x] = first, first += sent[x];
    for (int64_t i = 0; i < tokens * k; i++) {
        place[i] = next[choice[i]]++;
        order[place[i]] = (int32_t)(i / k);
    }
}

/* Rows of each expert, sequence by sequence. */
static void count_loads(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const int32_t *choice = model_buffer_at(m, MODEL_CHOICE, l);
    float *load = model_buffer_at(m, MODEL_LOAD, l);
    const int64_t rows = m->shape.seq * c->active;
    memset(load, 0, (size_t)(m->shape.batch * c->experts) * sizeof *load);
    for (int64_t i = 0; i < m->shape.batch * rows; i++) load[i / rows * c->experts + choice[i]]++;
    if (model_context_shares(m->shape.context)) m->hooks.load(m->hooks.context, load, m->shape.batch * c->experts);
}

static int64_t layer_of(const struct model *m, int64_t l) {
    return model_part_layer(&m->shape.part, l);
}

void model_route_forward(const struct model *m, int64_t l, const void *x) {
    const struct model_config *c = m->shape.config;
    const int64_t tokens = model_tokens(m);
    struct kernel_gemm g = model_gemm_forward(m, model_linear_router(m, l), x, NULL, m->buffers[MODEL_SCORES]);
    g.out = KERNEL_F32;
    m->team->ops->gemm(m->team, &g);
    int32_t *choice = model_buffer_at(m, MODEL_CHOICE, l);
    for (int64_t i = 0; m->shape.route.forced && i < tokens * c->active; i++) {
        const int64_t t = i / c->active % m->shape.seq;
        choice[i] = model_route_forced(&m->shape.route, c->experts, c->active, layer_of(m, l),
                                       model_context_position(m->shape.context, m->shape.seq, t), i % c->active);
    }
    m->team->ops->route_forward(m->team, &(struct kernel_route){.rows = tokens,
                                                                .experts = c->experts,
                                                                .active = c->active,
                                                                .sigmoid = c->family->sigmoid,
                                                                .forced = m->shape.route.forced,
                                                                .scale = (float)c->expert_scale,
                                                                .bias = model_weight(m, MODEL_ROUTER_BIAS, l),
                                                                .dtype = m->shape.dtype,
                                                                .logits = m->buffers[MODEL_SCORES],
                                                                .probs = model_buffer_at(m, MODEL_PROBS, l),
                                                                .choice = choice,
                                                                .weights = model_buffer_at(m, MODEL_MIX, l)});
    if (m->hooks.chosen) m->hooks.chosen(m->hooks.context, layer_of(m, l), choice);
    sort(m, l);
    count_loads(m, l);
}

double model_route_balance(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const float *load = model_buffer_at(m, MODEL_LOAD, l), *probs = model_buffer_at(m, MODEL_PROBS, l);
    const int64_t seq = m->shape.seq;
    double sum = 0;
    for (int64_t t = 0; t < model_tokens(m); t++)
        for (int64_t x = 0; x < c->experts; x++)
            sum += (double)load[t / seq * c->experts + x] * (double)probs[t * c->experts + x];
    return c->balance * (double)c->experts * sum / (double)(seq * model_context_ranks(&m->shape));
}

void model_route_backward(const struct model *m, int64_t l) {
    const struct model_config *c = m->shape.config;
    const float *load = model_buffer_at(m, MODEL_LOAD, l);
    float *balance = m->buffers[MODEL_DPROBS];
    const double scale = (double)m->grad_scale * c->balance * (double)c->experts /
                         (double)(m->shape.seq * model_context_ranks(&m->shape));
    for (int64_t i = 0; i < m->shape.batch * c->experts; i++) balance[i] = (float)(scale * (double)load[i]);
    m->team->ops->route_backward(m->team, &(struct kernel_route){.rows = model_tokens(m),
                                                                 .experts = c->experts,
                                                                 .active = c->active,
                                                                 .sigmoid = c->family->sigmoid,
                                                                 .scale = (float)c->expert_scale,
                                                                 .probs = model_buffer_at(m, MODEL_PROBS, l),
                                                                 .choice = model_buffer_at(m, MODEL_CHOICE, l),
                                                                 .weights = model_buffer_at(m, MODEL_MIX, l),
                                                                 .dweights = m->buffers[MODEL_DMIX],
                                                                 .dprobs = balance,
                                                                 .seq = m->shape.seq,
                                                                 .dtype = m->shape.dtype,
                                                                 .dlogits = model_buffer_at(m, MODEL_DSCORES, l)});
}

void model_route_weights(const struct model *m, int64_t l) {
    const int32_t *sent = model_buffer_at(m, MODEL_SENT, l);
    float *rows = model_gradient(m, MODEL_ROUTER_BIAS, l);
    model_linear_grad_params(m, model_linear_router(m, l), model_buffer_at(m, MODEL_DSCORES, l),
                             model_buffer_at(m, MODEL_NORM2, l));
    for (int64_t x = 0; rows && x < m->shape.config->experts; x++) rows[x] += (float)sent[x];
}
