/* SPDX-License-Identifier: Apache-2.0
 *
 * Intervals by literals worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stats.h"
#include "fit/interval.h"

static const struct machine_class ampere, hopper = {.index = 1};

static bool near(double a, double b) {
    return fabs(a - b) < 1e-12;
}

static void test_quantile(void **state) {
    (void)state;
    double x[] = {4, 1, 3, 2, 5}, one[] = {7};
    assert_true(near(base_stats_quantile(x, 5, 0.5), 3));
    assert_true(near(base_stats_quantile(x, 5, 0.25), 1.5));
    assert_true(near(base_stats_quantile(x, 5, 0.75), 4.5));
    assert_true(near(base_stats_quantile(x, 5, 0.05), 1)); /* five values do not say more */
    assert_true(near(base_stats_quantile(x, 5, 1), 5));
    assert_true(near(base_stats_quantile(one, 1, 0.05), 7));
}

/* Eleven runs of one class at -0.5, -0.4 .. 0.5, one of another at 0.9: of all twelve the quantiles are -0.5 and
 * 0.9; the first class's own -0.5 and 0.5. Sources left out: all at 0.2. */
static void test_classes(void **state) {
    (void)state;
    struct cost_job first = {.platform.class = &ampere}, second = {.platform.class = &hopper};
    struct cost_job other = {.platform.class = &hopper, .platform.fabric = COST_ROCE};
    struct fit_residual r[12];
    struct fit_intervals t;
    struct base_error e = {0};
    double low, high;
    for (int i = 0; i < 11; i++) r[i] = (struct fit_residual){&first, -0.5 + 0.1 * i, 0.2};
    r[11] = (struct fit_residual){&second, 0.9, 0.2};
    assert_int_equal(fit_intervals_fill(r, 12, &t, &e), BASE_OK);
    assert_int_equal(t.count, 2);
    assert_int_equal(fit_interval(&t, &first, 10, &low, &high), 11);
    assert_true(near(low, 10 * exp(-(11 * 0.5 + 12 * 0.9) / 23)));
    assert_true(near(high, 10 * exp(0.5)));
    assert_int_equal(fit_interval(&t, &second, 1, &low, &high), 1);
    assert_true(near(low, exp(-0.9)));
    assert_int_equal(fit_interval(&t, &other, 1, &low, &high), 0);
    assert_true(near(low, exp(-0.9)) && near(high, exp(0.5))); /* never more certain than what was fitted */
}

/* Twice the largest run's accelerators: both sides a quarter wider in the logarithm. */
static void test_beyond(void **state) {
    (void)state;
    struct cost_job small = {.accelerators = 8}, large = {.accelerators = 64}, beyond = {.accelerators = 128};
    const struct cost_job other = {.accelerators = 8, .platform.class = &hopper};
    const struct fit_residual r[] = {{&small, -0.2, 0}, {&large, -0.2, 0}};
    struct fit_intervals t;
    struct base_error e = {0};
    double low, high;
    assert_int_equal(fit_intervals_fill(r, 2, &t, &e), BASE_OK);
    assert_int_equal(fit_interval(&t, &large, 1, &low, &high), 2);
    assert_true(near(low, exp(0.2)) && near(high, exp(0.2)));
    assert_int_equal(fit_interval(&t, &beyond, 1, &low, &high), 2);
    assert_true(near(high, exp(0.25)));
    assert_true(fit_interpolates(&t, &large) && !fit_interpolates(&t, &beyond));
    assert_false(fit_interpolates(&t, &other));
}

/* Eight runs of experts at -0.4, without their sources at -0.6, and eight dense ones at 0.1. A kind without runs takes
 * the widest. */
static void test_kinds(void **state) {
    (void)state;
    struct cost_job dense = {.platform.class = &ampere}, experts = dense, low_precision = dense;
    struct fit_residual r[16];
    struct fit_intervals t;
    struct base_error e = {0};
    double low, high;
    experts.model.experts = 8, low_precision.traits.precision = COST_FP8;
    for (int i = 0; i < 16; i++)
        r[i] = i < 8 ? (struct fit_residual){&experts, -0.4, -0.6} : (struct fit_residual){&dense, 0.1, 0.1};
    assert_int_equal(fit_intervals_fill(r, 16, &t, &e), BASE_OK);
    assert_int_equal(fit_interval(&t, &experts, 1, &low, &high), 8);
    assert_true(near(low, exp(0.4)) && near(high, exp(0.4)));
    experts.platform.class = &hopper;
    assert_int_equal(fit_interval(&t, &experts, 1, &low, &high), 0);
    assert_true(near(low, exp(0.4)) && near(high, exp(0.6)));
    assert_int_equal(fit_interval(&t, &low_precision, 1, &low, &high), 0);
    assert_true(near(low, exp(-0.1)) && near(high, exp(0.6)));
}

static void test_none(void **state) {
    (void)state;
    const struct cost_job job = {0};
    struct fit_intervals t;
    struct base_error e = {0};
    double low, high;
    assert_int_equal(fit_intervals_fill(NULL, 0, &t, &e), BASE_OK);
    assert_int_equal(fit_interval(&t, &job, 2, &low, &high), 0);
    assert_true(low == 0 && isinf(high)); /* nothing is known */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quantile), cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_kinds), cmocka_unit_test(test_beyond),
                                       cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
