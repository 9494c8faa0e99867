/* SPDX-License-Identifier: Apache-2.0
 *
 * The sampler with calls of known duration: calls in a sample, the interval, and when sampling ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "measure/sampler.h"

enum { SAMPLES_MAX = 64, CALLS_MAX = 1 << 16 };

/* Calls take call_s each; loops take these times in addition, one after the other. */
struct made_up {
    double call_s, beyond_s[4];
    int loops, last;
    bool lasts; /* also by the clock */
};

static double run(void *context, int calls) {
    struct made_up *m = context;
    const double start = base_clock_now(), seconds = calls * m->call_s + m->beyond_s[m->loops++ % 4];
    while (m->lasts && base_clock_now() - start < seconds) continue;
    m->last = calls;
    return seconds;
}

static char nothing[1];
static const struct measure_watch blind = {.stat = -1, .vmstat = -1, .clock = -1, .buffer = nothing, .size = 1};

static struct measure_sampler sampler_of(struct made_up *m) {
    return (struct measure_sampler){.run = run,
                                    .context = m,
                                    .watch = &blind,
                                    .seconds = 2.4,
                                    .width = 0.1,
                                    .calls_max = CALLS_MAX,
                                    .samples_max = SAMPLES_MAX};
}

/* 24 samples fill the budget; a loop takes at least a millisecond and has at most the allowed calls. */
static void calibration(void **state) {
    (void)state;
    static const struct {
        double call_s, budget;
        int calls;
    } cases[] = {{1e-4, 2.4, 1000}, {1e-4, 0.001, 10}, {0.3, 2.4, 1}, {1e-9, 24, CALLS_MAX}, {0.03, 2.4, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made_up m = {.call_s = cases[i].call_s};
        struct measure_sampler s = sampler_of(&m);
        struct measure_timed t = {0};
        s.seconds = cases[i].budget;
        measure_sampler_calibrate(&s, &t);
        assert_int_equal(t.calls, cases[i].calls);
        assert_true(fabs(t.call.median / cases[i].call_s - 1) < 1e-9);
        assert_true(m.last * m.call_s >= 0.001 || m.last == CALLS_MAX);
    }
}

/* Under a quota the best of three calibrations counts; the quota interrupted the first. */
static void calibration_under_quota(void **state) {
    (void)state;
    struct made_up m = {.call_s = 0.002, .beyond_s = {0.1, 0.03, 0, 0.2}};
    struct measure_sampler s = sampler_of(&m);
    struct measure_timed t = {0};
    s.quota_s = 0.1;
    measure_sampler_calibrate(&s, &t);
    assert_int_equal(m.loops, 3);
    assert_true(t.call.median == 0.002 && t.calls == 1);
}

static void samples_settle(void **state) {
    (void)state;
    struct made_up m = {.call_s = 0.01, .beyond_s = {0, 0.1, 0.2, 0.1}};
    const struct measure_sampler s = sampler_of(&m);
    struct measure_timed t = {.calls = 100};
    assert_int_equal(measure_samples_open(&t.samples, SAMPLES_MAX, 0, NULL, NULL), BASE_OK);
    assert_false(measure_sampler_narrow(&s, &t));
    for (int i = 0; i < 5; i++) measure_sampler_take(&s, &t);
    assert_true(fabs(t.call.median - 0.011) < 1e-12 && t.call.low == 0.01 && t.call.high == 0.012);
    assert_false(measure_sampler_narrow(&s, &t)); /* +-9%, but only five samples */
    measure_sampler_take(&s, &t);
    assert_true(measure_sampler_least(&s) == 6 && measure_sampler_narrow(&s, &t));
    m.beyond_s[2] = 0.5;
    measure_sampler_take(&s, &t); /* 95% needs all seven */
    assert_true(t.call.high == 0.015 && !measure_sampler_narrow(&s, &t));
    assert_true(t.samples.count == 7 && t.samples.seconds[6] == 1.5 && t.samples.marks[6] == 0);
    measure_samples_close(&t.samples);
}

/* A window of many loops is one sample, timed by the clock; the mean counts. */
static void windows_of_a_quota(void **state) {
    (void)state;
    struct made_up m = {.call_s = 0.0005, .lasts = true};
    struct measure_sampler s = sampler_of(&m);
    struct measure_timed t = {.calls = 2};
    assert_int_equal(measure_samples_open(&t.samples, SAMPLES_MAX, 0, NULL, NULL), BASE_OK);
    s.quota_s = 0.02;
    s.quota_lead_s = 0.01;
    for (int i = 1; i <= 3; i++) {
        const double start = base_clock_now();
        measure_sampler_take(&s, &t);
        assert_true(base_clock_now() - start >= 0.03 && t.samples.count == i);
        assert_true(t.samples.seconds[i - 1] >= 0.001 && t.samples.start[i - 1] >= start + 0.01);
        assert_true((t.call.confidence > 0) == (i >= measure_sampler_least(&s)));
    }
    const double *x = t.samples.seconds;
    assert_true(fabs(t.call.median * 2 - (x[0] + x[1] + x[2]) / 3) < 1e-12);
    measure_samples_close(&t.samples);
}

static void goes_on(void **state) {
    (void)state;
    struct made_up m = {.call_s = 1};
    struct measure_sampler s = sampler_of(&m);
    s.seconds = 1;
    assert_true(measure_sampler_goes_on(&s, 0.49, 20, true)); /* half the budget at least */
    assert_false(measure_sampler_goes_on(&s, 0.5, 20, true));
    assert_true(measure_sampler_goes_on(&s, 0.99, 20, false)); /* all of it for an interval too wide */
    assert_false(measure_sampler_goes_on(&s, 1, 20, false));
    assert_true(measure_sampler_goes_on(&s, 19.9, 5, false)); /* beyond it for too few */
    assert_false(measure_sampler_goes_on(&s, 20, 5, false));
    assert_false(measure_sampler_goes_on(&s, 0, SAMPLES_MAX, false)); /* never more than the capacity */
    s.quota_s = 0.1;
    assert_true(measure_sampler_goes_on(&s, 1, 2, false) && !measure_sampler_goes_on(&s, 1, 3, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(calibration), cmocka_unit_test(calibration_under_quota),
                                       cmocka_unit_test(samples_settle), cmocka_unit_test(windows_of_a_quota),
                                       cmocka_unit_test(goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
