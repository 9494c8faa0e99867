/* SPDX-License-Identifier: Apache-2.0
 *
 * Laws fitted to simulated curves: their intervals hold as often as they say, also where a parameter is 0 and where
 * whole repeats drift; a law that does not hold is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scale/least.h"
#include "scale/model.h"
#include "unit/support/made_curve.h"

enum { CURVES = 200 };
static const double LEAST = 0.92; /* of the 95% that are claimed; two standard errors of 200 curves are 3% */

/* Fits both laws to a curve; close it with drop. */
struct fitted {
    struct made_curve made;
    struct scale_options options;
    struct scale_curve curve;
    struct scale_model laws[2];
};

static void make(struct fitted *f, const struct made_law *law) {
    struct base_error e = {0};
    *f = (struct fitted){.options = {.mode = SCALE_UNSET, .unit = SCALE_UNSET}};
    made_curve_add(&f->made, law);
    f->curve = (struct scale_curve){.options = &f->options, .records = f->made.at, .record_count = f->made.count};
    assert_int_equal(scale_runs_read(&f->curve, &e), BASE_OK);
    assert_int_equal(scale_points_make(&f->curve, &e), BASE_OK);
    assert_int_equal(scale_laws_fit(&f->curve, f->laws, &e), BASE_OK);
}

static void drop(struct fitted *f) {
    for (int i = 0; i < 2; i++) scale_model_close(&f->laws[i]);
    free(f->curve.points);
    free(f->curve.runs);
    made_curve_close(&f->made);
}

static bool covers(const struct scale_value *v, double truth) {
    return v->low <= truth + 1e-12 && truth <= v->high;
}

static struct scale_value parameter(const struct scale_model *m, const char *name) {
    for (const struct scale_parameter *p = m->parameters; p->name; p++)
        if (!strcmp(p->name, name)) return scale_model_parameter(m, p);
    fail_msg("no parameter %s", name);
    return (struct scale_value){NAN, NAN, NAN};
}

/* How often a law's intervals hold the truth: of its parameters, of where efficiency halves, and of the mean rate at
 * ten times the largest n. */
static void coverage(const struct made_law *truth, int which, const char *title) {
    const double n = 10.0 * truth->n[3];
    double held[4] = {0};
    for (int i = 0; i < CURVES; i++) {
        struct made_law law = *truth;
        struct fitted f;
        law.seed = 1000 + (uint64_t)i;
        make(&f, &law);
        struct scale_model *m = &f.laws[which];
        const struct scale_value s = parameter(m, which == SCALE_USL ? "contention" : "serial_share");
        const struct scale_value half = scale_model_half(m), rate = scale_model_rate(m, n);
        const double a = truth->coherence, b = truth->serial; /* a n^2 + (b - a) n - (1 + b) = 0 where it halves */
        const double at = a > 0 ? (a - b + sqrt((b - a) * (b - a) + 4 * a * (1 + b))) / (2 * a) : (1 + b) / b;
        held[0] += covers(&s, truth->serial);
        held[1] += covers(&half, at);
        held[2] += covers(&rate, made_curve_rate(truth, n));
        if (which == SCALE_USL) {
            const struct scale_value k = parameter(m, "coherence");
            held[3] += covers(&k, truth->coherence);
        }
        drop(&f);
    }
    print_message("%s: held serial %.3f, half %.3f, rate at 10 times %.3f", title, held[0] / CURVES, held[1] / CURVES,
                  held[2] / CURVES);
    if (which == SCALE_USL) print_message(", coherence %.3f", held[3] / CURVES);
    print_message("\n");
    for (int k = 0; k < (which == SCALE_USL ? 4 : 3); k++) assert_true(held[k] / CURVES >= LEAST);
}

static void amdahl(void **state) {
    (void)state;
    const struct made_law law = {
        .n = {1, 2, 4, 8}, .runs = 3, .batch = 64, .rate = 100, .serial = 0.05, .run_sd = 0.01};
    coverage(&law, SCALE_AMDAHL, "amdahl, 4 points of 3 runs");
    struct made_law single = law;
    single.runs = 1;
    coverage(&single, SCALE_AMDAHL, "amdahl, 4 points of 1 run");
    struct made_law drifts = law;
    drifts.repeat_sd = 0.05;
    coverage(&drifts, SCALE_AMDAHL, "amdahl, repeats that drift by 5%");
}

static void usl(void **state) {
    (void)state;
    const struct made_law law = {.n = {1, 2, 4, 8, 16, 32},
                                 .runs = 3,
                                 .batch = 64,
                                 .rate = 100,
                                 .serial = 0.03,
                                 .coherence = 0.0005,
                                 .run_sd = 0.01};
    coverage(&law, SCALE_USL, "usl");
    struct made_law bound = law;
    bound.coherence = 0;
    coverage(&bound, SCALE_USL, "usl, coherence 0");
}

/* Amdahl's law on a curve that turns back is noticed, and its interval widens; on its own curve it seldom is. */
static void lack_of_fit(void **state) {
    (void)state;
    const struct made_law wrong = {.n = {1, 2, 4, 8, 16, 32},
                                   .runs = 4,
                                   .batch = 64,
                                   .rate = 100,
                                   .serial = 0.01,
                                   .coherence = 0.002,
                                   .run_sd = 0.005};
    struct fitted f;
    make(&f, &wrong);
    assert_true(f.laws[SCALE_AMDAHL].lack_p < 1e-6 && f.laws[SCALE_AMDAHL].misfit > 0.02);
    assert_true(f.laws[SCALE_USL].lack_p > 1e-3 && f.laws[SCALE_USL].misfit < 0.01);
    drop(&f);
    int noticed = 0;
    for (int i = 0; i < 100; i++) {
        const struct made_law right = {.n = {1, 2, 4, 8, 16, 32},
                                       .runs = 4,
                                       .batch = 64,
                                       .rate = 100,
                                       .serial = 0.05,
                                       .run_sd = 0.005,
                                       .seed = 5000 + (uint64_t)i};
        make(&f, &right);
        noticed += f.laws[SCALE_AMDAHL].lack_p < SCALE_LACK;
        drop(&f);
    }
    print_message("a law that holds is doubted %d times of 100\n", noticed);
    assert_in_range(noticed, 0, 12);
}

/* Too few points, and a curve that is better than ideal. */
static void edges(void **state) {
    (void)state;
    const struct made_law two = {.n = {1, 2}, .runs = 5, .batch = 64, .rate = 100};
    struct fitted f;
    make(&f, &two);
    assert_string_equal(f.laws[SCALE_AMDAHL].refused, "it has 2 parameters and needs 3 points, not 2");
    drop(&f);
    const struct made_law better = {.n = {1, 2, 4, 8}, .runs = 2, .batch = 64, .rate = 100, .serial = -0.02};
    make(&f, &better);
    const struct scale_value s = parameter(&f.laws[SCALE_AMDAHL], "serial_share");
    assert_true(s.value == 0 && s.low == 0 && s.high < 0.02);
    assert_true(isinf(scale_model_half(&f.laws[SCALE_AMDAHL]).value));
    drop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amdahl),
        cmocka_unit_test(usl),
        cmocka_unit_test(lack_of_fit),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
