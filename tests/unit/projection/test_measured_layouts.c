/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps of layouts predicted from a machine's own records: what messages within passes take, what covers them, and how
 * long stages wait; worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "projection/measured_ops.h"
#include "unit/support/measured_machine.h"

static const double HIDDEN = 0.25;

/* The plan's rank, in this layout of `world` ranks. */
static void layout_of(struct plan *plan, struct plan_layout l, int64_t global, int rank) {
    struct base_error e = {0};
    plan_of(plan, 256, 1, 4, 1);
    struct plan_request r = plan->request;
    r.layout = l, r.global_batch = global, r.rank = rank;
    if (plan_make(plan, &r, &e)) fail_msg("%s", e.text);
}

static int machine_of_ranks(void **state) {
    empty(state), plain();
    for (double bytes = 1024; bytes < 4e9; bytes *= 4) message(2, bytes, ring(2, bytes), HIDDEN);
    return 0;
}

/* What a message of this length adds to a step while so many seconds of compute run. */
static double added(double seconds, double cover_s) {
    const double covered = fmin(seconds, cover_s);
    return seconds - HIDDEN * covered;
}

/* The row of a message's name in a phase. */
static const struct projection_priced *sent(const struct projection_measured *r, const char *name,
                                            enum plan_phase phase, int nth) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name) && r->ops[i].phase == phase && !nth--) return &r->ops[i];
    fail_msg("no row %s", name);
    return NULL;
}

/* Two micro-batches of 256 tokens and 12 layers. Partial sums: FP32, two a layer and direction. */
static void tensor_parallel(void **state) {
    (void)state;
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.tp = 2;
    layout_of(&plan, l, 2, 0);
    const struct projection_measured r = priced(&plan);
    const double sum = ring(2, 4.0 * 256 * 768);
    const double cover =
        (line(&r, "qkv grad-weight", "gemm")->call_s + line(&r, "ffn up grad-weight", "gemm")->call_s) / 2;
    const struct projection_priced *forward = sent(&r, "partial sum", PLAN_PHASE_FORWARD, 0),
                                   *backward = sent(&r, "partial sum", PLAN_PHASE_BACKWARD, 0);
    near(forward->count, 2 * 24), near(backward->count, 2 * 24);
    near(forward->call_s, sum);
    near(backward->call_s, added(sum, cover));
    assert_true(cover > sum);
    near(sent(&r, "embedding sum", PLAN_PHASE_FORWARD, 0)->call_s, sum);
    near(sent(&r, "head partial sum", PLAN_PHASE_HEAD, 0)->call_s, sum);
    const double statistics = ring(2, 3 * 4.0 * 2 * 256 / 2); /* gathered: half of a sum */
    near(sent(&r, "cross-entropy statistics", PLAN_PHASE_HEAD, 0)->call_s, statistics);
    near(r.axis_s[PLAN_TP], 2 * (48 * sum + 2 * sum + statistics));
    near(r.axis_exposed_s[PLAN_TP], 2 * (24 * sum + 24 * added(sum, cover) + 2 * sum + statistics));
    near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_TP]);
    assert_true(r.axis_s[PLAN_DP] == 0 && r.bubble == 0);
}

/* Keys and values of 128 tokens go to the other rank once a pass, and their gradients twice. */
static void context_parallel(void **state) {
    (void)state;
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.cp = 2;
    layout_of(&plan, l, 2, 0);
    const struct projection_measured r = priced(&plan);
    const double keys = ring(2, 4.0 * 128 * 2 * 768);
    double forward = 0, backward = 0; /* of attention with one rank's keys in one layer */
    for (int i = 0; i < r.count; i++) {
        if (!strcmp(r.ops[i].name, "attention forward")) forward += r.ops[i].count * r.ops[i].call_s / (2 * 12 * 2);
        if (!strcmp(r.ops[i].name, "attention backward")) backward += r.ops[i].count * r.ops[i].call_s / (2 * 12 * 2);
    }
    near(sent(&r, "keys and values", PLAN_PHASE_FORWARD, 0)->count, 2 * 12);
    near(sent(&r, "keys and values", PLAN_PHASE_FORWARD, 0)->call_s, added(keys, forward));
    near(sent(&r, "keys and values", PLAN_PHASE_BACKWARD, 0)->call_s, added(keys, backward));
    const struct projection_priced *on = sent(&r, "their gradients", PLAN_PHASE_BACKWARD, 0),
                                   *home = sent(&r, "their gradients", PLAN_PHASE_BACKWARD, 1);
    near(on->count, 2 * 12), near(home->count, 2 * 12);
    near(on->call_s, added(keys, fmax(0, backward - keys)));
    near(home->call_s, keys);
    assert_true(r.axis_s[PLAN_DP] > 0); /* ranks that share sequences sum gradients */
    near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_CP] + r.axis_exposed_s[PLAN_DP]);
}

