/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule of toise ab: equal commands are rarely called different, however noise is distributed, and real differences
 * are found. All series are made. check: timeout 300 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "study/ab.h"
#include "study/rank.h"

static const double zero[1000];
static const struct study_ab_rule RULE = {.alpha = 0.025, .delta = 0.03, .least = 5, .most = 40};

static void looks_spend_alpha_once(void **state) {
    (void)state;
    const struct study_ab_rule rules[] = {RULE, {0.05, 0.01, 5, 5}, {0.01, 0.01, 7, 990}, {0.025, 0.1, 39, 40}};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        int look[STUDY_AB_LOOKS];
        const int looks = study_ab_looks(&rules[r], look);
        double spent = 0;
        assert_int_equal(look[0], rules[r].least);
        assert_int_equal(look[looks - 1], rules[r].most);
        for (int i = 0; i < looks; i++) {
            assert_true(i == 0 || look[i] > look[i - 1]);
            assert_true(study_ab_look(&rules[r], look[i]));
            spent += study_ab_spent(&rules[r], look[i]);
        }
        assert_true(fabs(spent - rules[r].alpha) < 1e-12);
        assert_false(study_ab_look(&rules[r], rules[r].least - 1));
    }
    int look[STUDY_AB_LOOKS];
    assert_int_equal(study_ab_looks(&RULE, look), 7); /* 5 8 12 17 25 36 40 */
    assert_true(look[1] == 8 && look[5] == 36);
}

/* By hand: mean 0.02, sd 0.01, t of 4 degrees at the first look's level. */
static void a_look_is_students_interval(void **state) {
    (void)state;
    const double x[] = {0.01, 0.03, 0.02, 0.02, 0.02};
    const struct study_ab_rule one = {.alpha = 0.05, .delta = 0.001, .least = 5, .most = 5};
    const struct study_ab_view v = study_ab_judge(&one, zero, x, 5);
    const double sd = sqrt(2e-4 / 4), half = 2.7764451 * sd / sqrt(5);
    assert_true(fabs(v.ratio - exp(0.02)) < 1e-12 && fabs(v.confidence - 0.95) < 1e-12);
    assert_true(fabs(log(v.low) - (0.02 - half)) < 1e-8 && fabs(log(v.high) - (0.02 + half)) < 1e-8);
    assert_true(v.verdict == STUDY_FASTER && fabs(v.sd - sd) < 1e-12);
    assert_true(study_ab_judge(&RULE, zero, x, 5).low < v.low); /* the first of seven looks spends little */
}

/* By hand: one sum of positive ranks in 32 is 0, one is 1. */
static void ranks_of_five(void **state) {
    (void)state;
    const double d[] = {3, 1, 5, 2, 4};
    struct study_rank r = study_rank_interval(d, 5, 2 / 32.0);
    assert_true(r.shift == 3 && r.low == 1 && r.high == 5);
    r = study_rank_interval(d, 5, 4 / 32.0);
    assert_true(r.low == 1.5 && r.high == 4.5);
    r = study_rank_interval(d, 5, 0.06);
    assert_true(isinf(r.low) && isinf(r.high));
}

/* Of all signs of ten differences, so many intervals miss zero as alpha says, and no more. */
static void ranks_are_exact(void **state) {
    (void)state;
    static const double size[] = {0.1, 0.25, 0.4, 1, 1.7, 2.05, 3, 7.3, 19, 100};
    const double alpha[] = {2 / 1024.0, 0.01, 0.05, 0.2};
    for (int a = 0; a < 4; a++) {
        int missed = 0;
        for (unsigned signs = 0; signs < 1024; signs++) {
            double d[10];
            for (int i = 0; i < 10; i++) d[i] = signs >> i & 1 ? size[i] : -size[i];
            const struct study_rank r = study_rank_interval(d, 10, alpha[a]);
            missed += r.low > 0 || r.high < 0;
        }
        assert_true(missed > 0 && missed <= alpha[a] * 1024 && missed > alpha[a] * 1024 * 0.8 - 2);
    }
}

/* The exact levels and the normal ones meet. */
static void many_ranks(void **state) {
    (void)state;
    double d[101];
    for (int i = 0; i < 101; i++) d[i] = (i * 37 % 101 - 50) / 50.0;
    const struct study_rank exact = study_rank_interval(d, 100, 0.003), normal = study_rank_interval(d, 101, 0.003);
    assert_true(fabs(exact.low - normal.low) < 0.03 && fabs(exact.high - normal.high) < 0.03);
    assert_true(normal.low > -0.5 && normal.high < 0.5 && fabs(normal.shift) < 1e-12);
}

enum noise { NORMAL, SKEWED, BURSTY, DRIFTING, NOISES };

