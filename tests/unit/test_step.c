/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole training steps: a tiny model approaches the entropy of its source from above, a step repeats bit for bit,
 * and the optimizer's schedule is the one its header states. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parallel/step.h"

struct rig {
    struct plan plan;
    struct comm world;
    struct kernel_ops ops;
    struct parallel_engine engine;
    struct data_source *source;
};

static void rig_open(struct rig *g, enum kernel_dtype dtype, int64_t batch, int64_t micro, int threads) {
    struct base_error e = {0};
    struct plan_request r = {
        .dtype = dtype, .seq = 32, .micro_batch = micro, .global_batch = batch, .world = 1, .threads = threads};
    json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:f}", "model_type", "gpt2", "n_embd", 64, "n_layer", 2,
                             "n_head", 4, "n_positions", 32, "vocab_size", 256, "initializer_range", 0.06);
    assert_int_equal(model_config_parse(&r.config, "test", json, "test", &e), BASE_OK);
    json_decref(json);
    kernel_select(&g->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    comm_serial(&g->world);
    assert_int_equal(plan_make(&g->plan, &r, &e), BASE_OK);
    assert_int_equal(parallel_open(&g->engine, &g->plan, &g->world, &g->ops, &e), BASE_OK);
    const struct data_options d = {.vocab = 256, .seq = 32, .seed = 7, .shares = 1};
    assert_int_equal(data_open(&g->source, &d, &e), BASE_OK);
    parallel_start(&g->engine, 7, false);
}
static void rig_close(struct rig *g) {
    parallel_close(&g->engine);
    data_close(g->source);
}

/* A model that ignores attention cannot come below 1.5 times the entropy: it cannot see the token that is copied. */
static void approaches(enum kernel_dtype dtype) {
    enum { STEPS = 700, WINDOW = 50 };
    const struct parallel_optimizer o = {.lr = 3e-3,
                                         .lr_min = 3e-3,
                                         .warmup = 20,
                                         .total = STEPS,
                                         .beta1 = 0.9,
                                         .beta2 = 0.95,
                                         .eps = 1e-8,
                                         .decay = 0,
                                         .clip = 1};
    struct rig g;
    struct parallel_result result;
    double recent = 0, first = 0;
    rig_open(&g, dtype, 16, 16, 2);
    for (int step = 0; step < STEPS; step++) {
        parallel_step(&g.engine, g.source, &o, step, &result);
        if (step == 0) first = result.loss;
        if (step >= STEPS - WINDOW) recent += result.loss / WINDOW;
    }
    const double floor = data_entropy(g.source);
    printf("%s: loss %.3f -> %.3f, entropy of the source %.3f\n", dtype == KERNEL_F32 ? "FP32" : "BF16", first, recent,
           floor);
    assert_true(first > 1.5 * floor);
    assert_true(recent < 1.08 * floor);
    /* 25,600 targets: the mean surprise of the source itself strays by less than 1% */
    assert_true(recent > 0.99 * floor);
    rig_close(&g);
}
static void approaches_the_entropy(void **state) {
    (void)state;
    approaches(KERNEL_F32);
    approaches(KERNEL_BF16);
}

/* Weights after some steps, at a fixed layout and number of threads. */
static void steps_repeat(void **state) {
    (void)state;
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct rig a, b;
    struct parallel_result result;
    rig_open(&a, KERNEL_BF16, 6, 2, 2);
    rig_open(&b, KERNEL_BF16, 6, 2, 2);
    for (int step = 0; step < 5; step++) {
        parallel_step(&a.engine, a.source, &o, step, &result);
        double sum = 0;
        for (int p = 0; p < PARALLEL_PHASES; p++) sum += result.phase_s[p];
        assert_true(fabs(sum - result.seconds) < 1e-9 && result.seconds > 0);
    }
    for (int step = 0; step < 5; step++) parallel_step(&b.engine, b.source, &o, step, &result);
    assert_memory_equal(a.engine.master, b.engine.master, 4 * (size_t)a.engine.params.total);
    rig_close(&a);
    rig_close(&b);
}

/* A probe does the work of a step's gradient and leaves the weights alone. */
static void probes_change_nothing(void **state) {
    (void)state;
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct rig a, b;
    struct parallel_result result, probe;
    rig_open(&a, KERNEL_F32, 4, 2, 1);
    rig_open(&b, KERNEL_F32, 4, 2, 1);
    for (int step = 0; step < 3; step++) {
        parallel_probe(&b.engine, b.source, step, &probe);
        parallel_step(&a.engine, a.source, &o, step, &result);
        assert_true(probe.loss == result.loss);
        parallel_step(&b.engine, b.source, &o, step, &result);
    }
    assert_memory_equal(a.engine.master, b.engine.master, 4 * (size_t)a.engine.params.total);
    rig_close(&a);
    rig_close(&b);
}

static void schedule(void **state) {
    (void)state;
    const struct parallel_optimizer o = {.lr = 1, .lr_min = 0.1, .warmup = 4, .total = 104, .clip = 2};
    assert_true(parallel_optimizer_lr(&o, 0) == 0.25);
    assert_true(parallel_optimizer_lr(&o, 3) == 1);
    assert_true(parallel_optimizer_lr(&o, 4) == 1);
    assert_true(fabs(parallel_optimizer_lr(&o, 54) - 0.55) < 1e-12);
    assert_true(fabs(parallel_optimizer_lr(&o, 29) - (0.1 + 0.45 * (1 + sqrt(0.5)))) < 1e-12);
    assert_true(parallel_optimizer_lr(&o, 104) == 0.1 && parallel_optimizer_lr(&o, 1000) == 0.1);
    assert_true(parallel_optimizer_scale(&o, 1.5) == 1 && parallel_optimizer_scale(&o, 8) == 0.25);
    const struct parallel_optimizer unclipped = {.clip = 0};
    assert_true(parallel_optimizer_scale(&unclipped, 1e9) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approaches_the_entropy),
        cmocka_unit_test(steps_repeat),
        cmocka_unit_test(probes_change_nothing),
        cmocka_unit_test(schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
