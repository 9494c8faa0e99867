/* SPDX-License-Identifier: Apache-2.0
 * check: timeout 300
 *
 * The ratio's interval against values by hand, and its coverage by simulation: at least 93% for a nominal 95%, for five
 * kinds of noise at five and ten launches. CHECK_FULL simulates 25 times as long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "study/ratio.h"
#include "unit/support/effort.h"

enum { MOST = 64 };

static void assert_near(double x, double want, double by) {
    if (!(fabs(x - want) <= by)) fail_msg("%.17g is not %.17g", x, want);
}

/* Student's t for 8 degrees of freedom is 2.306004 at 97.5% (tables). */
static void test_welch(void **state) {
    (void)state;
    const double base[] = {0.00, 0.01, 0.02, 0.03, 0.04}, new[] = {0.05, 0.06, 0.07, 0.08, 0.09};
    const struct study_ratio r = study_ratio_welch(base, 5, new, 5);
    const double se = sqrt(2 * 0.00025 / 5);
    assert_near(r.log, 0.05, 1e-12), assert_near(r.se, se, 1e-12), assert_near(r.df, 8, 1e-9);
    assert_near(study_ratio_low(&r, 0.05), exp(0.05 - 2.306004 * se), 1e-7);
    assert_near(study_ratio_high(&r, 0.05), exp(0.05 + 2.306004 * se), 1e-7);
    /* R: t.test(new, base): t = 5, df = 8, p-value = 0.001053 */
    assert_near(study_ratio_p(&r), 0.001053, 5e-7);
    /* 10 against 5 values, variances 1 and 4: R: df = 4.9 by Welch and Satterthwaite's formula */
    const double few[] = {-2, -1, 0, 1, 2}, many[] = {0, 0, 0, 0, 0, 0, 0, 0, 1.5, -1.5};
    const double a = 2.5 / 5, b = 0.5 / 10;
    assert_near(study_ratio_welch(few, 5, many, 10).df, (a + b) * (a + b) / (a * a / 4 + b * b / 9), 1e-9);
}

static void test_paired(void **state) {
    (void)state;
    /* what a pair shares cancels: differences 0.01, 0.02, 0.03 */
    const double base[] = {0, 5, -3}, new[] = {0.01, 5.02, -2.97};
    const struct study_ratio r = study_ratio_paired(base, new, 3);
    assert_near(r.log, 0.02, 1e-12), assert_near(r.se, 0.01 / sqrt(3), 1e-12), assert_near(r.df, 2, 0);
    assert_true(r.paired);
}

/* An interval and the p value of its bound agree; equal samples are equal without doubt; one launch says nothing. */
static void test_agree(void **state) {
    (void)state;
    const double base[] = {0.1, 0.12, 0.09, 0.11, 0.1}, new[] = {0.11, 0.1, 0.14, 0.12, 0.13}, same[] = {1, 1, 1};
    struct study_ratio r = study_ratio_welch(base, 5, new, 5);
    const double p = study_ratio_p(&r), low = study_ratio_low(&r, p);
    assert_near(low, 1, 1e-9);
    const double outside = study_ratio_p_outside(&r, 0.05);
    assert_near(study_ratio_high(&r, outside), 1.05, 1e-9);
    assert_near(study_ratio_p_outside(&r, 0.001), 1, 0); /* the estimate itself is outside */
    r = study_ratio_welch(same, 3, same, 3);
    assert_near(study_ratio_p(&r), 1, 0), assert_near(study_ratio_p_outside(&r, 0.01), 0, 0);
    assert_near(study_ratio_low(&r, 0.05), 1, 0), assert_near(study_ratio_high(&r, 0.05), 1, 0);
    r = study_ratio_welch(base, 1, new, 5);
    assert_true(isnan(study_ratio_low(&r, 0.05)) && isnan(study_ratio_p(&r)));
    assert_true(isnan(study_ratio_detectable(&r, 0.05, 0.9)));
    assert_int_equal(study_ratio_needed(&r, 0.01, 0.05, 0.9), -1);
}

/* Launches of `units` jobs or nodes. */
static void make(struct study_launch *l, int n, int jobs, int nodes, int first, double log) {
    for (int i = 0; i < n; i++)
        l[i] = (struct study_launch){log + 0.01 * (i % 3), first + i, first + i % jobs, first + i % nodes, 0};
}