/* Seconds of a stage's micro-batch: forward, backward with the head. */
static void tasks_of(const struct projection_measured *r, double micro, double task_s[2]) {
    double phase[PLAN_PHASES] = {0};
    for (int i = 0; i < r->count; i++) phase[r->ops[i].phase] += r->ops[i].count * r->ops[i].call_s;
    task_s[0] = phase[PLAN_PHASE_FORWARD] / micro;
    task_s[1] = (phase[PLAN_PHASE_BACKWARD] + phase[PLAN_PHASE_HEAD]) / micro;
}

/* Two stages, of which the second has the head and is never idle between its first and its last task. So the step is
 * the first's forward, all of the second, the first's backward, and a message each way. */
static void stages(void **state) {
    (void)state;
    struct plan plan, first;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.pp = 2;
    layout_of(&first, l, 8, 0), layout_of(&plan, l, 8, 1);
    const struct projection_measured r = priced(&plan);
    struct projection_measured one = {.matmul = 1, .pass = 1}, two = one;
    struct base_error e = {0};
    struct projection_pricing p = {.m = &machine, .plan = &first, .r = &one, .e = &e, .bandwidth = MEMORY};
    assert_int_equal(projection_price_rank(&p), BASE_OK);
    p.plan = &plan, p.r = &two;
    assert_int_equal(projection_price_rank(&p), BASE_OK);
    double a[2], b[2];
    tasks_of(&one, 8, a), tasks_of(&two, 8, b);
    const double send = ring(2, 4.0 * 256 * 768), table = ring(2, 4.0 * 50257 * 768);
    assert_true(b[0] + b[1] > a[0] + a[1]);
    const double pipeline = a[0] + send + 8 * (b[0] + b[1]) + send + a[1];
    double before[2] = {0}, after[2] = {table, table};
    const struct projection_measured *of[2] = {&one, &two};
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < of[s]->count; i++) {
            const struct projection_priced *x = &of[s]->ops[i];
            const double seconds = x->count * x->call_s;
            if (x->phase == PLAN_PHASE_ZERO || x->phase == PLAN_PHASE_BATCH) before[s] += seconds;
            if (x->phase == PLAN_PHASE_CLIP || x->phase == PLAN_PHASE_UPDATE) after[s] += seconds;
        }
    near(r.step_s, fmax(before[0], before[1]) + pipeline + fmax(after[0], after[1]));
    near(r.bubble, 1 - 8 * (a[0] + a[1] + b[0] + b[1]) / 2 / r.step_s);
    near(r.phase_s[PLAN_PHASE_PIPELINE], r.by_kind_s[PROJECTION_STAGES]);
    assert_true(r.phase_s[PLAN_PHASE_HEAD] > 0); /* the slowest stage is shown */
    near(line(&r, "tied token table's gradient", "all_reduce")->call_s, table);
    l.vp = 2, l.recompute = PLAN_RECOMPUTE_FULL;
    layout_of(&plan, l, 8, 0);
    const struct projection_measured interleaved = priced(&plan);
    assert_true(interleaved.step_s > r.step_s && interleaved.bubble < r.bubble);
}

/* ZeRO: stage 1's gathers of weights are covered by nothing. Stage 2 sums every micro-batch's gradients, stage 3 also
 * gathers layers, both covered by compute. */
static void zero(void **state) {
    (void)state;
    struct plan plan;
    double message_s[4], exposed_s[4];
    for (int stage = 0; stage < 4; stage++) {
        struct plan_layout l = plan_layout_data_parallel(2, 1);
        l.zero = stage;
        layout_of(&plan, l, 8, 0);
        const struct projection_measured r = priced(&plan);
        message_s[stage] = r.message_s, exposed_s[stage] = r.exposed_s;
        near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_DP]);
    }
    const double layer = 7087872, embedding = 39383808, last = 1536; /* parameters */
    const double gathers = 12 * ring(2, 2 * layer) + ring(2, 2 * embedding) + ring(2, 2 * last);
    near(message_s[1], 2 * gathers);
    near(message_s[2], 4 * gathers + gathers);
    assert_true(exposed_s[1] > gathers && exposed_s[1] < 2 * gathers);
    assert_true(message_s[3] > message_s[2] && exposed_s[3] < exposed_s[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tensor_parallel, machine_of_ranks),
        cmocka_unit_test_setup(context_parallel, machine_of_ranks),
        cmocka_unit_test_setup(stages, machine_of_ranks),
        cmocka_unit_test_setup(zero, machine_of_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
