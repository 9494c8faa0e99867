/* SPDX-License-Identifier: Apache-2.0
 *
 * Simulated schedules against the closed forms of their papers, and bounds that hold for any stages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/random.h"
#include "costmodel/schedule.h"
#include "projection/trace.h"
#include "unit/support/folder.h"

enum { STAGES = 64 };

static struct cost_stage stages[STAGES];

static struct cost_timeline run(const struct cost_pipeline *p) {
    struct cost_timeline t;
    struct base_error e = {0};
    if (cost_pipeline_run(p, &t, NULL, &e)) fail_msg("%s", e.text);
    return t;
}

/* All stages are equal: forward 1, backward 2, of which the weight gradient is 1. */
static struct cost_pipeline even(enum plan_schedule schedule, int devices, int chunks, int64_t micro_batches) {
    for (int i = 0; i < devices * chunks; i++)
        stages[i] = (struct cost_stage){.forward = 1.0 / chunks, .backward = 2.0 / chunks, .weight = 1.0 / chunks};
    return (struct cost_pipeline){.plan = {schedule, devices, chunks, micro_batches}, .stages = stages};
}

/* GPipe and 1F1B: (m + p - 1)(f + b).
 *
 * Interleaved: m (f + b) + (p - 1)(f + b) / v (Narayanan et al. 2021, 2.2).
 *
 * ZB-H1: m (f + b) + (p - 1)(f + b - 2 w) (Qi et al. 2024, table 2, whose b is ours less w). */
static void closed_forms(void **state) {
    (void)state;
    for (int p = 1; p <= 8; p++)
        for (int64_t m = p; m <= 5 * p; m++) {
            struct cost_pipeline x = even(PLAN_GPIPE, p, 1, m);
            assert_float_equal(run(&x).span, 3.0 * (double)(m + p - 1), 1e-9);
            x = even(PLAN_1F1B, p, 1, m);
            assert_float_equal(run(&x).span, 3.0 * (double)(m + p - 1), 1e-9);
            assert_int_equal(run(&x).in_flight, p);
            assert_float_equal(run(&x).bubble, (p - 1) / (double)(m + p - 1), 1e-9);
            x = even(PLAN_ZERO_BUBBLE, p, 1, m);
            assert_float_equal(run(&x).span, 3.0 * (double)m + p - 1, 1e-9);
            for (int v = 2; v <= 4; v++) {
                if (m % p) continue;
                x = even(PLAN_1F1B, p, v, m);
                assert_float_equal(run(&x).span, 3.0 * ((double)m + (p - 1) / (double)v), 1e-9);
            }
        }
}

static double uniform(uint64_t i) {
    uint32_t w[4];
    base_random_words(1, BASE_STREAM_TEST, i, w);
    return 0.5 + w[0] / 4294967296.0;
}

/* Stages of any length. No schedule is faster than its busiest device, or than one micro-batch through all stages. */
static void bounds_hold(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        const int p = 1 + (int)(seed % 7), v = 1 + (int)(seed / 7 % 3);
        for (int schedule = 0; schedule < PLAN_SCHEDULES; schedule++) {
            struct cost_pipeline x = even((enum plan_schedule)schedule, p, v, p * (1 + (int64_t)(seed % 5)));
            if (plan_pipeline_check(&x.plan, NULL)) continue;
            double path = 0;
            for (int i = 0; i < p * v; i++) {
                stages[i] = (struct cost_stage){.forward = uniform(8 * seed + (uint64_t)i),
                                                .backward = 2 * uniform(9 * seed + (uint64_t)i),
                                                .weight = 0.7 * uniform(7 * seed + (uint64_t)i)};
                path += stages[i].forward + stages[i].backward -
                        (schedule == PLAN_ZERO_BUBBLE && i > 0 ? stages[i].weight : 0);
            }
            x.hop = seed % 2 ? 0.1 : 0;
            const struct cost_timeline t = run(&x);
            assert_true(t.span >= t.busy - 1e-9 && t.span >= path - 1e-9);
            assert_true(t.bubble >= -1e-12 && t.bubble < 1 && t.exposed == 0);
        }
    }
}

/* Two short simulations predict the long one exactly. */
static void estimates_are_exact(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        const int p = 1 + (int)(seed % 8), v = 1 + (int)(seed / 8 % 3);
        for (int schedule = 0; schedule < PLAN_SCHEDULES; schedule++) {
            struct cost_pipeline x = even((enum plan_schedule)schedule, p, v, p * (8 + (int64_t)(seed % 20)));
            if (plan_pipeline_check(&x.plan, NULL)) continue;
            struct cost_timeline brief, whole = {0};
            for (int i = 0; i < p * v; i++)
                stages[i] = (struct cost_stage){.forward = uniform(8 * seed + (uint64_t)i),
                                                .backward = 2 * uniform(9 * seed + (uint64_t)i),
                                                .weight = 0.5,
                                                .reduce = uniform(seed)};
            x.hop = seed % 2 ? 0.1 : 0;
            x.blocking = seed % 4 == 1;
            x.overlap = seed % 3 != 0;
            whole = run(&x);
            assert_int_equal(cost_pipeline_estimate(&x, &brief, NULL), 0);
            if (fabs(brief.span - whole.span) > 1e-9 * whole.span)
                fail_msg("%s p %d v %d m %lld: %.9g, whole %.9g", plan_schedule_name(x.plan.schedule), p, v,
                         (long long)x.plan.micro_batches, brief.span, whole.span);
            assert_float_equal(brief.bubble, whole.bubble, 1e-9);
            assert_float_equal(brief.exposed, whole.exposed, 1e-9 * whole.span);
        }
    }
}

