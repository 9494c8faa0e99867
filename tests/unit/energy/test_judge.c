/* SPDX-License-Identifier: Apache-2.0
 *
 * Joules of windows, coverage and intervals of a source whose readings are made up: no clock runs here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "energy/judge.h"

enum { WINDOWS = 20 };

static struct energy_source source;
static double start[WINDOWS], seconds[WINDOWS], joules[WINDOWS];
static const struct energy_windows windows = {start, seconds, WINDOWS, 1, "token"};
static struct energy_figures figures;

/* Two counters, and a third that is a part of them. Windows of 1 s follow each other from 10 s on. */
static int setup(void **state) {
    (void)state;
    energy_source_skip(&source, ENERGY_RAPL);
    source.state = ENERGY_MEASURED;
    source.count = 3;
    for (int i = 0; i < 3; i++) {
        struct energy_channel *c = &source.channel[i];
        strcpy(c->name, i == 2 ? "core" : i ? "dram" : "package-0");
        strcpy(c->path, "energy_uj");
        c->counted = i < 2, c->file = -1;
        assert_int_equal(energy_meter_open(&c->meter, ENERGY_JOULES, 262144, 1, 1000, NULL), 0);
    }
    for (int i = 0; i < WINDOWS; i++) start[i] = 10 + i, seconds[i] = 1;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    energy_source_close(&source);
    return 0;
}

/* Readings each 0.1 s from `from` to `to`: 200 W and 50 W, and 120 W of the part. */
static void sample(double from, double to) {
    static const double watts[] = {200, 50, 120};
    for (int i = (int)lround(10 * from); i <= (int)lround(10 * to); i++)
        for (int k = 0; k < 3; k++) energy_meter_add(&source.channel[k].meter, i * 0.1, 7 + watts[k] * i * 0.1);
}

static void judge(void) {
    energy_judge(&source, &windows, joules, &figures);
}

static void channels_add_up_and_parts_do_not(void **state) {
    (void)state;
    sample(0, 40);
    judge();
    assert_int_equal(figures.state, ENERGY_MEASURED);
    assert_string_equal(figures.counted, "package-0, dram");
    for (int i = 0; i < WINDOWS; i++) assert_true(fabs(joules[i] - 250) < 1e-6);
    const struct base_mean m = energy_mean(joules, WINDOWS, &figures);
    assert_true(fabs(m.mean - 250) < 1e-6);
    /* no scatter: the interval is a reading's interval over the timed time, 0.1 / 20 */
    assert_true(fabs(m.high - 250 * 1.005) < 1e-3 && fabs(m.low - 250 * 0.995) < 1e-3);
    assert_true(fabs(figures.coverage - 1) < 1e-9 && fabs(figures.interval_s - 0.1) < 1e-9);
}

static void ninety_six_percent_are_enough(void **state) {
    (void)state;
    sample(0, 29.2);
    judge();
    assert_int_equal(figures.state, ENERGY_MEASURED);
    assert_true(fabs(figures.coverage - 0.96) < 1e-9);
    assert_true(isnan(joules[WINDOWS - 1]) && fabs(joules[0] - 250) < 1e-6);
    assert_true(fabs(energy_mean(joules, WINDOWS, &figures).mean - 250) < 1e-6);
}

static void under_95_percent_is_no_figure(void **state) {
    (void)state;
    sample(0, 28.9);
    judge();
    assert_int_equal(figures.state, ENERGY_FAULT);
    assert_non_null(strstr(figures.why, "94% of the timed time covered, and 95% are needed"));
}

static void a_reset_of_one_channel_costs_its_segment(void **state) {
    (void)state;
    sample(0, 15);
    for (int i = 151; i <= 400; i++)
        for (int k = 0; k < 3; k++) energy_meter_add(&source.channel[k].meter, i * 0.1, 20.0 * (i - 150));
    judge();
    assert_int_equal(figures.state, ENERGY_MEASURED);
    assert_true(figures.resets == 2 && figures.coverage > 0.99 && figures.coverage < 1);
    assert_true(isnan(joules[5]) && !isnan(joules[4]) && !isnan(joules[6]));
}

static void one_frozen_channel_spoils_the_sum(void **state) {
    (void)state;
    for (int i = 0; i <= 400; i++) {
        energy_meter_add(&source.channel[0].meter, i * 0.1, 20.0 * i);
        energy_meter_add(&source.channel[1].meter, i * 0.1, 5);
    }
    judge();
    assert_int_equal(figures.state, ENERGY_FAULT);
    assert_non_null(strstr(figures.why, "energy_uj: frozen: 401 readings, all the same"));
}

static void no_reading_was_good(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) energy_meter_add(&source.channel[0].meter, i, NAN);
    judge();
    assert_non_null(strstr(figures.why, "none of 5 readings was good"));
}

/* A sensor that is not connected */
static void no_power_is_no_figure(void **state) {
    (void)state;
    struct energy_meter *m = &source.channel[0].meter;
    m->unit = ENERGY_WATTS;
    for (int i = 0; i <= 40; i++) energy_meter_add(m, i, 0);
    judge();
    assert_non_null(strstr(figures.why, "energy_uj: every reading was 0 W"));
}

static void a_slow_source_is_too_short(void **state) {
    (void)state;
    energy_meter_add(&source.channel[0].meter, 0, 5);
    energy_meter_add(&source.channel[0].meter, 30, 6000);
    judge();
    assert_non_null(strstr(figures.why, "too short: it moved 1 times"));
}

static void one_window_has_no_interval(void **state) {
    (void)state;
    sample(0, 40);
    judge();
    const struct base_mean m = energy_mean(joules, 1, &figures);
    assert_true(fabs(m.mean - 250) < 1e-6 && isnan(m.low) && isnan(m.high));
    joules[0] = NAN;
    assert_true(isnan(energy_mean(joules, 1, &figures).mean));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(channels_add_up_and_parts_do_not),
        test(ninety_six_percent_are_enough),
        test(under_95_percent_is_no_figure),
        test(a_reset_of_one_channel_costs_its_segment),
        test(one_frozen_channel_spoils_the_sum),
        test(no_reading_was_good),
        test(no_power_is_no_figure),
        test(a_slow_source_is_too_short),
        test(one_window_has_no_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
