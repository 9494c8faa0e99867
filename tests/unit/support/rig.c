/* SPDX-License-Identifier: Apache-2.0
 *
 * A small model in an engine of one rank. */
#include "unit/support/rig.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *const rig_families[RIG_FAMILIES] = {"gpt2", "bloom", "llama", "mistral", "mixtral", "glm4_moe"};

struct model_config rig_config(int64_t layers, int64_t width, int64_t heads, int64_t vocab, int64_t positions) {
    return rig_config_of("gpt2", layers, width, heads, vocab, positions);
}

struct model_config rig_config_of(const char *family, int64_t layers, int64_t width, int64_t heads, int64_t vocab,
                                  int64_t positions) {
    const struct model_family *f = model_family_find(family);
    struct model_config c = {.name = "rig",
                             .family = f,
                             .tied = f->tied,
                             .head_dim = width / heads,
                             .layers = layers,
                             .full_layers = layers,
                             .width = width,
                             .heads = heads,
                             .kv_heads = heads,
                             .ffn = 4 * width,
                             .positions = positions,
                             .vocab = vocab,
                             .norm_eps = 1e-5,
                             .init_std = 0.02};
    if (f->position == MODEL_POSITION_ROTARY) c.kv_heads = heads / 2, c.rotary.theta = 10000;
    if (f->key_window[0]) c.window = positions / 3 + 1;
    if (f->key_experts[0]) c.experts = c.full_experts = c.own_experts = 4, c.active = 2, c.expert_scale = 1;
    if (f->key_balance[0]) c.balance = 0.1;
    if (f->key_shared[0]) c.shared = 2, c.expert_scale = 1.5;
    if (f->key_experts[0]) c.ffn = 2 * width;
    c.parameters = model_params_count(&c);
    return c;
}

struct plan_request rig_request(const struct model_config *config, enum kernel_dtype dtype, int64_t seq, int64_t micro,
                                int64_t accumulation) {
    return (struct plan_request){.config = *config,
                                 .dtype = dtype,
                                 .seq = seq,
                                 .layout = plan_layout_data_parallel(1, micro),
                                 .global_batch = micro * accumulation,
                                 .threads = 1};
}

void rig_open(struct rig *r, const struct plan_request *request, enum kernel_isa cap, enum kernel_backend backend,
              uint64_t seed) {
    struct base_error e = {0};
    const struct data_options options = {
        .vocab = request->config.vocab, .seq = request->seq, .seed = seed, .shares = 1};
    memset(r, 0, sizeof *r);
    comm_serial(&r->world);
    kernel_select(&r->ops, cap, backend);
    if (plan_make(&r->plan, request, &e) || parallel_open(&r->engine, &r->plan, &r->world, &r->ops, &e) ||
        data_open(&r->source, &options, &e))
        fail_msg("%s", e.text);
    parallel_start(&r->engine, seed, true);
}

/* Tokens that pass no pass have the first experts. */
static void choices_open(struct rig *r) {
    const struct plan_request *q = &r->plan.request;
    const int64_t active = q->config.active, n = q->config.layers * q->global_batch * q->seq * active;
    if (q->config.experts == 0 || r->chosen) return;
    r->chosen = malloc((size_t)n * sizeof *r->chosen);
    assert_non_null(r->chosen);
    for (int64_t i = 0; i < n; i++) r->chosen[i] = (int32_t)(i % active);
    r->engine.chosen = r->chosen, r->engine.chosen_samples = q->global_batch, r->engine.chosen_seq = q->seq;
}

void rig_close(struct rig *r) {
    data_close(r->source);
    parallel_close(&r->engine);
    free(r->chosen);
}

void rig_zero(struct rig *r) {
    memset(r->engine.grads, 0, (size_t)r->engine.params.total * sizeof(float));
}

double rig_pass(struct rig *r, int64_t first, float scale) {
    struct parallel_engine *g = &r->engine;
    choices_open(r);
    g->sample = first, g->model.grad_scale = scale;
    data_fill(r->source, 0, r->plan.request.global_batch, first, r->plan.request.layout.micro_batch, g->inputs,
              g->targets);
    model_forward(&g->model, g->inputs);
    double loss = model_loss(&g->model, g->targets, scale);
    if (scale != 0) model_backward(&g->model, g->inputs);
    return loss;
}

static void read_weights(void *context, int64_t offset, int64_t count, double *out) {
    const struct parallel_engine *g = context;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = g->half ? (uint32_t)g->half[offset + i] << 16 : 0;
        float x;
        memcpy(&x, &bits, sizeof x);
        out[i] = (double)(g->half ? x : g->master[offset + i]);
    }
}

double rig_reference(const struct rig *r, enum kernel_dtype dtype, double *grads) {
    const struct plan_request *q = &r->plan.request;
    const int64_t tokens = q->global_batch * q->seq;
    struct base_error e = {0};
    struct model_reference reference = {.params = &r->engine.params,
                                        .shape = r->plan.shape,
                                        .weights = kernel_attention_weights(&r->ops, dtype),
                                        .read = read_weights,
                                        .context = (void *)(uintptr_t)&r->engine,
                                        .choice = r->chosen};
    reference.shape.batch = q->global_batch;
    reference.shape.dtype = dtype;
    int32_t *inputs = malloc((size_t)tokens * sizeof *inputs), *targets = malloc((size_t)tokens * sizeof *targets);
    double *loss = malloc((size_t)tokens * sizeof *loss), sum = 0;
    data_fill(r->source, 0, q->global_batch, 0, q->global_batch, inputs, targets);
    memset(grads, 0, (size_t)r->engine.params.total * sizeof *grads);
    int code = model_reference_step(&reference, inputs, targets, 1 / (double)tokens, loss, grads, &e);
    for (int64_t i = 0; i < tokens && !code; i++) sum += loss[i] / (double)tokens;
    free(inputs), free(targets), free(loss);
    if (code) fail_msg("%s", e.text);
    return sum;
}

static double norm(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}
static double distance(const float *x, const double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return sqrt(sum);
}

/* Of all gradients; numbers of rows are none. */
static double whole_norm(const struct model_params *p, const double *truth) {
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        const struct model_tensor *t = &p->tensors[i];
        if (!model_tensor_counts_rows(t)) sum += pow(norm(truth + t->offset, t->count), 2);
    }
    return sqrt(sum);
}

double rig_worst_tensor(const struct rig *r, const float *grads, const double *truth, const char **where) {
    const struct model_params *p = &r->engine.params;
    const double whole = whole_norm(p, truth);
    double worst = -1;
    for (int i = 0; i < p->count; i++) {
        const struct model_tensor *t = &p->tensors[i];
        double share = 0.01 * whole * sqrt((double)t->count / (double)p->total);
        double error =
            distance(grads + t->offset, truth + t->offset, t->count) / fmax(norm(truth + t->offset, t->count), share);
        if (error <= worst) continue;
        worst = isnan(error) ? INFINITY : error;
        if (where) *where = t->name;
    }
    return worst;
}

double rig_whole_error(const struct rig *r, const float *grads, const double *truth) {
    return distance(grads, truth, r->engine.params.total) / whole_norm(&r->engine.params, truth);
}
