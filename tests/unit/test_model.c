/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast model against the FP64 reference, loss and every tensor's gradient: every instruction set that the host
 * runs, threads, precisions, head chunks, accumulation, shared key heads; its hooks; and that it repeats itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/rig.h"

enum { LAYERS = 2, WIDTH = 32, HEADS = 4, VOCAB = 53, POSITIONS = 11, SEQ = 9, BATCH = 2, SEED = 7 };

/* Relative errors, in units of the rounding (2^-24, 2^-8): a gradient passes some forty operations in two layers. In
 * BF16 both sides round at the same points, so that only the few values that fall on the other side differ. */
static const double LOSS_BOUND = 8, GRADIENT_BOUND[KERNEL_DTYPE_COUNT] = {64, 0.25};

static double unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-24 : 0x1p-8;
}

static struct plan_request request(enum kernel_dtype dtype, int64_t micro, int64_t accumulation) {
    const struct model_config c = rig_config(LAYERS, WIDTH, HEADS, VOCAB, POSITIONS);
    return rig_request(&c, dtype, SEQ, micro, accumulation);
}

/* One global batch through the fast path into the rig's gradients: its mean loss. */
static double whole_batch(struct rig *r) {
    const struct plan_request *q = &r->plan.request;
    const double tokens = (double)(q->global_batch * q->seq);
    double loss = 0;
    rig_zero(r);
    for (int64_t i = 0; i < q->global_batch; i += q->micro_batch) loss += rig_pass(r, i, (float)(1 / tokens));
    return loss / tokens;
}

static double *doubles(const struct rig *r) {
    double *x = calloc((size_t)r->engine.params.total, sizeof *x);
    assert_non_null(x);
    return x;
}

/* Opens, runs and compares; returns the worst gradient's error in units of rounding. */
static double check(const struct plan_request *q, enum kernel_isa cap, enum kernel_backend backend) {
    struct rig r;
    const char *where = "";
    rig_open(&r, q, cap, backend, SEED);
    double *truth = doubles(&r);
    const double loss = whole_batch(&r), exact = rig_reference(&r, q->dtype, truth);
    const double worst = rig_worst_tensor(&r, r.engine.grads, truth, &where) / unit(q->dtype);
    const double of_loss = fabs(loss - exact) / exact / unit(q->dtype);
    if (worst > GRADIENT_BOUND[q->dtype] || !(of_loss <= LOSS_BOUND))
        fail_msg("%s%s, %d threads: loss off by %.3g, gradient of %s by %.3g roundings", kernel_isa_name(cap),
                 backend ? " with OpenBLAS" : "", q->threads, of_loss, where, worst);
    free(truth);
    rig_close(&r);
    return worst;
}

static void every_variant(enum kernel_dtype dtype) {
    double worst = 0;
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        struct plan_request q = request(dtype, BATCH, 1);
        if (!kernel_isa_usable((enum kernel_isa)isa)) {
            printf("SKIP: model on %s: this CPU or this build lacks it\n", kernel_isa_name((enum kernel_isa)isa));
            continue;
        }
        for (q.threads = 1; q.threads <= 3; q.threads++)
            worst = fmax(worst, check(&q, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE));
        worst = fmax(worst, check(&q, (enum kernel_isa)isa, KERNEL_BACKEND_OPENBLAS));
    }
    printf("%s: worst gradient %.3g roundings, bound %.3g\n", dtype == KERNEL_F32 ? "fp32" : "bf16", worst,
           GRADIENT_BOUND[dtype]);
}
static void test_fp32(void **state) {
    (void)state;
    every_variant(KERNEL_F32);
}
static void test_bf16(void **state) {
    (void)state;
    every_variant(KERNEL_BF16);
}

/* The reference rounds where the path rounds: it is much nearer to the path than exact arithmetic is. */
static void test_rounding_points(void **state) {
    (void)state;
    struct rig r;
    const struct plan_request q = request(KERNEL_BF16, BATCH, 1);
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    double *truth = doubles(&r);
    whole_batch(&r);
    rig_reference(&r, KERNEL_F32, truth);
    const double without = rig_whole_error(&r, r.engine.grads, truth);
    rig_reference(&r, KERNEL_BF16, truth);
    const double with = rig_whole_error(&r, r.engine.grads, truth);
    printf("bf16 gradient: off by %.3g of exact arithmetic, by %.3g of the same rounding points\n", without, with);
    assert_true(with < without / 2);
    assert_true(without > unit(KERNEL_BF16) / 8); /* BF16 was really in use */
    free(truth);
    rig_close(&r);
}

