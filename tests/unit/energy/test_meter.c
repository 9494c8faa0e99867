/* SPDX-License-Identifier: Apache-2.0
 *
 * Readings become joules: wraps, resets, gaps, frozen counters, trapezoids, and what they cover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "energy/meter.h"

static struct energy_meter counter(double range) {
    struct energy_meter m;
    assert_int_equal(energy_meter_open(&m, ENERGY_JOULES, range, 1, 64, NULL), 0);
    return m;
}

static struct energy_meter sensor(void) {
    struct energy_meter m;
    assert_int_equal(energy_meter_open(&m, ENERGY_WATTS, 0, 2, 64, NULL), 0);
    return m;
}

#define near(x, y) assert_true(fabs((x) - (y)) < 1e-6)

static void a_steady_counter(void **state) {
    (void)state;
    struct energy_meter m = counter(0);
    for (int i = 0; i <= 20; i++) energy_meter_add(&m, 100 + i * 0.1, 5000 + 20 * i); /* 200 W */
    near(energy_meter_joules(&m, 100.25, 101.25), 200);
    near(energy_meter_covered(&m, 100.25, 101.25), 1);
    assert_true(isnan(energy_meter_joules(&m, 99, 101))); /* before the first change */
    assert_true(isnan(energy_meter_joules(&m, 101, 102.5)));
    near(energy_meter_covered(&m, 100, 200), 1.9);
    near(energy_meter_interval(&m), 0.1);
    assert_true(m.readings == 21 && m.wraps == 0 && m.changed);
    energy_meter_close(&m);
}

/* The kernel's range of many server packages: 2^32 units of 2^-14 J. */
static void one_wrap(void **state) {
    (void)state;
    const double range = 262144;
    struct energy_meter m = counter(range);
    for (int i = 0; i <= 40; i++) energy_meter_add(&m, i * 0.1, fmod(range - 50 + 20 * i, range));
    near(energy_meter_joules(&m, 0.1, 4), 3.9 * 200);
    assert_true(m.wraps == 1 && m.resets == 0 && m.unclear == 0);
    energy_meter_close(&m);
}

/* 100 W on a range of 1,000 J, read each second; then not for 25 s: two or three wraps. */
static void several_wraps_between_two_readings(void **state) {
    (void)state;
    struct energy_meter m = counter(1000);
    for (int i = 0; i <= 30; i++) energy_meter_add(&m, i * 1e-3, fmod(700 + 0.1 * i, 1000));
    energy_meter_add(&m, 25, fmod(700 + 2500, 1000));
    near(energy_meter_joules(&m, 0.001, 25), 2499.9);
    assert_true(m.wraps == 3 && m.unclear == 0);
    /* forwards, and still a whole wrap in between */
    energy_meter_add(&m, 35.5, fmod(700 + 3550, 1000));
    near(energy_meter_joules(&m, 25, 35.5), 1050);
    /* so long that two counts are within a quarter of the power so far */
    energy_meter_add(&m, 135.5, 600);
    assert_true(m.unclear == 1);
    assert_true(isnan(energy_meter_joules(&m, 100, 101)));
    near(energy_meter_covered(&m, 30, 140), 5.5);
    energy_meter_close(&m);
}

static void a_long_gap_without_a_power_to_compare(void **state) {
    (void)state;
    struct energy_meter m = counter(1000);
    energy_meter_add(&m, 0, 1);
    energy_meter_add(&m, 1, 2);
    energy_meter_add(&m, 30, 500); /* any number of wraps */
    assert_true(m.unclear == 1 && m.wraps == 0);
    assert_true(energy_meter_covered(&m, 0, 30) == 0);
    energy_meter_close(&m);
}

static void a_reset_is_no_wrap(void **state) {
    (void)state;
    struct energy_meter m = counter(262144);
    for (int i = 0; i <= 10; i++) energy_meter_add(&m, i * 0.1, 60000 + 20 * i);
    for (int i = 11; i <= 20; i++) energy_meter_add(&m, i * 0.1, 20 * (i - 10));
    assert_true(m.resets == 1 && m.wraps == 0);
    near(energy_meter_covered(&m, 0.1, 2), 1.8); /* all but the segment of the reset */
    assert_true(isnan(energy_meter_joules(&m, 0.5, 1.5)));
    near(energy_meter_joules(&m, 0.2, 0.8), 120);
    near(energy_meter_joules(&m, 1.2, 1.8), 120);
    energy_meter_close(&m);
}

static void without_a_range_each_step_back_is_lost(void **state) {
    (void)state;
    struct energy_meter m = counter(0);
    for (int i = 0; i <= 10; i++) energy_meter_add(&m, i * 0.1, i == 5 ? 0 : 100 + 20 * i);
    assert_true(m.resets == 1);
    assert_true(energy_meter_covered(&m, 0.1, 1) < 0.9);
    energy_meter_close(&m);
}

