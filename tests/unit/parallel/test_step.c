/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The training step: learning rate and clipping by their formulas, accumulation, memory to the byte, reproducible bits,
 * and probes that change nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scalar.h"
#include "unit/support/rig.h"

static struct parallel_optimizer constant_rate(double lr, int64_t warmup) {
    struct parallel_optimizer o = parallel_optimizer_default();
    o.lr = o.lr_min = lr;
    o.warmup = warmup;
    return o;
}

static bool near(double x, double y) {
    return fabs(x - y) <= 1e-12 * fabs(y);
}

static void test_schedule(void **state) {
    (void)state;
    struct parallel_optimizer o = parallel_optimizer_default();
    o.lr = 6e-4, o.lr_min = 6e-5, o.warmup = 10, o.total = 1010;
    const struct {
        int64_t step;
        double lr;
    } expected[] = {
        {0, 6e-5}, /* a tenth of the warm-up */
        {4, 3e-4},
        {9, 6e-4},
        {10, 6e-4},                                          /* the top, twice: end of warm-up, start of the cosine */
        {260, 6e-5 + 5.4e-4 * (2 + 1.4142135623730951) / 4}, /* a quarter: (1 + cos 45 degrees) / 2 */
        {510, 3.3e-4},                                       /* half way down */
        {1010, 6e-5},
        {100000, 6e-5}, /* the end, and after */
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!near(parallel_optimizer_lr(&o, expected[i].step), expected[i].lr))
            fail_msg("step %lld: %.17g, wanted %.17g", (long long)expected[i].step,
                     parallel_optimizer_lr(&o, expected[i].step), expected[i].lr);
    for (int64_t step = 10; step < 1010; step++)
        assert_true(parallel_optimizer_lr(&o, step + 1) < parallel_optimizer_lr(&o, step));
    o.warmup = 0;
    assert_true(near(parallel_optimizer_lr(&o, 0), 6e-4));
}

static void test_clip_scale(void **state) {
    (void)state;
    struct parallel_optimizer o = parallel_optimizer_default();
    o.clip = 2;
    assert_true(parallel_optimizer_scale(&o, 8) == 0.25);
    assert_true(parallel_optimizer_scale(&o, 2) == 1 && parallel_optimizer_scale(&o, 0) == 1);
    o.clip = 0;
    assert_true(parallel_optimizer_scale(&o, 8) == 1);
}

static struct plan_request odd_request(enum kernel_dtype dtype, int64_t micro, int64_t accumulation) {
    const struct model_config c = rig_config(3, 48, 3, 101, 20);
    return rig_request(&c, dtype, 19, micro, accumulation);
}

/* The norm is the unclipped gradient's. AdamW gets the scaled gradient, as its first moment shows. */
static void test_clipping_in_the_step(void **state) {
    (void)state;
    const struct plan_request q = odd_request(KERNEL_F32, 2, 1);
    struct parallel_optimizer o = constant_rate(1e-3, 0);
    struct parallel_result result;
    struct rig r;
    double square = 0;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 3);
    struct parallel_engine *g = &r.engine;
    parallel_gradients(g, r.source, 0, &result);
    for (int64_t i = 0; i < g->params.total; i++) square += (double)g->grads[i] * (double)g->grads[i];
    o.clip = sqrt(square) / 4;
    parallel_update(g, &o, &result);
    assert_true(fabs(result.grad_norm / sqrt(square) - 1) < 1e-12);
    assert_true(result.lr == 1e-3 && g->updates == 1);
    for (int64_t i = 0; i < g->params.total; i++) {
        const double wanted = (1 - (double)(float)o.beta1) * (double)g->grads[i] / 4;
        assert_true(fabs((double)g->moment1[i] - wanted) <= 0x1p-21 * fabs(wanted));
    }
    rig_close(&r);
}

