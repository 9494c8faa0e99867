/* SPDX-License-Identifier: Apache-2.0
 *
 * When made series of steps are warm, and what the interval within one launch makes of its verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "train/train.h"
#include "train/warmup.h"

/* The number of steps until warm-up ends; *end: how. */
static int steps_of(const double *step_s, int n, enum train_warm *end) {
    for (int i = 0; i <= n; i++)
        if ((*end = train_warmup(step_s, i)) != TRAIN_COLD) return i;
    return n + 1;
}

static void warm_when_steps_no_longer_gain(void **state) {
    (void)state;
    static const struct {
        double step_s[24];
        int steps;
        enum train_warm end;
    } series[] = {
        {{1, 1, 1, 1}, 3, TRAIN_WARM},
        {{2, 1, 1, 1, 1}, 4, TRAIN_WARM},                /* memory touched first */
        {{1, 0.9, 0.8, 0.7, 0.69, 0.69}, 6, TRAIN_WARM}, /* clocks rise; 1.4% is no gain */
        {{1, 1.6, 0.7, 0.5, 0.5, 0.5}, 6, TRAIN_WARM},   /* one was disturbed: it does not end it */
        {{1, 1.02, 1.05, 1.09}, 3, TRAIN_WARM},          /* slower is a drift, not a warm-up */
        {{200, 199}, 2, TRAIN_WARM},                     /* two long steps are enough, */
        {{200, 150}, 2, TRAIN_WARM_LIMIT},               /* even if the second gained much */
        {{4, 3.5, 3, 2.5}, 3, TRAIN_WARM_LIMIT},         /* 10 s */
        {{0.1000, 0.0950, 0.0902, 0.0857, 0.0815, 0.0774, 0.0735, 0.0698, 0.0663, 0.0630,
          0.0599, 0.0569, 0.0540, 0.0513, 0.0488, 0.0463, 0.0440, 0.0418, 0.0397, 0.0377},
         20,
         TRAIN_WARM_LIMIT},
    };
    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        enum train_warm end;
        const int steps = steps_of(series[i].step_s, 24, &end);
        if (steps != series[i].steps || end != series[i].end)
            fail_msg("series %zu: %d steps and end %d, not %d and %d", i, steps, end, series[i].steps, series[i].end);
    }
}

/* A run of these steps under these options. */
static struct train_result judged(const double *step_s, int n, const struct train_options *o) {
    struct train_result r = {.timed = n, .steps = n, .peak_flop_per_s = 1e9, .covered = 1};
    r.mean = base_stats_mean(step_s, n);
    gate_clear(&r.gate);
    train_verdict(&r, o, 1e6);
    return r;
}

static void time_in_no_window(void **state) {
    (void)state;
    const struct train_options o = {.gate = true, .ci = INFINITY};
    struct train_result r = judged((double[]){1}, 1, &o);
    r.covered = 0.979, r.uncovered_s = 0.02;
    train_verdict(&r, &o, 1e6);
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_non_null(strstr(r.why, "cover 0.979 of the wall time, under 0.98, but a rank that waited 0.02 s"));
    r.uncovered_s = 0.1;
    train_verdict(&r, &o, 1e6);
    assert_int_equal(r.status, RECORD_FAILED);
    r.covered = 0.981, r.uncovered_s = 10;
    train_verdict(&r, &o, 1e6);
    assert_int_equal(r.status, RECORD_PASSED);
}

static void interval_of_one_launch(void **state) {
    (void)state;
    static const double noisy[] = {1, 1.2, 0.8, 1.1, 0.9, 1, 1.3, 0.7};
    struct train_options o = {.gate = true, .ci = 0.05};
    struct train_result r = judged(noisy, 8, &o);
    assert_float_equal(train_half_width(&r), 2.364624 * 0.2 / sqrt(8),
                       1e-6); /* Student's t, seven degrees of freedom */
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_true(r.too_wide && strstr(r.why, "within this launch the mean step is known to +-16.7%, not to the +-5%"));
    o.ci = 0.2;
    assert_int_equal(judged(noisy, 8, &o).status, RECORD_PASSED);
    o.ci = INFINITY; /* --steps alone */
    assert_int_equal(judged(noisy, 1, &o).status, RECORD_PASSED);
    o.ci = 0.05, o.one_of_many = true; /* the interval over launches will judge */
    assert_int_equal(judged(noisy, 8, &o).status, RECORD_PASSED);
    assert_int_equal(judged(noisy, 1, &o).status, RECORD_PASSED);
    o.one_of_many = false;
    r = judged(noisy, 1, &o);
    assert_true(r.status == RECORD_INCONCLUSIVE && strstr(r.why, "one timed step has no interval"));
    o.gate = false; /* the first reason counts */
    r = judged(noisy, 8, &o);
    assert_true(r.status == RECORD_INCONCLUSIVE && !r.too_wide && strstr(r.why, "--no-gate"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_when_steps_no_longer_gain),
        cmocka_unit_test(time_in_no_window),
        cmocka_unit_test(interval_of_one_launch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
