/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores, sweeps and the rival by literals worked out by hand; predictions of what was left out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fit/ranking.h"
#include "fit/score.h"
#include "plan/ledger.h"
#include "unit/support/published_jobs.h"

enum { RUNS = 8 };
static struct fit_run list[RUNS];
static struct fit_runs runs = {.run = list, .count = RUNS};
static struct fit_row rows[RUNS];

static bool near(double a, double b) {
    return fabs(a - b) < 1e-12;
}

/* Runs of one known job, two sources, all of 1 s. */
static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < RUNS; i++) {
        list[i] = (struct fit_run){.id = "",
                                   .source = i < 4 ? "one" : "two",
                                   .model = "m",
                                   .tier = 1 + i / 4,
                                   .complete = true,
                                   .job = published_job(&published_jobs[0]),
                                   .measured_s = 1};
        snprintf(list[i].cluster, sizeof list[i].cluster, "%s", list[i].source);
        rows[i] = (struct fit_row){&list[i].job, 1, 1};
    }
    return 0;
}

static bool of_tier(const struct fit_run *run, const void *context) {
    return run->tier == *(const int *)context;
}

/* Errors of tier 1: 10%, -20%, 40%; the fourth row is not predicted. Intervals of 0.9 to 1.2, 0.7 to 0.9 and 1.1 to 1.5
 * around 1: inside; outside by 0.1 above; outside by 0.1 below. */
static void test_score(void **state) {
    (void)state;
    const int tier = 1;
    struct fit_prediction p[RUNS] = {{1.1, 0.9, 1.2}, {0.8, 0.7, 0.9}, {1.4, 1.1, 1.5}, {NAN, NAN, NAN}};
    for (int i = 4; i < RUNS; i++) p[i] = (struct fit_prediction){9, 9, 9};
    struct fit_score s = fit_score(&runs, rows, p, of_tier, &tier);
    assert_int_equal(s.n, 3);
    assert_true(near(s.mean, 0.7 / 3) && near(s.median, 0.2) && near(s.max, 0.4) && near(s.bias, 0.1));
    assert_true(near(s.coverage, 1.0 / 3));
    assert_true(near(s.half_width, 0.15 / 1.1)); /* of 0.136, 0.125 and 0.143 */
    assert_true(near(s.interval_score, (0.3 + (0.2 + 20 * 0.1) + (0.4 + 20 * 0.1)) / 3));
}

static void test_score_rest(void **state) {
    (void)state;
    const int none = 3;
    struct fit_prediction p[RUNS];
    for (int i = 0; i < RUNS; i++) p[i] = (struct fit_prediction){1.1, NAN, NAN};
    assert_int_equal(fit_score(&runs, rows, p, of_tier, &none).n, 0);
    assert_true(isnan(fit_score(&runs, rows, p, of_tier, &none).mean));
    rows[0].weight = 0; /* not counted */
    const struct fit_score s = fit_score(&runs, rows, p, NULL, NULL);
    assert_int_equal(s.n, 7);
    assert_true(isnan(s.coverage) && isnan(s.interval_score)); /* no interval is not a miss */
}

/* Five layouts by pp, one of them twice: published 1.0, 1.2, 1.22, 2, and 3 and 5 whose median is 4;
 * predicted 1.1, 1.0, 1.3, 0.9, 4. Pairs more than 3% apart: all ten but 1.2 and 1.22; in order are those of 4 (4), 1.0
 * with 1.22, and none of 2's. */