static void test_levels(void **state) {
    (void)state;
    static const struct {
        int jobs, nodes, other_jobs, other_nodes;
        enum study_level level;
        int units;
    } cases[] = {
        {12, 1, 12, 1, STUDY_LEVEL_LAUNCH, 12}, {4, 2, 3, 2, STUDY_LEVEL_JOB, 4},
        {2, 1, 12, 1, STUDY_LEVEL_LAUNCH, 12},  {4, 3, 4, 3, STUDY_LEVEL_NODE, 3},
        {12, 2, 12, 6, STUDY_LEVEL_LAUNCH, 12}, {6, 6, 6, 4, STUDY_LEVEL_NODE, 6},
    };
    struct study_launch base[12], new[12];
    struct study_ratio r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(base, 12, cases[i].jobs, cases[i].nodes, 0, 0);
        make(new, 12, cases[i].other_jobs, cases[i].other_nodes, 100, 0);
        assert_int_equal(study_ratio_launches(base, 12, new, 12, &r, NULL), BASE_OK);
        assert_int_equal(r.level, cases[i].level);
        assert_int_equal(r.units[0], cases[i].units);
        assert_false(r.paired);
    }
    /* the same nodes: what a node is cancels */
    for (int i = 0; i < 12; i++) {
        base[i] = (struct study_launch){i % 4, i, i, i % 4, 0};
        new[i] = (struct study_launch){i % 4 + 0.02 + 0.001 * (i % 4), 100 + i, 100 + i, i % 4, 0};
    }
    assert_int_equal(study_ratio_launches(base, 12, new, 12, &r, NULL), BASE_OK);
    assert_true(r.paired && r.units[0] == 4);
    assert_near(r.log, 0.0215, 1e-9);
    assert_near(r.sd[0], 0.001 * sqrt(5.0 / 3), 1e-9);
    /* the same four days on one node: what a day is cancels, too */
    for (int i = 0; i < 12; i++) base[i].node = new[i].node = 0, base[i].day = new[i].day = i % 4;
    assert_int_equal(study_ratio_launches(base, 12, new, 12, &r, NULL), BASE_OK);
    assert_true(r.paired && r.level == STUDY_LEVEL_DAY && r.units[0] == 4);
    assert_near(r.log, 0.0215, 1e-9);
    /* two days are too few */
    for (int i = 0; i < 12; i++) base[i].day = i % 2;
    assert_int_equal(study_ratio_launches(base, 12, new, 12, &r, NULL), BASE_OK);
    assert_int_equal(r.level, STUDY_LEVEL_LAUNCH);
}

static void test_overall(void **state) {
    (void)state;
    struct study_launch base[5], new[5], other[5], more[5];
    struct study_ratio one, two, all;
    for (int i = 0; i < 5; i++) {
        base[i] = (struct study_launch){0.01 * i, i, i, 0, 0};
        new[i] = (struct study_launch){0.1 + 0.01 * (i * 2 % 5), 50 + i, 50 + i, 0, 0};
        other[i] = base[i], other[i].launch += 100;
        more[i] = new[i], more[i].launch += 100;
    }
    assert_int_equal(study_ratio_launches(base, 5, new, 5, &one, NULL), BASE_OK);
    assert_int_equal(study_ratio_launches(other, 5, more, 5, &two, NULL), BASE_OK);
    const struct study_sides pairs[] = {{base, new, 5, 5, &one}, {base, new, 5, 5, &one}, {other, more, 5, 5, &two}};
    assert_int_equal(study_ratio_overall(pairs, 1, &all, NULL), BASE_OK);
    assert_near(all.se, one.se, 1e-12);
    /* the same launches twice say no more than once */
    assert_int_equal(study_ratio_overall(pairs, 2, &all, NULL), BASE_OK);
    assert_near(all.se, one.se, 1e-12), assert_near(all.log, one.log, 1e-12), assert_near(all.df, one.df, 1e-9);
    /* other launches do */
    assert_int_equal(study_ratio_overall(pairs + 1, 2, &all, NULL), BASE_OK);
    assert_near(all.se, one.se / sqrt(2), 1e-12);
    assert_near(study_ratio_detectable(&all, 0.05, 0.9), study_ratio_detectable(&one, 0.05, 0.9) / sqrt(2), 2e-3);
}

