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
#include "unit/support/rig.h"

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

/* Two micro-batches of 256 tokens and 12 layers. Partial sums: FP32, two a layer and direction. If backward repeats
 * layers, one more in each of them but the last, which is still there. */
static void tensor_parallel(void **state) {
    (void)state;
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.tp = 2;
    layout_of(&plan, l, 2, 0);
    const struct projection_measured r = priced(&plan);
    const double sum = ring(2, 4.0 * 256 * 768);
    const struct projection_priced *forward = sent(&r, "partial sum", PLAN_PHASE_FORWARD, 0),
                                   *qkv = sent(&r, "partial sum", PLAN_PHASE_BACKWARD, 0),
                                   *up = sent(&r, "partial sum", PLAN_PHASE_BACKWARD, 1);
    near(forward->count, 2 * 24), near(qkv->count, 2 * 12), near(up->count, 2 * 12);
    near(forward->call_s, sum);
    near(qkv->call_s, added(sum, line(&r, "qkv grad-weight", "gemm")->call_s));
    near(up->call_s, added(sum, line(&r, "ffn up grad-weight", "gemm")->call_s));
    near(sent(&r, "embedding sum", PLAN_PHASE_FORWARD, 0)->call_s, sum);
    near(sent(&r, "head partial sum", PLAN_PHASE_HEAD, 0)->call_s, sum);
    const double statistics = ring(2, 3 * 4.0 * 2 * 256 / 2); /* gathered: half of a sum */
    near(sent(&r, "cross-entropy statistics", PLAN_PHASE_HEAD, 0)->call_s, statistics);
    near(r.axis_s[PLAN_TP], 2 * (48 * sum + 2 * sum + statistics));
    near(r.axis_exposed_s[PLAN_TP], 2 * (24 * sum + 12 * (qkv->call_s + up->call_s) + 2 * sum + statistics));
    near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_TP]);
    assert_true(r.axis_s[PLAN_DP] == 0 && r.bubble == 0);
    l.recompute = PLAN_RECOMPUTE_FULL;
    layout_of(&plan, l, 2, 0);
    const struct projection_measured again = priced(&plan);
    near(sent(&again, "partial sum", PLAN_PHASE_BACKWARD, 2)->count, 2 * 11);
    near(sent(&again, "partial sum", PLAN_PHASE_BACKWARD, 2)->call_s, sum);
}

/* Shares of tokens: before two matmuls of a layer in each direction, before the head, and the embedding's gradient. */
static void sequence_parallel(void **state) {
    (void)state;
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.tp = 2, l.sequence_parallel = 1;
    layout_of(&plan, l, 2, 0);
    const struct projection_measured r = priced(&plan);
    const double half = ring(2, 4.0 * 256 * 768 / 2); /* scattered or gathered */
    near(sent(&r, "partial sum", PLAN_PHASE_FORWARD, 0)->call_s, half);
    near(sent(&r, "tokens' shares", PLAN_PHASE_FORWARD, 0)->call_s, half);
    near(sent(&r, "tokens' shares", PLAN_PHASE_FORWARD, 0)->count, 2 * (24 + 1));
    near(sent(&r, "tokens' shares", PLAN_PHASE_BACKWARD, 0)->count, 2 * (24 + 1));
    near(sent(&r, "norm gradients", PLAN_PHASE_BACKWARD, 0)->call_s, ring(2, 4.0 * 768));
}

/* Of attention with one rank's keys in one layer of one micro-batch. */
static double attention_of(const struct projection_measured *r, const char *name, enum plan_phase phase, int ranks) {
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name) && r->ops[i].phase == phase) sum += r->ops[i].count * r->ops[i].call_s;
    return sum / (2 * 12 * ranks);
}