/* One device with layers as chunks. Prefetched gathers hide behind longer compute, except the first. Gathers longer
 * than compute set the pace. Without overlap all of them are exposed. */
static void gathers_run_ahead(void **state) {
    (void)state;
    enum { LAYERS = 10 };
    struct cost_pipeline x = even(PLAN_1F1B, 1, LAYERS, 1);
    for (int i = 0; i < LAYERS; i++) stages[i] = (struct cost_stage){.forward = 1, .backward = 2, .gather = 0.5};
    x.overlap = true;
    assert_float_equal(run(&x).span, 3 * LAYERS + 0.5, 1e-9);
    for (int i = 0; i < LAYERS; i++) stages[i].gather = 3;
    assert_float_equal(run(&x).span, 3 * 2 * LAYERS + 2, 1e-9);
    x.overlap = false;
    assert_float_equal(run(&x).span, 3 * LAYERS + 3 * 2 * LAYERS, 1e-9);
    for (int i = 0; i < LAYERS; i++) stages[i].gather = 0, stages[i].reduce = 0.25;
    x.overlap = true;
    assert_float_equal(run(&x).span, 3 * LAYERS + 0.25, 1e-9);
    assert_float_equal(run(&x).exposed, 0.25, 1e-9);
    /* a gather is requested before gradients are sent, so it does not wait for them */
    for (int i = 0; i < LAYERS; i++)
        stages[i] = (struct cost_stage){.forward = 1, .backward = 2.5, .gather = 1, .reduce = 1};
    assert_float_equal(run(&x).span, 3.5 * LAYERS + 2, 1e-9);
}

/* A trace's events do not overlap within a queue, and add up to the devices' time. */
static void events_are_the_timeline(void **state) {
    (void)state;
    struct cost_pipeline x = even(PLAN_1F1B, 4, 2, 8);
    struct cost_timeline t;
    for (int i = 0; i < 8; i++) stages[i].reduce = 0.3, stages[i].forward = uniform((uint64_t)i);
    x.overlap = true;
    struct cost_event *events = malloc((size_t)cost_pipeline_events(&x) * sizeof *events);
    assert_non_null(events);
    assert_int_equal(cost_pipeline_run(&x, &t, events, NULL), 0);
    double end[4][2] = {{0}}, work = 0, last = 0;
    for (int64_t i = 0; i < t.events; i++) {
        const struct cost_event *y = &events[i];
        const int queue = y->task >= COST_GATHER;
        assert_true(y->start >= end[y->device][queue] - 1e-12 && y->end > y->start);
        end[y->device][queue] = y->end;
        if (!queue) work += y->end - y->start;
        last = fmax(last, y->end);
    }
    assert_int_equal(t.events, 4 * 2 * 8 * 2 + 8);
    assert_float_equal(work, t.work, 1e-9);
    assert_float_equal(last, t.span, 1e-9);
    struct base_error e = {0};
    json_error_t why;
    if (projection_trace_write(folder_name("trace.json"), "a test", events, t.events, &e)) fail_msg("%s", e.text);
    json_t *trace = json_load_file(folder_path, 0, &why), *first;
    assert_non_null(trace);
    assert_int_equal(json_array_size(json_object_get(trace, "traceEvents")), t.events);
    first = json_array_get(json_object_get(trace, "traceEvents"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "f0.0");
    assert_float_equal(json_number_value(json_object_get(first, "dur")), 1e6 * stages[0].forward, 1e-3);
    json_decref(trace);
    assert_int_equal(projection_trace_write("/proc/nowhere/trace.json", "a test", events, t.events, &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, "/proc/nowhere/trace.json"));
    free(events);
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    struct base_error e = {0};
    struct cost_pipeline x = even(PLAN_1F1B, 4, 2, 6);
    assert_int_equal(plan_pipeline_check(&x.plan, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "multiple of 4"));
    x = even(PLAN_ZERO_BUBBLE, 4, 2, 8);
    assert_int_equal(plan_pipeline_check(&x.plan, &e), BASE_USAGE);
    x = even(PLAN_1F1B, 4, 1, 6);
    assert_int_equal(plan_pipeline_check(&x.plan, &e), 0);
    enum plan_schedule s;
    assert_true(plan_schedule_find("zero-bubble", &s) && s == PLAN_ZERO_BUBBLE);
    assert_false(plan_schedule_find("2f2b", &s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(estimates_are_exact),
        cmocka_unit_test(gathers_run_ahead),
        cmocka_unit_test(events_are_the_timeline),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