/* Holm's procedure by hand. */
static void test_holm(void **state) {
    (void)state;
    double p[] = {0.04, NAN, 0.01, 0.03, 0.9};
    assert_int_equal(study_holm(p, 5, NULL), BASE_OK);
    assert_near(p[2], 0.04, 1e-12), assert_near(p[3], 0.09, 1e-12);
    assert_near(p[0], 0.09, 1e-12) /* not below the one before */, assert_near(p[4], 0.9, 1e-12);
    assert_true(isnan(p[1]));
    double high[] = {0.6, 0.7};
    assert_int_equal(study_holm(high, 2, NULL), BASE_OK);
    assert_near(high[0], 1, 0);
}

/* Noise of a launch's logarithm with its mean; from a normal and a uniform number. */
static double normal(double z, double u) {
    (void)u;
    return 0.02 * z;
}
/* Slow-downs of lognormal size: skewness 6. */
static double skewed(double z, double u) {
    (void)u;
    return -0.02 * (exp(z) - exp(0.5));
}
/* A fifth of the launches lose 10% to 30% more. */
static double bursty(double z, double u) {
    return 0.01 * z - (u < 0.2 ? 0.1 + u : 0) + 0.04;
}
/* A tenth lose up to 30%. */
static double rarely_bursty(double z, double u) {
    return 0.01 * z - (u < 0.1 ? 3 * u : 0) + 0.015;
}

/* Numbers of one trial, counted on. */
struct draw {
    uint64_t stream, index;
};

static double uniform(struct draw *d) {
    return base_random_unit(41, BASE_STREAM_TEST + d->stream, d->index++);
}

static double gauss(struct draw *d) {
    const double u = uniform(d), v = uniform(d);
    return sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
}

static double draw_noise(struct draw *d, double (*noise)(double, double)) {
    const double z = gauss(d);
    return noise(z, uniform(d));
}

static int trials(void) {
    return effort_full() ? 100000 : 4000;
}

/* Whether the interval of a trial held the truth, a difference of 0. */
typedef bool trial(struct draw *d, const void *of);

static double coverage(trial *one, const void *of, uint64_t stream) {
    const int n = trials();
    int held = 0;
    for (int i = 0; i < n; i++) {
        struct draw d = {stream, (uint64_t)i << 20};
        held += one(&d, of);
    }
    return (double)held / n;
}

struct launches_of {
    const char *name;
    double (*noise)(double, double);
    double scale; /* of the second side's noise */
    int n, m;
};

static bool launches_trial(struct draw *d, const void *of) {
    const struct launches_of *l = of;
    double base[MOST], new[MOST];
    for (int i = 0; i < l->n; i++) base[i] = draw_noise(d, l->noise);
    for (int i = 0; i < l->m; i++) new[i] = l->scale *draw_noise(d, l->noise);
    const struct study_ratio r = study_ratio_welch(base, l->n, new, l->m);
    return study_ratio_p(&r) > STUDY_ALPHA;
}

static void test_coverage(void **state) {
    (void)state;
    static const struct launches_of noises[] = {{"normal", normal, 1, 0, 0},
                                                {"skewed", skewed, 1, 0, 0},
                                                {"bursty", bursty, 1, 0, 0},
                                                {"rarely bursty", rarely_bursty, 1, 0, 0},
                                                {"normal, new side 4 times", normal, 4, 0, 0},
                                                {"normal, base side 4 times", normal, 0.25, 0, 0}};
    static const int sizes[][2] = {{5, 5}, {5, 10}, {10, 10}};
    for (size_t i = 0; i < sizeof noises / sizeof *noises; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct launches_of l = noises[i];
            l.n = sizes[k][0], l.m = sizes[k][1];
            const double share = coverage(launches_trial, &l, 10 * i + k);
            print_message("%-26s %2d launches against %2d: coverage %.1f%%\n", l.name, l.n, l.m, 100 * share);
            if (share < 0.93) fail_msg("%s: coverage %.4f", l.name, share);
        }
    }
}

/* Launches of a job share part of their noise: `launches` each, as jobs or as if they were independent. */
struct jobs_of {
    int jobs, more_jobs, launches;
    bool apart;
};

