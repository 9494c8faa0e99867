/* SPDX-License-Identifier: Apache-2.0
 *
 * The median's interval: ranks and confidence against binomial sums done by hand, and coverage on a skewed
 * distribution. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/random.h"
#include "base/stats.h"

/* Samples n, n-1, ..., 1: the k-th order statistic is k */
static struct base_interval of_ranks(int n, double confidence) {
    double x[2000] = {0};
    for (int i = 0; i < n; i++) x[i] = n - i;
    struct base_interval interval = base_stats_median(x, n, confidence);
    for (int i = 0; i < n; i++) assert_true(x[i] == n - i);
    return interval;
}

static void intervals_match_the_binomial(void **state) {
    (void)state;
    static const struct {
        int n;
        double asked, median, low, high, reached;
    } known[] = {
        {1, 0.95, 1, 1, 1, 0.0},                          /* 1 - 2/2 */
        {2, 0.95, 1.5, 1, 2, 0.5},                        /* 1 - 2/4 */
        {5, 0.95, 3, 1, 5, 0.9375},                       /* 1 - 2/32: five samples cannot give 95% */
        {6, 0.95, 3.5, 1, 6, 0.96875},                    /* 1 - 2/64 */
        {9, 0.95, 5, 2, 8, 1.0 - 20.0 / 512.0},           /* C(9,0) + C(9,1) = 10 */
        {10, 0.95, 5.5, 2, 9, 1.0 - 22.0 / 1024.0},       /* 1 + 10 */
        {10, 0.98, 5.5, 1, 10, 1.0 - 2.0 / 1024.0},       /* with two out: 0.9785 */
        {20, 0.95, 10.5, 6, 15, 1.0 - 43400.0 / 1048576}, /* 1 + 20 + 190 + 1140 + 4845 + 15504 = 21700 */
        {10, 0.50, 5.5, 4, 7, 1.0 - 352.0 / 1024.0},      /* 1 + 10 + 45 + 120; one more rank reaches 0.246 */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct base_interval got = of_ranks(known[i].n, known[i].asked);
        assert_true(got.median == known[i].median);
        assert_true(got.low == known[i].low && got.high == known[i].high);
        assert_true(fabs(got.confidence - known[i].reached) < 1e-12);
    }
}

/* Where 2^-n underflows: the normal approximation gives ranks n/2 -+ 1.96 sqrt(n)/2 */
static void long_series_do_not_underflow(void **state) {
    (void)state;
    struct base_interval got = of_ranks(2000, 0.95);
    assert_true(fabs(got.low - (1000.5 - 1.96 * sqrt(2000.0) / 2)) < 1.5);
    assert_true(fabs(got.high - (1000.5 + 1.96 * sqrt(2000.0) / 2)) < 1.5);
    assert_true(got.confidence >= 0.95 && got.confidence < 0.955);
}

/* 4000 series of 15 exponential samples (median ln 2): the interval contains the median as often as it claims. 1 - 2 (1
 * + 15 + 105 + 455) / 32768 = 0.96484; five standard errors are 0.0146. */
static void coverage_is_what_it_says(void **state) {
    (void)state;
    enum { SERIES = 4000, N = 15 };
    int inside = 0;
    struct base_interval got = {0};
    for (int s = 0; s < SERIES; s++) {
        double x[N];
        for (int i = 0; i < N; i++) x[i] = -log(1.0 - base_random_unit(1, BASE_STREAM_STATS, (uint64_t)(s * N + i)));
        got = base_stats_median(x, N, 0.95);
        inside += got.low <= log(2.0) && log(2.0) <= got.high;
    }
    assert_true(fabs(got.confidence - (1.0 - 2.0 * 576.0 / 32768.0)) < 1e-12);
    assert_true(fabs((double)inside / SERIES - got.confidence) < 0.0146);
}

/* Two samples: t with one degree of freedom. Twenty alternating samples: all batches are equal, so the mean is
 * certain. */
