/* SPDX-License-Identifier: Apache-2.0
 *
 * A slow node's cost against pipelines worked out by hand. Stages take 3 s (one forward, two backward) under 1F1B. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "costmodel/stages.h"

/* Each stage has one layer and `dp` ranks. Nodes have `node` accelerators. `rest` seconds are added once a step. */
static struct cost_straggler slow(int pp, int dp, double node, int64_t micro_batches, double rest, double slower) {
    const struct cost_job job = {
        .model.layers = pp,
        .layout = {.dp = dp, .tp = 1, .pp = pp, .vp = 1, .cp = 1, .schedule = PLAN_1F1B, .micro_batch = 1},
        .batch = {.seq = 8, .global_batch = micro_batches * dp},
        .accelerators = pp * dp,
        .platform.node_accelerators = node,
    };
    const struct cost_step step = {
        .layer_forward = 1, .layer_backward = 2, .total = 3.0 * (double)(micro_batches + pp - 1) + rest};
    struct cost_straggler x;
    struct base_error e = {0};
    if (cost_straggler_find(&job, &step, slower, &x, &e)) fail_msg("%s", e.text);
    assert_float_equal(x.loss, x.step_s / step.total - 1, 1e-6);
    return x;
}

/* Without a pipeline all replicas wait for the node's micro-batches. Only those are slower. */
static void alone(void **state) {
    (void)state;
    assert_float_equal(slow(1, 8, 4, 10, 5, 0.5).step_s, 10 * 3 * 1.5 + 5, 1e-3);
}

/* All micro-batches run at the slow stage's pace, plus one through the other stages. */
static void one_stage(void **state) {
    (void)state;
    for (int64_t m = 4; m <= 400; m *= 10) {
        assert_float_equal(slow(4, 8, 4, m, 0, 1).step_s, 3.0 * 2 * (double)m + 3 * 3, 1e-3);
        assert_float_equal(slow(2, 8, 4, m, 7, 0.1).step_s, 3.3 * (double)m + 3 + 7, 1e-3);
    }
}

/* Nodes that hold the whole pipeline or half of it. */
static void several_stages(void **state) {
    (void)state;
    assert_float_equal(slow(4, 2, 8, 16, 0, 0.5).step_s, 1.5 * 3 * (16 + 3), 1e-3);
    assert_float_equal(slow(4, 2, 64, 16, 0, 0.5).step_s, 1.5 * 3 * (16 + 3), 1e-3);
    assert_float_equal(slow(4, 2, 4, 16, 0, 0.5).step_s, 4.5 * (16 + 1) + 3 * 2, 1e-3);
}

/* The worst place is the largest stage, which the others wait for anyway. */
static void at_the_largest(void **state) {
    (void)state;
    const struct cost_job job = {
        .model.layers = 4,
        .layout = {.dp = 1, .tp = 1, .pp = 4, .vp = 1, .cp = 1, .schedule = PLAN_1F1B, .micro_batch = 1},
        .batch = {.seq = 8, .global_batch = 64},
        .accelerators = 4,
        .platform.node_accelerators = 1,
    };
    const struct cost_step step = {.layer_forward = 1, .layer_backward = 2, .stage_head = 3, .total = 400};
    struct cost_straggler x;
    struct base_error e = {0};
    if (cost_straggler_find(&job, &step, 0.1, &x, &e)) fail_msg("%s", e.text);
    assert_int_equal(x.rank, 3);
    assert_true(x.loss > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(one_stage),
        cmocka_unit_test(several_stages),
        cmocka_unit_test(at_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
