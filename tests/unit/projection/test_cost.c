/* SPDX-License-Identifier: Apache-2.0
 *
 * A training's cost worked out by hand, and budgets against the costs that they allow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "projection/budget.h"
#include "unit/support/projections.h"

static struct projection_cost cost_of(const struct projection *p, const struct projection_assumptions *t) {
    struct projection_cost b;
    struct base_error e = {0};
    if (projection_cost_fill(p, &projections_fitted.parameters, t, &b, &e)) fail_msg("%s", e.text);
    return b;
}

/* 1,000 steps of 10 s with checkpoints of 14 bytes x parameters. First without failures, job limits and stragglers. */
static void cost_by_hand(void **state) {
    (void)state;
    struct machine m = projections_machine("jean-zay-a100");
    const struct projection_question q = projections_bloom_question();
    struct projection p = projections_make(&m, &q);
    struct projection_assumptions t;
    struct projection_cost b;
    projection_assumptions_default(&t);
    p.step.total = 10, p.low_s = 9, p.high_s = 12;
    t.tokens = 1000.0 * 2048 * 2048;
    t.mtbf_hours = INFINITY, t.straggling = 0, t.wall_s = 0, t.checkpoint_every_s = 1000;
    t.checkpoint_bytes_per_s = 1e12, t.eur_per_mwh = 100, t.eur_per_hour = 2;
    b = cost_of(&p, &t);
    assert_float_equal(b.steps, 1000, 1e-9);
    assert_float_equal(b.steps_s, 10000, 1e-9);
    assert_float_equal(b.failures, 0, 0);
    assert_true(fabs(b.checkpoint_one_s / (14 * 176.2e9 / 1e12) - 1) < 0.01);
    assert_float_equal(b.checkpoint_s, 10 * b.checkpoint_one_s, 1e-9);
    assert_float_equal(b.wall_s, 10000 + b.checkpoint_s, 1e-9);
    assert_float_equal(b.goodput, 10000 / b.wall_s, 1e-12);
    assert_float_equal(b.high_wall_s, 1.2 * b.wall_s, 1e-6);
    assert_float_equal(b.accelerator_hours, 384 * b.wall_s / 3600, 1e-6);
    assert_float_equal(b.accelerator_mwh, b.accelerator_hours * 400 / 1e6, 1e-9);
    assert_float_equal(b.accelerators_eur, 2 * b.accelerator_hours, 1e-9);
    t.mtbf_hours = 384 * 10000.0 / 3600; /* a failure every 10,000 s */
    t.restart_s = 600;
    b = cost_of(&p, &t);
    const double daly = 1e4 * exp(0.06) * expm1((1000 + b.checkpoint_one_s) / 1e4) * 10, all = b.wall_s;
    assert_float_equal(all, daly, 1e-6);
    assert_float_equal(b.failures, daly / 1e4, 1e-9);
    assert_float_equal(all, b.steps_s + b.checkpoint_s + b.lost_s + b.restart_s, 1e-6);
    assert_true(b.lost_s > 500 && b.lost_s < 600 && b.restart_s > 600 && b.restart_s < 700);
    t.wall_s = 6500; /* 5,900 s less a checkpoint are left for a job's steps */
    b = cost_of(&p, &t);
    assert_float_equal(b.jobs, 2, 0);
    assert_float_equal(b.queue_s, 600 + b.checkpoint_one_s, 1e-9);
    assert_true(all > t.wall_s && b.wall_s < 2 * t.wall_s);
    t.wall_s = all;
    assert_float_equal(cost_of(&p, &t).jobs, 1, 0);
    machine_close(&m);
}

/* Smaller batches cost time: BLOOM's ramp from 192 adds some. A batch that does not grow adds none. */
static void ramp(void **state) {
    (void)state;
    struct machine m = projections_machine("jean-zay-a100");
    const struct projection_question q = projections_bloom_question();
    const struct projection p = projections_make(&m, &q);
    struct projection_assumptions t;
    struct projection_cost b;
    projection_assumptions_default(&t);
    t.tokens = 366e9, t.ramp_batch = 192, t.ramp_tokens = 20e9;
    b = cost_of(&p, &t);
    assert_true(b.ramp_s > 0.005 * b.steps_s && b.ramp_s < 0.05 * b.steps_s);
    t.ramp_batch = 2048;
    b = cost_of(&p, &t);
    assert_float_equal(b.ramp_s, 0, 1e-6);
    machine_close(&m);
}