/* Keys and values of a rank's tokens go round once a pass, and their gradients once more to the end. */
static void context_parallel(void **state) {
    (void)state;
    struct plan plan;
    for (int ranks = 2; ranks <= 4; ranks += 2)
        for (int recompute = 0; recompute < PLAN_RECOMPUTES; recompute++) {
            struct plan_layout l = plan_layout_data_parallel(1, 1);
            l.cp = ranks, l.recompute = recompute;
            layout_of(&plan, l, 2, 0);
            for (double bytes = 1024; ranks == 4 && !recompute && bytes < 4e9; bytes *= 4)
                message(4, bytes, ring(4, bytes), HIDDEN);
            const struct projection_measured r = priced(&plan);
            const double keys = ring(2, 4.0 * 256 / ranks * 2 * 768);
            const double forward = attention_of(&r, "attention forward", PLAN_PHASE_FORWARD, ranks),
                         backward = attention_of(&r, "attention backward", PLAN_PHASE_BACKWARD, ranks);
            near(sent(&r, "keys and values", PLAN_PHASE_FORWARD, 0)->count, 2 * 12 * (ranks - 1));
            near(sent(&r, "keys and values", PLAN_PHASE_FORWARD, 0)->call_s, added(keys, forward));
            near(sent(&r, "keys and values", PLAN_PHASE_BACKWARD, 0)->call_s, added(keys, backward));
            if (recompute) {
                near(sent(&r, "keys and values", PLAN_PHASE_BACKWARD, 1)->count, 2 * 11 * (ranks - 1));
                near(sent(&r, "keys and values", PLAN_PHASE_BACKWARD, 1)->call_s, added(keys, forward));
            }
            const int beside = ranks > 2; /* some gradients travel beside keys */
            if (beside) {
                near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, 0)->count, 2 * 12 * (ranks - 2));
                near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, 0)->call_s,
                     added(keys, fmax(0, backward - keys)));
            }
            near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, beside)->count, 2 * 12);
            near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, beside)->call_s, added(keys, backward));
            near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, beside + 1)->count, 2 * 12);
            near(sent(&r, "their gradients", PLAN_PHASE_BACKWARD, beside + 1)->call_s, keys);
            assert_true(r.axis_s[PLAN_DP] > 0); /* ranks that share sequences sum gradients */
            near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_CP] + r.axis_exposed_s[PLAN_DP]);
        }
}

/* Calls of a row of this name, over all phases. */
static double calls_of(const struct projection_measured *r, const char *name) {
    double sum = 0;
    for (int i = 0; i < r->count; i++) sum += strcmp(r->ops[i].name, name) ? 0 : r->ops[i].count;
    return sum;
}

/* Eight experts on two ranks, a token passing two: rows go out and come home in each direction, two of gradients'
 * matmuls run meanwhile. If one expert gets thrice the mean, its rank has (3 + 3 * 5/7) / 4 times the mean of rows, for
 * which both wait. Experts' gradients are summed by nobody, as each expert is on one rank. */
static void expert_parallel(void **state) {
    (void)state;
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(2, 1);
    struct base_error e = {0};
    plan_of(&plan, 256, 1, 4, 1);
    struct plan_request q = plan.request;
    q.config = rig_config_of("mixtral", 2, 64, 4, 101, 256);
    q.config.experts = q.config.full_experts = q.config.own_experts = 8, q.config.window = 0;
    l.ep = 2;
    q.layout = l, q.global_batch = 4;
    assert_int_equal(plan_make(&plan, &q, &e), BASE_OK);
    const struct projection_measured r = priced(&plan);
    const double rows = ring(2, 4.0 * 256 * 2 * 64 / 2), cover = 4 * line(&r, "ffn up grad-weight", "gemm")->call_s;
    near(calls_of(&r, "ffn up forward"), 2 * 2 * 4); /* micro-batches, layers, a rank's experts */
    near(sent(&r, "rows to experts", PLAN_PHASE_FORWARD, 0)->count, 2 * 2);
    double seen = 0;
    for (int i = 0; i < r.count; i++) {
        const struct projection_priced *one = &r.ops[i];
        if (strcmp(one->op, "all_reduce") != 0 || strcmp(one->name, "rows from experts") != 0) continue;
        near(one->call_s, one->phase == PLAN_PHASE_FORWARD ? rows : added(rows, cover));
        seen += one->count;
    }
    near(seen, 8);
    assert_true(r.axis_exposed_s[PLAN_EP] > 0 && r.axis_exposed_s[PLAN_EP] <= r.axis_s[PLAN_EP]);
    near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_EP] + r.axis_exposed_s[PLAN_DP]);
    q.route = (struct model_route){true, 3, 0};
    assert_int_equal(plan_make(&plan, &q, &e), BASE_OK);
    const struct projection_measured skewed = priced(&plan);
    near(calls_of(&skewed, "ffn up forward"), 2 * 2 * 4 * (3 + 3 * 5.0 / 7) / 4);
    near(calls_of(&skewed, "router forward"), 4);
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
    assert_true(b[0] + b[1] > a[0] + a[1] && table < a[0] + send + b[0]);
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
    near(r.bubble, (pipeline - 8 * (a[0] + a[1] + b[0] + b[1]) / 2) / r.step_s);
    near(r.phase_s[PLAN_PHASE_PIPELINE], r.by_kind_s[PROJECTION_STAGES] + table);
    near(r.axis_exposed_s[PLAN_PP], r.phase_s[PLAN_PHASE_PIPELINE]);
    assert_true(r.phase_s[PLAN_PHASE_HEAD] > 0); /* the slowest stage is shown */
    near(line(&r, "tied token table's gradient", "all_reduce")->call_s, table);
    l.schedule = PLAN_ZERO_BUBBLE; /* the second ends with two micro-batches' weights, and the first meanwhile */
    layout_of(&plan, l, 8, 1);
    const struct projection_measured late = priced(&plan);
    const double second = a[0] + send + 8 * (b[0] + b[1]), weights = projection_priced_weights(&two) / 8;
    near(late.step_s,
         fmax(before[0], before[1]) + fmax(second, second - 2 * weights + send + a[1]) + fmax(after[0], after[1]));
    assert_true(late.step_s < r.step_s && late.bubble < r.bubble);
    l.schedule = PLAN_1F1B, l.vp = 2, l.recompute = PLAN_RECOMPUTE_FULL;
    layout_of(&plan, l, 8, 0);
    const struct projection_measured interleaved = priced(&plan);
    assert_true(interleaved.step_s > r.step_s && interleaved.bubble < r.bubble);
}