static void means_have_intervals_of_their_stretches(void **state) {
    (void)state;
    const double two[] = {1, 3};
    struct base_mean m = base_stats_mean(two, 2);
    assert_true(m.mean == 2 && fabs(m.high - (2 + 12.7062047)) < 1e-6 && fabs(m.low - (2 - 12.7062047)) < 1e-6);
    m = base_stats_mean(two, 1);
    assert_true(m.mean == 1 && m.low == 1 && m.high == 1);
    double x[20];
    for (int i = 0; i < 20; i++) x[i] = i % 2 ? 3 : 1;
    m = base_stats_mean(x, 20);
    assert_true(m.mean == 2 && m.high - m.low < 1e-12);
    for (int i = 0; i < 20; i++) x[i] = i < 10 ? 1 : 3; /* five batches of 1, five of 3 */
    m = base_stats_mean(x, 20);
    assert_true(m.mean == 2 && fabs(m.high - 2 - 2.2621572 * sqrt(10.0 / 9) / sqrt(10.0)) < 1e-6);
    for (int i = 0; i < 20; i++) x[i] = i == 7 ? 21 : 1; /* a rare outlier, which no median shows */
    assert_true(base_stats_mean(x, 20).mean == 2 && base_stats_median(x, 20, 0.95).median == 1);
}

/* Known closed forms: one degree of freedom is Cauchy's distribution, two have t / sqrt(2 + t^2), and infinitely many
 * are the normal distribution. The rest is from any table. */
static void student_matches_closed_forms_and_tables(void **state) {
    (void)state;
    for (double p = 1e-9; p < 1; p = p < 0.9 ? p * 1.7 : 1 - (1 - p) / 2) {
        if (1 - p < 1e-7) break;
        const double u = 2 * p - 1, one = tan(acos(-1.0) * (p - 0.5)), two = u * sqrt(2 / (1 - u * u));
        assert_true(fabs(base_stats_student(p, 1) - one) <= 1e-6 * fabs(one));
        assert_true(fabs(base_stats_student(p, 2) - two) <= 1e-6 * fabs(two));
        for (double df = 0.3; df < 1e6; df *= 3.1)
            assert_true(fabs(base_stats_student_cdf(base_stats_student(p, df), df) - p) < 1e-9);
    }
    static const double table[][3] = {{0.975, 4, 2.7764451},   {0.975, 8, 2.3060041},    {0.995, 5, 4.0321430},
                                      {0.95, 30, 1.6972609},   {0.9995, 100, 3.3904913}, {0.975, INFINITY, 1.9599640},
                                      {0.975, 1e9, 1.9599640}, {0.025, 4, -2.7764451}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(fabs(base_stats_student(table[i][0], table[i][1]) - table[i][2]) < 2e-7);
    assert_true(base_stats_student(0.5, 7) == 0 && base_stats_student_cdf(0, 7) == 0.5);
}

/* F of 1 and n is the square of Student's t of n; of 2 and n the tail is (1 + 2 f / n)^(-n / 2). */
static void f_matches_student_and_a_closed_form(void **state) {
    (void)state;
    for (double f = 0.01; f < 100; f *= 2.3)
        for (double n = 1; n < 500; n *= 2.7) {
            const double two_sided = 2 * (1 - base_stats_student_cdf(sqrt(f), n));
            assert_true(fabs(base_stats_f_tail(f, 1, n) - two_sided) < 1e-9);
            assert_true(fabs(base_stats_f_tail(f, 2, n) - pow(1 + 2 * f / n, -n / 2)) < 1e-9);
        }
    assert_true(base_stats_f_tail(0, 3, 4) == 1 && base_stats_f_tail(INFINITY, 3, 4) == 0);
}

static void rates_average_harmonically(void **state) {
    (void)state;
    const double x[] = {40.0, 60.0};
    assert_true(fabs(base_stats_harmonic_mean(x, 2) - 48.0) < 1e-12); /* there at 40, back at 60 */
    assert_true(base_stats_harmonic_mean(x, 1) == 40.0);
}

/* By hand: 1, 2, 6 have the mean 3 and the squares 4 + 1 + 9. */
static void variance_of_three(void **state) {
    (void)state;
    const double x[] = {1, 2, 6};
    assert_true(base_stats_average(x, 3) == 3 && base_stats_variance(x, 3) == 7);
    assert_true(base_stats_average(x, 1) == 1 && isnan(base_stats_variance(x, 1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variance_of_three),
        cmocka_unit_test(intervals_match_the_binomial),
        cmocka_unit_test(long_series_do_not_underflow),
        cmocka_unit_test(coverage_is_what_it_says),
        cmocka_unit_test(means_have_intervals_of_their_stretches),
        cmocka_unit_test(student_matches_closed_forms_and_tables),
        cmocka_unit_test(f_matches_student_and_a_closed_form),
        cmocka_unit_test(rates_average_harmonically),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
