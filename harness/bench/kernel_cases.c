/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plan to cases. No size is worked out here that the ledger or the model's tables know. */
#include "bench/kernel_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/ledger.h"

/* Whether two are the same work; the name does not count. */
static bool same(const struct bench_kernel_case *a, const struct bench_kernel_case *b) {
    return a->op == b->op && a->dtype == b->dtype && !memcmp(&a->shape, &b->shape, sizeof a->shape);
}

int bench_kernel_cases_add(struct bench_kernel_cases *list, const struct bench_kernel_case *c, struct base_error *e) {
    if (!(c->op->dtypes >> c->dtype & 1)) return BASE_OK;
    for (int i = 0; i < list->count; i++) {
        if (!same(&list->at[i], c)) continue;
        list->at[i].per_step += c->per_step;
        return BASE_OK;
    }
    if (list->count == list->capacity) {
        const int capacity = list->capacity ? 2 * list->capacity : 64;
        struct bench_kernel_case *more = realloc(list->at, (size_t)capacity * sizeof *more);
        if (!more) return base_fail(e, BASE_BROKEN, "out of memory for the list of cases");
        list->at = more;
        list->capacity = capacity;
    }
    list->at[list->count++] = *c;
    return BASE_OK;
}

void bench_kernel_cases_close(struct bench_kernel_cases *list) {
    free(list->at);
    *list = (struct bench_kernel_cases){0};
}

int bench_kernel_cases_add_kind(struct bench_kernel_cases *list, enum bench_shape_kind kind,
                                const struct bench_kernel_shape *shape, enum kernel_dtype dtype, struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < bench_kernel_op_count && !code; i++) {
        const struct bench_kernel_case c = {.op = &bench_kernel_ops[i], .dtype = dtype, .shape = *shape};
        const bool lookup = strstr(c.op->name, "embedding"), turn = !strcmp(c.op->name, "rotary");
        if (c.op->kind == kind && (!lookup || shape->table) && (!turn || shape->head_dim))
            code = bench_kernel_cases_add(list, &c, e);
    }
    return code;
}

static int named(struct bench_kernel_cases *list, const char *op, const char *name, double per_step,
                 enum kernel_dtype dtype, struct bench_kernel_shape shape, struct base_error *e) {
    struct bench_kernel_case c = {.op = bench_kernel_op(op), .dtype = dtype, .shape = shape, .per_step = per_step};
    snprintf(c.name, sizeof c.name, "%s", name);
    return bench_kernel_cases_add(list, &c, e);
}

static int add_ledger(struct bench_kernel_cases *list, const struct plan *p, const struct plan_op *o,
                      struct base_error *e) {
    const struct model_config *c = p->shape.config;
    const bool forward = o->kind == PLAN_ATTENTION_FORWARD, backward = o->kind == PLAN_ATTENTION_BACKWARD;
    if (o->kind == PLAN_GEMM) /* gradients of weights, the ones with A transposed, are added to what is there */
        return named(list, "gemm", o->name, o->count, o->in,
                     (struct bench_kernel_shape){.m = o->m,
                                                 .n = o->n,
                                                 .k = o->k,
                                                 .a_trans = o->a_trans,
                                                 .b_trans = o->b_trans,
                                                 .c_f32 = o->out == KERNEL_F32,
                                                 .accumulate = o->a_trans},
                     e);
    if (!forward && !backward) return BASE_OK;
    return named(list, forward ? "attention_forward" : "attention_backward", o->name, o->count, o->in,
                 (struct bench_kernel_shape){.batch = o->batch,
                                             .heads = o->heads,
                                             .kv_heads = c->kv_heads,
                                             .seq = o->seq,
                                             .head_dim = o->head_dim,
                                             .window = o->window,
                                             .alibi = c->family->position == MODEL_POSITION_ALIBI},
                 e);
}

/* An operation on rows, as the model calls it. */
struct row_use {
    const char *op;
    bool used;
    struct bench_kernel_shape shape;
};

static int add_rows(struct bench_kernel_cases *list, const struct plan *p, struct base_error *e) {
    const struct model_config *c = p->shape.config;
    const int64_t t = p->shape.batch * p->shape.seq, qkv = model_config_dim(c, MODEL_QKV);
    const bool gated = c->family->gated, rotary = c->family->position == MODEL_POSITION_ROTARY;
    const struct bench_kernel_shape norm = {
        .rows = t, .cols = c->width, .rms = c->family->rms, .bias = model_config_has(c, MODEL_FINAL_BIAS)};
    const struct bench_kernel_shape ffn = {.rows = t, .cols = c->ffn};
    const struct bench_kernel_shape heads = {
        .rows = t, .cols = qkv - model_config_dim(c, MODEL_KV), .seq = p->shape.seq, .head_dim = c->head_dim};
    const struct bench_kernel_shape biased = {.rows = t, .cols = qkv};
    const struct bench_kernel_shape head = {.rows = p->shape.head_rows, .cols = c->vocab};
    const struct bench_kernel_shape tokens = {.rows = t,
                                              .cols = c->width,
                                              .seq = p->shape.seq,
                                              .table = c->vocab,
                                              .positions =
                                                  c->family->position == MODEL_POSITION_LEARNED ? p->shape.seq : 0};
    const struct row_use uses[] = {
        {"norm_forward", true, norm},
        {"norm_grad_input", true, norm},
        {"norm_grad_params", true, norm},
        {"gelu_forward", !gated, ffn},
        {"gelu_backward", !gated, ffn},
        {"swiglu_forward", gated, ffn},
        {"swiglu_backward", gated, ffn},
        {"rotary", rotary, heads},
        {"column_sum", model_config_has(c, MODEL_QKV_BIAS), biased},
        {"cross_entropy_stats", true, head},
        {"cross_entropy_grad", true, head},
        {"embedding_forward", true, tokens},
        {"embedding_backward", true, tokens},
    };
    int code = BASE_OK;
    for (size_t i = 0; i < sizeof uses / sizeof *uses && !code; i++)
        if (uses[i].used) code = named(list, uses[i].op, "", 0, p->shape.dtype, uses[i].shape, e);
    return code;
}

int bench_kernel_cases_plan(struct bench_kernel_cases *list, const struct plan *plan, struct base_error *e) {
    struct plan_ledger ledger;
    struct model_params params;
    int code = model_params_open(&params, plan->shape.config, e);
    if (code) return code;
    const struct bench_kernel_shape vector = {.n = params.layer_size < BENCH_VECTOR_MAX ? params.layer_size
                                                                                        : BENCH_VECTOR_MAX};
    model_params_close(&params);
    plan_ledger_fill(&ledger, plan);
    for (int i = 0; i < ledger.count && !code; i++) code = add_ledger(list, plan, &ledger.ops[i], e);
    if (!code) code = add_rows(list, plan, e);
    return code ? code : bench_kernel_cases_add_kind(list, BENCH_SHAPE_VECTOR, &vector, plan->shape.dtype, e);
}
