/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of all variants on guarded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scratch.h"
#include "unit/support/guarded.h"
#include "unit/support/operations_calls.h"

static void scratch_release(struct call *c) {
    if (c->team.scratch) guarded_release(c->team.scratch);
    c->team.scratch = NULL;
}

static void settle(struct call *c) {
    while (c->variant < OPERATION_VARIANTS && !operation_usable(&operation_variants[c->variant])) c->variant++;
}

struct call call_first(void) {
    struct call c = {.variant = 0, .dtype = KERNEL_F32};
    settle(&c);
    return c;
}
bool call_valid(const struct call *c) {
    return c->variant < OPERATION_VARIANTS;
}
void call_next(struct call *c) {
    scratch_release(c);
    c->dtype++;
    if (c->dtype < KERNEL_DTYPE_COUNT) return;
    c->dtype = KERNEL_F32, c->variant++;
    settle(c);
}

size_t call_bytes(const struct operand *x) {
    return (size_t)operand_span(x) * kernel_dtype_bytes(x->dtype);
}
void *call_copy(const struct operand *x) {
    void *copy = malloc(call_bytes(x) + 1);
    assert_non_null(copy);
    return memcpy(copy, x->data, call_bytes(x));
}

/* By the prefix of the operation's name. */
static bool is_room(const struct call *c, const char *room) {
    return strncmp(operation_variants[c->variant].op, room, strlen(room)) == 0;
}

/* Off the start of a page by one to five elements, if buffers are to be skewed. */
static void *take(void *context, const struct operand *x) {
    const struct call *c = context;
    if (x->aligned) return guarded_scratch(call_bytes(x));
    return guarded_bytes(call_bytes(x), (size_t)(1 + c->o.count % 5) * kernel_dtype_bytes(x->dtype));
}

void call_shape(struct call *c, const int64_t shape[3], unsigned options, int threads) {
    c->threads = threads;
    c->o = (struct operation){.rows = shape[0], .cols = shape[1], .depth = shape[2], .dtype = c->dtype};
    c->o.options = options, c->o.take = take, c->o.context = c;
    if (!is_room(c, "gemm")) c->o.depth = 1 + c->o.depth % 5; /* a head costs more than an element of k */
}

static size_t scratch_bytes(const struct call *c) {
    if (is_room(c, "gemm")) return kernel_gemm_scratch(c->threads);
    if (is_room(c, "attention")) return kernel_attention_scratch(c->threads, c->o.rows, c->o.cols);
    return kernel_rows_scratch(c->threads);
}

/* On two threads the caches are so small that every block is cut short and every pass streams. Scratch of the last
 * call is as good as poison. A matmul's takes long to fill, so it is kept while its size is right. */
static void team_prepare(struct call *c) {
    static const struct kernel_caches tiny = {.l1 = 1024, .l2 = 4096, .l3 = 16384};
    const size_t bytes = scratch_bytes(c);
    if (c->team.scratch && c->team.scratch_bytes != bytes) scratch_release(c);
    void *scratch = c->team.scratch ? c->team.scratch : guarded_scratch(bytes);
    c->team = (struct kernel_team){.ops = &c->ops, .threads = c->threads, .scratch = scratch, .scratch_bytes = bytes};
    c->team.caches = c->threads == 2 ? &tiny : NULL;
}

bool call_prepare(struct call *c) {
    const struct operation_variant *v = &operation_variants[c->variant];
    struct operation fresh = {.rows = c->o.rows, .cols = c->o.cols, .depth = c->o.depth, .dtype = c->o.dtype};
    fresh.options = c->o.options, fresh.take = c->o.take, fresh.context = c;
    operation_select(v, &c->ops);
    c->o = fresh, c->o.ops = &c->ops;
    if (!v->prepare(&c->o)) return false;
    team_prepare(c);
    snprintf(c->name, sizeof c->name, "%s %s %s rows %lld cols %lld depth %lld options %u threads %d", v->op, v->isa,
             c->dtype == KERNEL_F32 ? "f32" : "bf16", (long long)c->o.rows, (long long)c->o.cols, (long long)c->o.depth,
             c->o.options, c->threads);
    return true;
}

void call_run(struct call *c) {
    guarded_what = c->name;
    operation_ready(&c->team, &c->o);
    operation_variants[c->variant].run(&c->team, &c->o);
}

void call_release(struct call *c) {
    while (c->o.count > 0) guarded_release(c->o.operands[--c->o.count].data);
}

void call_fail(const struct call *c, const char *what, const struct operand *x, int64_t at) {
    fail_msg("%s: %s: operand %d, element %lld", c->name, what, x ? (int)(x - c->o.operands) : -1, (long long)at);
}