/* Any chunk of the head, and any cut into micro-batches, is the same sum in another order. */
static void test_chunks_and_accumulation(void **state) {
    (void)state;
    const int64_t rows[] = {1, 5, 7, SEQ, 2 * SEQ};
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct plan_request q = request((enum kernel_dtype)dtype, BATCH, 1);
            q.head_rows = rows[i];
            check(&q, kernel_isa_best(), KERNEL_BACKEND_TOISE);
        }
        const struct plan_request split = request((enum kernel_dtype)dtype, 1, BATCH);
        check(&split, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    }
}

static void test_shared_key_heads(void **state) {
    (void)state;
    struct plan_request q = request(KERNEL_F32, BATCH, 1);
    q.config.kv_heads = HEADS / 2;
    check(&q, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE);
    check(&q, kernel_isa_best(), KERNEL_BACKEND_TOISE);
}

/* Twice the same bits, whatever the scratch and the activations held before; and the loss alone is the same loss. */
static void test_repeats(void **state) {
    (void)state;
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        struct rig r;
        struct plan_request q = request((enum kernel_dtype)dtype, BATCH, 1);
        q.threads = 2;
        rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
        const size_t bytes = (size_t)r.engine.params.total * sizeof(float);
        float *first = malloc(bytes);
        const double loss = whole_batch(&r);
        memcpy(first, r.engine.grads, bytes);
        memset(r.engine.team.scratch, 0xff, r.engine.team.scratch_bytes);
        memset(r.engine.arenas[PLAN_ACTIVATIONS].base, 0xff, r.engine.arenas[PLAN_ACTIVATIONS].used);
        assert_true(whole_batch(&r) == loss);
        assert_memory_equal(first, r.engine.grads, bytes);
        assert_true(rig_pass(&r, 0, 0) / (BATCH * SEQ) == loss);
        assert_memory_equal(first, r.engine.grads, bytes); /* and no gradient is touched */
        free(first);
        rig_close(&r);
    }
}

enum { NEED = 'n', DONE = 'd', READY = 'r', CALLS = 64 };
struct call {
    int kind;
    int64_t offset, count;
};
struct calls {
    struct call call[CALLS];
    int count;
};

static void note(void *context, int kind, int64_t offset, int64_t count) {
    struct calls *c = context;
    assert_true(c->count < CALLS);
    c->call[c->count++] = (struct call){kind, offset, count};
}
static void on_need(void *context, int64_t offset, int64_t count) {
    note(context, NEED, offset, count);
}
static void on_done(void *context, int64_t offset, int64_t count) {
    note(context, DONE, offset, count);
}
static void on_ready(void *context, int64_t offset, int64_t count) {
    note(context, READY, offset, count);
}

/* Ready: from the end of the buffer to its start, each element once. Need and done: every range that is read is
 * needed before and done after, in forward and in backward. */
static void test_hooks(void **state) {
    (void)state;
    struct rig r;
    struct calls calls = {.count = 0};
    const struct plan_request q = request(KERNEL_F32, BATCH, 1);
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    r.engine.model.hooks = (struct model_hooks){&calls, on_need, on_done, on_ready};
    rig_pass(&r, 0, 1);
    const struct model_params *p = &r.engine.params;
    int64_t end = p->total, layers_ready = 0, open = 0, most_open = 0;
    for (int i = 0; i < calls.count; i++) {
        const struct call *c = &calls.call[i];
        open += c->kind == NEED ? c->count : c->kind == DONE ? -c->count : 0;
        most_open = open > most_open ? open : most_open;
        assert_in_range(open, 0, p->total);
        if (c->kind != READY) continue;
        assert_int_equal(c->offset + c->count, end);
        end = c->offset;
        layers_ready += c->count == p->layer_size && c->offset >= p->layer0;
    }
    assert_int_equal(end, 0);
    assert_int_equal(layers_ready, LAYERS);
    assert_int_equal(open, 0);
    /* a layer's weights are let go before the next one's are asked for */
    assert_in_range(most_open, p->layer_size, p->total - p->layer_size);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fp32),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_rounding_points),
        cmocka_unit_test(test_chunks_and_accumulation),
        cmocka_unit_test(test_shared_key_heads),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