static void never_ends(const struct projection *p, const struct projection_assumptions *t, const char *words) {
    struct projection_cost b;
    struct base_error e = {0};
    assert_int_equal(projection_cost_fill(p, &projections_fitted.parameters, t, &b, &e), BASE_USAGE);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

/* More failures never shorten a training. A training without time for steps is refused. */
static void cost_without_end(void **state) {
    (void)state;
    struct machine m = projections_machine("jean-zay-a100");
    const struct projection_question q = projections_bloom_question();
    const struct projection p = projections_make(&m, &q);
    struct projection_assumptions t;
    double before = 0;
    projection_assumptions_default(&t);
    t.tokens = 366e9;
    for (double hours = 1e7; hours > 200; hours /= 2) {
        t.mtbf_hours = hours;
        const struct projection_cost b = cost_of(&p, &t);
        const double sum = b.steps_s + b.ramp_s + b.straggling_s + b.checkpoint_s + b.lost_s + b.restart_s + b.queue_s;
        assert_float_equal(b.wall_s / sum, 1, 1e-12);
        assert_true(b.wall_s > before && b.lost_s >= 0 && b.restart_s >= 0 && b.goodput < 1);
        before = b.wall_s;
    }
    t.mtbf_hours = 1;
    never_ends(&p, &t, "it fails every 9.375 s, a restart takes 1800 s");
    t.mtbf_hours = 50000, t.wall_s = 1800;
    never_ends(&p, &t, "of each job's 1800 s, the restart takes 1800 s");
    machine_close(&m);
}

/* The tokens or accelerators that a budget allows cost what the budget says. */
static void budgets(void **state) {
    (void)state;
    struct base_error e = {0};
    struct machine m = projections_machine("jean-zay-h100");
    struct projection_question q;
    struct projection p;
    struct cost_search s;
    struct projection_assumptions t;
    struct projection_cost b;
    struct model_config c;
    bool met;
    projections_model("llama-2-7b", &c);
    projection_question_default(&c, &q);
    projection_assumptions_default(&t);
    q.accelerators = 64;
    p = projections_make(&m, &q);
    t.tokens = projection_budget_tokens(&p, &projections_fitted.parameters, &t, 100000, INFINITY);
    b = cost_of(&p, &t);
    assert_true(fabs(b.accelerator_hours / 100000 - 1) < 1e-3);
    t.tokens = projection_budget_tokens(&p, &projections_fitted.parameters, &t, 1e9, 10);
    b = cost_of(&p, &t);
    assert_true(b.wall_s <= 864000 &&
                b.wall_s > 864000 - t.restart_s - b.checkpoint_one_s - 1); /* one more job would not fit */
    t.tokens *= 1.01;
    assert_true(cost_of(&p, &t).wall_s > 864000);
    t.ramp_batch = 16, t.ramp_tokens = 1e16; /* the ramp never ends */
    t.tokens = projection_budget_tokens(&p, &projections_fitted.parameters, &t, 1e9, 10);
    b = cost_of(&p, &t);
    assert_true(t.tokens > 1e9 && fabs(b.wall_s / 864000 - 1) < 5e-3);
    t.ramp_tokens = 0;
    q.accelerators = 0;
    t.tokens = 1e12;
    if (projection_budget_deadline(&m, &q, &projections_fitted, &t, 30, 1, &p, &s, &met, &e)) fail_msg("%s", e.text);
    b = cost_of(&p, &t);
    assert_true(met && b.wall_s <= 30 * 86400.0);
    cost_search_free(&s);
    q.accelerators = p.accelerators / 2; /* half as many miss the deadline */
    const struct projection half = projections_make(&m, &q);
    b = cost_of(&half, &t);
    assert_true(b.wall_s > 30 * 86400.0);
    q.accelerators = 0;
    if (projection_budget_deadline(&m, &q, &projections_fitted, &t, 0.01, 1, &p, &s, &met, &e)) fail_msg("%s", e.text);
    assert_false(met);
    cost_search_free(&s);
    machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_by_hand),
        cmocka_unit_test(cost_without_end),
        cmocka_unit_test(ramp),
        cmocka_unit_test(budgets),
    };
    return cmocka_run_group_tests(tests, projections_open, projections_close);
}