/* Links that carry one message at a time, slower than a stage computes: the step is theirs. */
static void slow_links(void **state) {
    empty(state), plain();
    struct plan plan;
    struct plan_layout l = plan_layout_data_parallel(1, 1);
    l.pp = 2, l.schedule = PLAN_GPIPE;
    for (double bytes = 1024; bytes < 4e9; bytes *= 4) message(2, bytes, 1e-4 * bytes, 0);
    layout_of(&plan, l, 8, 0);
    const struct projection_measured r = priced(&plan);
    const double send = 1e-4 * 4 * 256 * 768, table = 1e-4 * 4 * 50257 * 768;
    /* all activations, of which the first waits for a forward; then backwards, which wait for the table; then theirs */
    assert_true(r.step_s > 8 * send + table && r.step_s < 16 * send + 2 * table + r.compute_s * 3);
    assert_true(r.bubble > 0.5);
    layout_of(&plan, l, 16, 0);
    const struct projection_measured twice = priced(&plan);
    assert_true(twice.step_s - r.step_s >= 8 * send);
}

/* ZeRO: the update of the rest covers stage 1's gathers of weights, but for the last. Stage 2 sums every micro-batch's
 * gradients. Stage 3 also gathers layers, while others are computed. */
static void zero(void **state) {
    (void)state;
    struct plan plan;
    double message_s[4], exposed_s[4];
    const double layer = 7087872, embedding = 39383808, last = 1536; /* parameters */
    const double gathers = 12 * ring(2, 2 * layer) + ring(2, 2 * embedding) + ring(2, 2 * last);
    for (int micros = 4; micros > 0; micros -= 3)
        for (int stage = 0; stage < 4; stage++) {
            struct plan_layout l = plan_layout_data_parallel(2, 1);
            l.zero = stage;
            layout_of(&plan, l, 2 * micros, 0);
            const struct projection_measured r = priced(&plan);
            message_s[stage] = r.message_s, exposed_s[stage] = r.exposed_s;
            near(r.step_s, r.compute_s + r.axis_exposed_s[PLAN_DP]);
            if (stage < 3) continue;
            near(message_s[1], 2 * gathers);
            near(message_s[2], micros * gathers + gathers);
            assert_true(exposed_s[1] < gathers + ring(2, 2 * last) && exposed_s[1] == exposed_s[2]);
            assert_true(message_s[3] > message_s[2] - (micros == 1 ? 1e-12 : 0));
            /* the embedding's and the last norm's come before they are used */
            assert_true(exposed_s[3] >= ring(2, 2 * embedding) + ring(2, 2 * last) && exposed_s[3] < gathers * 2);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tensor_parallel, machine_of_ranks),
        cmocka_unit_test_setup(sequence_parallel, machine_of_ranks),
        cmocka_unit_test_setup(context_parallel, machine_of_ranks),
        cmocka_unit_test_setup(expert_parallel, machine_of_ranks),
        cmocka_unit_test_setup(stages, machine_of_ranks),
        cmocka_unit_test(slow_links),
        cmocka_unit_test_setup(zero, machine_of_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