/* One global batch in any micro-batches: the same loss and gradient within rounding. */
static void test_accumulation(void **state) {
    (void)state;
    struct parallel_result whole, cut;
    struct rig a, b;
    const struct plan_request one = odd_request(KERNEL_F32, 6, 1), three = odd_request(KERNEL_F32, 2, 3);
    rig_open(&a, &one, kernel_isa_best(), KERNEL_BACKEND_TOISE, 4);
    rig_open(&b, &three, kernel_isa_best(), KERNEL_BACKEND_TOISE, 4);
    double *truth = malloc((size_t)a.engine.params.total * sizeof *truth);
    parallel_gradients(&a.engine, a.source, 0, &whole);
    parallel_gradients(&b.engine, b.source, 0, &cut);
    for (int64_t i = 0; i < a.engine.params.total; i++) truth[i] = (double)a.engine.grads[i];
    assert_true(fabs(whole.loss - cut.loss) < 8 * 0x1p-24 * whole.loss);
    assert_true(rig_worst_tensor(&b, b.engine.grads, truth, NULL) < 64 * 0x1p-24);
    parallel_gradients(&b.engine, b.source, 1, &cut); /* another step is another batch */
    assert_true(fabs(whole.loss - cut.loss) > 1e-3);
    free(truth);
    rig_close(&a), rig_close(&b);
}

/* Each arena uses exactly the bytes that the plan gives it. */
static void test_memory(void **state) {
    (void)state;
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        struct rig r;
        const struct plan_request q = odd_request((enum kernel_dtype)dtype, 2, 1);
        double sum = 0;
        rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 5);
        for (int i = 0; i < PLAN_ARENAS; i++) {
            assert_true((double)r.engine.arenas[i].used == r.plan.arenas[i].bytes);
            sum += (double)r.engine.arenas[i].used;
        }
        assert_true(sum == r.plan.memory_bytes);
        assert_int_equal(r.plan.arenas[PLAN_WEIGHTS].bytes > 0, dtype == KERNEL_BF16);
        rig_close(&r);
    }
}

/* The same steps give the same bits. BF16 weights are the rounded masters. Phases add up to the step. */
static void test_repeats(void **state) {
    (void)state;
    enum { STEPS = 3 };
    const struct parallel_optimizer o = constant_rate(1e-3, 1);
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        struct rig r;
        struct parallel_result result;
        struct plan_request q = odd_request((enum kernel_dtype)dtype, 2, 2);
        q.threads = 2;
        rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 6);
        struct parallel_engine *g = &r.engine;
        const size_t n = (size_t)g->params.total;
        float *first = malloc(n * sizeof *first);
        for (int turn = 0; turn < 2; turn++) {
            parallel_start(g, 6, false);
            for (int step = 0; step < STEPS; step++) parallel_step(g, r.source, &o, step, &result);
            if (turn == 0) memcpy(first, g->master, n * sizeof *first);
        }
        assert_memory_equal(first, g->master, n * sizeof *first);
        for (size_t i = 0; i < n && g->half; i++) assert_int_equal(g->half[i], scalar_narrow(g->master[i]));
        double sum = 0;
        for (int p = 0; p < PLAN_PHASES; p++) sum += result.phase_s[p];
        assert_true(sum > 0 && fabs(sum / result.seconds - 1) < 1e-9);
        free(first);
        rig_close(&r);
    }
}

/* A probe does the work of a step's gradient and changes neither weights nor moments. */
static void test_probes_change_nothing(void **state) {
    (void)state;
    enum { STEPS = 3 };
    const struct parallel_optimizer o = constant_rate(1e-3, 1);
    const struct plan_request q = odd_request(KERNEL_F32, 2, 2);
    struct parallel_result result, probe;
    struct rig a, b;
    rig_open(&a, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 8);
    rig_open(&b, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 8);
    for (int step = 0; step < STEPS; step++) {
        parallel_probe(&b.engine, b.source, step, &probe);
        parallel_step(&a.engine, a.source, &o, step, &result);
        assert_true(probe.loss == result.loss);
        parallel_step(&b.engine, b.source, &o, step, &result);
    }
    const size_t bytes = (size_t)a.engine.params.total * sizeof(float);
    assert_memory_equal(a.engine.master, b.engine.master, bytes);
    assert_memory_equal(a.engine.moment1, b.engine.moment1, bytes);
    assert_memory_equal(a.engine.moment2, b.engine.moment2, bytes);
    rig_close(&a), rig_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_clip_scale),
        cmocka_unit_test(test_clipping_in_the_step),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_probes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
