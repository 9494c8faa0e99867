/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a plan into cases and selects among them. All sizes come from the ledger and the model's tables. */
#include "bench/kernel_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Whether two cases are the same work. Names do not count. */
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
        const bool lookup = strstr(c.op->name, "embedding"), rotary = !strcmp(c.op->name, "rotary");
        if (c.op->kind == kind && (!lookup || shape->table) && (!rotary || shape->head_dim))
            code = bench_kernel_cases_add(list, &c, e);
    }
    return code;
}

/* The shape of a pass over rows, as the model calls it. How often it runs is unknown. */
static struct bench_kernel_shape rows_of(const struct plan *p, const struct plan_op *o) {
    const struct model_config *c = p->shape.config;
    struct bench_kernel_shape s = {.rows = o->rows, .cols = o->cols};
    if (!strncmp(o->op, "norm_", 5)) s.rms = c->family->rms, s.bias = model_config_has(c, MODEL_FINAL_BIAS);
    if (!strcmp(o->op, "rotary")) s.seq = p->shape.seq, s.head_dim = c->head_dim;
    if (strncmp(o->op, "embedding_", 10) != 0) return s;
    s.seq = p->shape.seq, s.table = c->vocab;
    s.positions = c->family->position == MODEL_POSITION_LEARNED ? p->shape.seq : 0;
    return s;
}

static struct bench_kernel_shape shape_of(const struct plan *p, const struct plan_op *o) {
    const struct model_config *c = p->shape.config;
    if (o->kind == PLAN_PASS) return rows_of(p, o);
    if (o->kind == PLAN_GEMM) /* weight gradients, which have A transposed, are accumulated */
        return (struct bench_kernel_shape){.m = o->m,
                                           .n = o->n,
                                           .k = o->k,
                                           .a_trans = o->a_trans,
                                           .b_trans = o->b_trans,
                                           .c_f32 = o->out == KERNEL_F32,
                                           .accumulate = o->a_trans};
    return (struct bench_kernel_shape){.batch = o->batch,
                                       .heads = o->heads,
                                       .kv_heads = c->kv_heads,
                                       .seq = o->seq,
                                       .head_dim = o->head_dim,
                                       .window = o->window,
                                       .alibi = c->family->position == MODEL_POSITION_ALIBI};
}

/* Skips messages, vectors, and what is not timed, as the router's choice: vectors are added once, with a layer's
 * length. */
static int add_op(struct bench_kernel_cases *list, const struct plan *p, const struct plan_op *o,
                  struct base_error *e) {
    const bool pass = o->kind == PLAN_PASS;
    struct bench_kernel_case c = {.op = bench_kernel_op(o->op),
                                  .dtype = pass ? p->shape.dtype : o->in,
                                  .shape = shape_of(p, o),
                                  .per_step = pass ? 0 : o->count};
    if (o->kind == PLAN_MESSAGE || !c.op || (pass && o->cols == 1)) return BASE_OK;
    if (!pass) snprintf(c.name, sizeof c.name, "%s", o->name);
    return bench_kernel_cases_add(list, &c, e);
}

int bench_kernel_cases_plan(struct bench_kernel_cases *list, const struct plan *plan, struct base_error *e) {
    struct model_params params;
    int code = BASE_OK;
    model_params_size(&params, plan->shape.config);
    const struct bench_kernel_shape vector = {.n = params.layer_size < BENCH_VECTOR_MAX ? params.layer_size
                                                                                        : BENCH_VECTOR_MAX};
    for (int i = 0; i < plan->ledger.count && !code; i++) code = add_op(list, plan, &plan->ledger.ops[i], e);
    return code ? code : bench_kernel_cases_add_kind(list, BENCH_SHAPE_VECTOR, &vector, plan->shape.dtype, e);
}

/* Whether `word` names an operation or its group. */
static bool chooses(const char *word, const struct bench_kernel_op *op) {
    static const struct {
        const char *name;
        enum bench_shape_kind kind;
    } groups[] = {{"attention", BENCH_SHAPE_ATTENTION}, {"rows", BENCH_SHAPE_ROWS}, {"vectors", BENCH_SHAPE_VECTOR}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (!strcmp(word, groups[i].name)) return op->kind == groups[i].kind;
    return !strcmp(word, op->name);
}

static int unknown_op(const char *word, struct base_error *e) {
    char known[640] = "gemm, attention, rows, vectors";
    for (int i = 0; i < bench_kernel_op_count; i++) {
        const size_t used = strlen(known);
        if (strcmp(bench_kernel_ops[i].name, "gemm") != 0)
            snprintf(known + used, sizeof known - used, ", %s", bench_kernel_ops[i].name);
    }
    return base_fail(e, BASE_USAGE, "--op: unknown \"%.64s\"; known: %s", word, known);
}

int bench_kernel_cases_keep(struct bench_kernel_cases *cases, const char *ops, struct base_error *e) {
    const char *words[32];
    char text[512];
    const int count = base_text_words(ops, text, sizeof text, words, 32);
    int kept = 0;
    if (count < 1)
        return base_fail(e, BASE_USAGE, "--op: %s; give names separated by commas",
                         count ? "too many names" : "no name");
    for (int w = 0; w < count; w++) {
        bool any = false;
        for (int i = 0; i < bench_kernel_op_count; i++) any = any || chooses(words[w], &bench_kernel_ops[i]);
        if (!any) return unknown_op(words[w], e);
    }
    for (int i = 0; i < cases->count; i++) {
        bool wanted = false;
        for (int w = 0; w < count; w++) wanted = wanted || chooses(words[w], cases->at[i].op);
        if (wanted) cases->at[kept++] = cases->at[i];
    }
    cases->count = kept;
    return BASE_OK;
}