static void test_sweeps(void **state) {
    (void)state;
    static const double published[] = {1.0, 1.2, 1.22, 2, 3, 5}, predicted[] = {1.1, 1.0, 1.3, 0.9, 3, 5, 7, 8};
    static const int pp[] = {1, 2, 4, 8, 16, 16};
    struct fit_sweep s[2];
    for (int i = 0; i < 6; i++) {
        list[i].source = "one";
        list[i].job.layout.pp = pp[i];
        rows[i].measured_s = published[i];
    }
    assert_int_equal(fit_sweeps(&runs, rows, predicted, s, 2), 1);
    assert_int_equal(s[0].layouts, 5);
    assert_ptr_equal(s[0].run, &list[0]);
    assert_int_equal(s[0].rank, 3);
    assert_true(near(s[0].regret, 1) && near(s[0].regret_of_three, 0));
    assert_int_equal(s[0].pairs, 9);
    assert_int_equal(s[0].pairs_right, 5);
    for (int i = 0; i < 6; i++) rows[i].measured_s = 1 + 0.001 * i; /* noise is no sweep */
    assert_int_equal(fit_sweeps(&runs, rows, predicted, s, 2), 0);
    rows[0].measured_s = 0.5;
    rows[1].weight = rows[2].weight = 0; /* nor are three layouts */
    assert_int_equal(fit_sweeps(&runs, rows, predicted, s, 2), 0);
}

/* Source one runs at half the FLOP/s of source two: each predicts the other wrong by a factor of 2; a class without
 * rows takes the others' share of peak. */
static void test_naive(void **state) {
    (void)state;
    struct base_error e = {0};
    double step_s[RUNS], shares[FIT_RATES];
    for (int i = 0; i < 4; i++) rows[i].measured_s = 2;
    assert_int_equal(fit_naive(&runs, rows, FIT_SPLIT_SOURCE, step_s, &e), BASE_OK);
    assert_true(near(step_s[0], 1) && near(step_s[3], 1) && near(step_s[4], 2) && near(step_s[7], 2));
    for (int i = 0; i < 4; i++) rows[i].weight = 0;
    assert_int_equal(fit_naive_shares(rows, RUNS, shares, &e), BASE_OK);
    const struct cost_job *job = &list[4].job;
    const double flop = plan_flop_count(&job->model, &job->batch, PLAN_RECOMPUTE_NONE).model;
    const double share = flop / (list[4].job.accelerators * list[4].job.platform.peak_flop_per_s);
    assert_true(near(shares[fit_naive_rate(job->platform.class, false)], share) && near(shares[FIT_RATES - 1], share));
    assert_true(near(fit_naive_step(&list[4].job, shares), 1));
}

/* A source of runs a fifth slower than the model says: with it left out nobody knows; with a tenth left out the rest
 * says so. Intervals of the one come from the other's residuals alone. */
static void test_left_out(void **state) {
    (void)state;
    struct base_error e = {0};
    struct cost_parameters p;
    struct cost_step s;
    double source[RUNS], fold[RUNS];
    struct fit_prediction q[RUNS];
    const struct cost_ablation whole = {0};
    assert_int_equal(cost_parameters_prior(&p, NULL), BASE_OK);
    cost_step(&list[0].job, &p, &whole, &s);
    for (int i = 0; i < RUNS; i++) rows[i].measured_s = (i < 4 ? 1 : 1.2) * s.total;
    rows[7].weight = 0;
    assert_int_equal(fit_leave_out(&runs, rows, FIT_SPLIT_SOURCE, &whole, &p, source, &e), BASE_OK);
    assert_int_equal(fit_leave_out(&runs, rows, FIT_SPLIT_TENTH, &whole, &p, fold, &e), BASE_OK);
    assert_true(source[4] < 1.01 * s.total && source[0] > 1.1 * s.total); /* each by the other's rows */
    assert_true(isnan(source[7]) && isnan(fold[7]));
    assert_true(fold[4] > source[4] && fold[0] < source[0]);
    for (int i = 0; i < RUNS; i++) fold[i] = rows[i].measured_s * (i < 4 ? 2 : 3), source[i] = rows[i].measured_s * 5;
    assert_int_equal(fit_leave_out_intervals(&runs, rows, FIT_SPLIT_SOURCE, fold, source, q, &e), BASE_OK);
    assert_true(near(q[0].step_s, source[0]) && near(q[0].low_s / source[0], 1.0 / 3)); /* by source two's 3 */
    assert_true(near(q[4].high_s / source[4], 0.5) && isnan(q[7].step_s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_score, set_up), cmocka_unit_test_setup(test_score_rest, set_up),
        cmocka_unit_test_setup(test_sweeps, set_up), cmocka_unit_test_setup(test_naive, set_up),
        cmocka_unit_test_setup(test_left_out, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