static void draw_jobs(struct draw *d, int jobs, const struct jobs_of *of, struct study_launch *l, int first) {
    for (int j = 0; j < jobs; j++) {
        const double shared = 0.02 * gauss(d);
        for (int i = 0; i < of->launches; i++) {
            const int id = first + j * of->launches + i;
            l[j * of->launches + i] =
                (struct study_launch){shared + 0.01 * gauss(d), id, of->apart ? id : first + j, first, 0};
        }
    }
}

static bool jobs_trial(struct draw *d, const void *of) {
    const struct jobs_of *o = of;
    struct study_launch base[MOST], new[MOST];
    struct study_ratio r;
    draw_jobs(d, o->jobs, o, base, 0), draw_jobs(d, o->more_jobs, o, new, 1000);
    if (study_ratio_launches(base, o->jobs * o->launches, new, o->more_jobs * o->launches, &r, NULL)) return false;
    return study_ratio_p(&r) > STUDY_ALPHA;
}

/* Interleaved blocks of two launches of each side. The machine drifts from block to block: AR(1) with 0.8. */
static bool blocks_trial(struct draw *d, const void *of) {
    const int n = *(const int *)of;
    double base[MOST], new[MOST], drift = gauss(d);
    for (int i = 0; i < n; i++) {
        base[i] = 0.05 * drift + 0.01 * gauss(d), new[i] = 0.05 * drift + 0.01 * gauss(d);
        drift = 0.8 * drift + 0.6 * gauss(d);
    }
    const struct study_ratio r = study_ratio_paired(base, new, n);
    return study_ratio_p(&r) > STUDY_ALPHA;
}

static void test_coverage_of_blocks(void **state) {
    (void)state;
    static const int sizes[][2] = {{5, 5}, {5, 10}, {10, 10}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct jobs_of of = {sizes[k][0], sizes[k][1], 4, false};
        const double share = coverage(jobs_trial, &of, 100 + k);
        of.apart = true;
        const double wrong = coverage(jobs_trial, &of, 100 + k);
        print_message("correlated in jobs, %2d jobs of 4 launches against %2d: coverage %.1f%%; were launches "
                      "independent: %.1f%%\n",
                      of.jobs, of.more_jobs, 100 * share, 100 * wrong);
        if (share < 0.93) fail_msg("jobs: coverage %.4f", share);
        if (wrong > 0.8) fail_msg("launches of one job count as independent, and nobody would notice: %.4f", wrong);
        const double paired = coverage(blocks_trial, &sizes[k][1], 110 + k);
        print_message("drift, %2d interleaved blocks: coverage %.1f%%\n", sizes[k][1], 100 * paired);
        if (paired < 0.93) fail_msg("blocks: coverage %.4f", paired);
    }
}

/* The detectable difference is found with the power it claims, and as many launches as needed find what was asked. */
static void test_power(void **state) {
    (void)state;
    const struct study_ratio known = {.se = 0.02 * sqrt(2.0 / 8), .df = 14, .sd = {0.02, 0.02}, .units = {8, 8}};
    const double difference = study_ratio_detectable(&known, STUDY_ALPHA, STUDY_POWER);
    assert_int_equal(study_ratio_needed(&known, difference * 1.0001, STUDY_ALPHA, STUDY_POWER), 8);
    assert_int_equal(study_ratio_needed(&known, 0.5, STUDY_ALPHA, STUDY_POWER), STUDY_LAUNCHES_LEAST);
    assert_int_equal(study_ratio_needed(&known, 1e-6, STUDY_ALPHA, STUDY_POWER), -1);
    int found = 0;
    for (int i = 0; i < trials(); i++) {
        struct draw d = {200, (uint64_t)i << 20};
        double base[8], new[8];
        for (int k = 0; k < 8; k++) base[k] = 0.02 * gauss(&d), new[k] = 0.02 * gauss(&d) + log1p(difference);
        const struct study_ratio r = study_ratio_welch(base, 8, new, 8);
        found += study_ratio_p(&r) <= STUDY_ALPHA;
    }
    const double power = (double)found / trials();
    print_message("a detectable difference of %.2f%% was found in %.1f%% of the trials\n", 100 * difference,
                  100 * power);
    assert_true(power > 0.88 && power < 0.92);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_welch),    cmocka_unit_test(test_paired),
        cmocka_unit_test(test_agree),    cmocka_unit_test(test_levels),
        cmocka_unit_test(test_overall),  cmocka_unit_test(test_holm),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_coverage_of_blocks),
        cmocka_unit_test(test_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