/* A launch's log time, of sd about 1 */
static double noise(enum noise kind, uint64_t trial, int block, int side) {
    float z[2];
    base_random_normal(77 + (uint64_t)kind, BASE_STREAM_TEST + trial, 4 * (uint64_t)(2 * block + side), 2, z);
    const double u = base_random_unit(78, BASE_STREAM_TEST + trial, (uint64_t)(2 * block + side));
    switch (kind) {
    case SKEWED:
        return (exp(z[0]) - exp(0.5)) / 2.16; /* lognormal */
    case BURSTY:
        return u < 0.1 ? 3 * fabs((double)z[0]) : 0.5 * z[0]; /* one in ten is disturbed, and slower */
    case DRIFTING:
        return z[0] * 0.7 + 3 * sin(block / 5.0); /* both of a block alike */
    default:
        return z[0];
    }
}

/* Counts of the verdicts of `trials` comparisons. gain: log of the true ratio; sd: of a launch. */
static void simulate(const struct study_ab_rule *rule, enum noise kind, double gain, double sd, int trials,
                     int verdicts[STUDY_VERDICTS]) {
    double a[64], b[64];
    for (int v = 0; v < STUDY_VERDICTS; v++) verdicts[v] = 0;
    for (int t = 0; t < trials; t++) {
        struct study_ab_view view = {.verdict = STUDY_INCONCLUSIVE};
        for (int n = 1; n <= rule->most && view.verdict == STUDY_INCONCLUSIVE; n++) {
            const uint64_t trial = (uint64_t)t;
            a[n - 1] = -sd * noise(kind, trial, n, 0);
            b[n - 1] = gain - sd * noise(kind, trial, n, 1);
            if (study_ab_look(rule, n)) view = study_ab_judge(rule, a, b, n);
        }
        verdicts[view.verdict]++;
    }
}

/* Of 1,000 comparisons of equal commands: a rate of 2.5% would show over 4% once in 500 tests; seeds are fixed. */
static void equal_commands_are_rarely_called_different(void **state) {
    (void)state;
    for (int kind = 0; kind < NOISES; kind++)
        for (int i = 0; i < 2; i++) {
            const double sd = i ? 0.10 : 0.01; /* too noisy for equivalence; and quiet */
            int v[STUDY_VERDICTS];
            simulate(&RULE, (enum noise)kind, 0, sd, 1000, v);
            const int alarms = v[STUDY_FASTER] + v[STUDY_SLOWER];
            if (alarms > 40) fail_msg("noise %d, sd %g: %d false alarms of 1000", kind, sd, alarms);
            if (!i && v[STUDY_EQUIVALENT] < 950) fail_msg("noise %d: %d of 1000 equivalent", kind, v[STUDY_EQUIVALENT]);
        }
}

/* A pair's sd is sqrt(2) that of a launch. */
static void differences_are_found(void **state) {
    (void)state;
    int v[STUDY_VERDICTS];
    const struct study_ab_rule fine = {.alpha = 0.025, .delta = 0.01, .least = 5, .most = 40};
    simulate(&fine, NORMAL, log(1.02), 0.01 / sqrt(2), 1000, v);
    assert_true(v[STUDY_FASTER] >= 950);
    simulate(&RULE, BURSTY, log(0.95), 0.02, 1000, v);
    assert_true(v[STUDY_SLOWER] >= 900 && v[STUDY_FASTER] == 0);
    /* on the edge of delta it may be called either, but never slower */
    simulate(&RULE, NORMAL, log(1.03), 0.01, 1000, v);
    assert_true(v[STUDY_SLOWER] == 0 && v[STUDY_EQUIVALENT] <= 40);
}

static void the_blocks_needed_are_enough(void **state) {
    (void)state;
    double x[40];
    float drawn[40];
    base_random_normal(6, BASE_STREAM_TEST, 0, 40, drawn);
    for (int i = 0; i < 40; i++) x[i] = 0.05 * (double)drawn[i]; /* sd 5%: 40 blocks cannot decide within 1% */
    struct study_ab_rule rule = {.alpha = 0.025, .delta = 0.01, .least = 5, .most = 40};
    rule.most = study_ab_judge(&rule, zero, x, 40).needed;
    assert_true(rule.most > 40 && rule.most < 1000);
    double many[1000];
    int equivalent = 0;
    for (int t = 0; t < 200; t++) {
        float z[1000];
        base_random_normal(5, BASE_STREAM_TEST + (uint64_t)t, 0, (uint64_t)rule.most, z);
        for (int i = 0; i < rule.most; i++) many[i] = 0.05 * (double)z[i];
        equivalent += study_ab_judge(&rule, zero, many, rule.most).verdict == STUDY_EQUIVALENT;
    }
    assert_true(equivalent >= 170);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_spend_alpha_once),
        cmocka_unit_test(a_look_is_students_interval),
        cmocka_unit_test(ranks_of_five),
        cmocka_unit_test(ranks_are_exact),
        cmocka_unit_test(many_ranks),
        cmocka_unit_test(equal_commands_are_rarely_called_different),
        cmocka_unit_test(differences_are_found),
        cmocka_unit_test(the_blocks_needed_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