static void a_jump_is_not_believed(void **state) {
    (void)state;
    struct energy_meter m = counter(0);
    for (int i = 0; i <= 10; i++) energy_meter_add(&m, i * 0.1, 20 * i + (i > 5 ? 1e9 : 0));
    assert_true(m.resets == 1 && m.total < 300);
    energy_meter_close(&m);
}

static void a_restart(void **state) {
    (void)state;
    struct energy_meter m = counter(0);
    for (int i = 0; i <= 10; i++) {
        if (i == 6) energy_meter_restart(&m); /* the new count is higher, and yet another */
        energy_meter_add(&m, i * 0.1, 20 * i + (i >= 6 ? 50 : 0));
    }
    assert_true(m.resets == 1);
    near(energy_meter_joules(&m, 0.1, 0.5), 80);
    assert_true(isnan(energy_meter_joules(&m, 0.5, 0.7)));
    near(energy_meter_joules(&m, 0.7, 1), 60);
    energy_meter_close(&m);
}

static void a_frozen_counter_covers_nothing(void **state) {
    (void)state;
    struct energy_meter m = counter(1000);
    for (int i = 0; i < 50; i++) energy_meter_add(&m, i, 123);
    assert_true(m.count == 0 && m.repeats == 50 && !m.changed);
    energy_meter_close(&m);
    /* one that stops on the way covers the time until then */
    m = counter(262144);
    for (int i = 0; i < 50; i++) energy_meter_add(&m, i * 0.1, i < 20 ? 20 * i : 400);
    near(energy_meter_covered(&m, 0.1, 4.9), 1.9);
    energy_meter_close(&m);
}

/* Updated each 0.5 s, read each 0.1 s. */
static void a_slow_counter(void **state) {
    (void)state;
    struct energy_meter m = counter(0);
    for (int i = 0; i <= 100; i++) energy_meter_add(&m, i * 0.1, 100 * (i / 5));
    near(energy_meter_joules(&m, 0.5, 9.5), 9 * 200);
    near(energy_meter_interval(&m), 0.5);
    energy_meter_close(&m);
}

static void power_by_trapezoids(void **state) {
    (void)state;
    struct energy_meter m = sensor();
    energy_meter_add(&m, 0, 100);
    energy_meter_add(&m, 1, 200);
    energy_meter_add(&m, 2, 200);
    near(energy_meter_joules(&m, 0, 2), 350);
    energy_meter_add(&m, 10, 200); /* a gap: nobody knows */
    energy_meter_add(&m, 11, 300);
    assert_true(isnan(energy_meter_joules(&m, 1, 11)) && m.unclear == 1);
    near(energy_meter_covered(&m, 0, 11), 3);
    near(energy_meter_joules(&m, 10, 11), 250);
    energy_meter_close(&m);
}

static void nonsense_is_counted_and_not_used(void **state) {
    (void)state;
    static const double nonsense[] = {-1, NAN, INFINITY, 1e9};
    struct energy_meter m = sensor();
    energy_meter_add(&m, 0, 100);
    for (int i = 0; i < 4; i++) energy_meter_add(&m, 0.1 + i * 0.1, nonsense[i]);
    energy_meter_add(&m, 1, 100);
    assert_true(m.failed == 4 && m.readings == 2 && !m.changed);
    near(energy_meter_joules(&m, 0, 1), 100);
    energy_meter_add(&m, 0.5, 100); /* the clock does not go back */
    assert_true(m.failed == 5);
    energy_meter_close(&m);
}

static void a_full_meter_keeps_totals(void **state) {
    (void)state;
    struct energy_meter m = counter(262144);
    for (int i = 0; i <= 10001; i++) energy_meter_add(&m, i * 0.1, fmod(20.0 * i + (i > 7000 ? 5e4 : 0), 262144));
    assert_true(m.count <= 64);
    near(m.total, 20.0 * 9999); /* from the first change, without the jump */
    near(m.at[m.count - 1], 1000.1);
    near(energy_meter_joules(&m, 100.03, 600.01), 200 * 499.98);
    assert_true(isnan(energy_meter_joules(&m, 600, 800)) && m.resets == 1);
    energy_meter_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_counter),
        cmocka_unit_test(one_wrap),
        cmocka_unit_test(several_wraps_between_two_readings),
        cmocka_unit_test(a_long_gap_without_a_power_to_compare),
        cmocka_unit_test(a_reset_is_no_wrap),
        cmocka_unit_test(without_a_range_each_step_back_is_lost),
        cmocka_unit_test(a_jump_is_not_believed),
        cmocka_unit_test(a_restart),
        cmocka_unit_test(a_frozen_counter_covers_nothing),
        cmocka_unit_test(a_slow_counter),
        cmocka_unit_test(power_by_trapezoids),
        cmocka_unit_test(nonsense_is_counted_and_not_used),
        cmocka_unit_test(a_full_meter_keeps_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
