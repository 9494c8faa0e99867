/* SPDX-License-Identifier: Apache-2.0
 *
 * The detector on fleets by hand, and on made-up fleets with recorded noise: few false alarms, what it prints as the
 * smallest slowdown is found, also by small groups, noisy nodes and several groups. make score-detector has the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "detect/levels.h"
#include "unit/support/made_fleet.h"

enum { SAMPLES = 20, WINDOW = 2 * SAMPLES, MOST = 64 };

static struct noise noise[NOISE_KINDS];

static int open_noise(void **state) {
    (void)state;
    for (enum noise_kind k = 0; k < NOISE_KINDS; k++) noise_open(&noise[k], k, WINDOW);
    return 0;
}

static int close_noise(void **state) {
    (void)state;
    for (int k = 0; k < NOISE_KINDS; k++) noise_close(&noise[k]);
    return 0;
}

/* Nodes with the same ramp of samples, at these levels. */
struct made {
    double seconds[MOST][SAMPLES];
    struct detect_node node[MOST];
    struct detect_judgement judgement[MOST];
    struct detect_fleet fleet;
    int count;
};

static void add(struct made *m, double level, int samples, int group) {
    double *x = m->seconds[m->count];
    for (int k = 0; k < samples; k++) x[k] = level * (1 + 0.001 * ((k * 7) % SAMPLES - 9.5) / 9.5);
    m->node[m->count++] = (struct detect_node){x, samples, group};
}

static int judge(struct made *m, struct base_error *e) {
    return detect_judge(m->node, m->count, NULL, m->judgement, &m->fleet, e);
}

static void test_by_hand(void **state) {
    (void)state;
    struct made m = {0};
    for (int i = 0; i < 16; i++) add(&m, 2 * (1 + 0.001 * (i % 5 - 2)), SAMPLES, 0);
    add(&m, 2.1, SAMPLES, 0);
    add(&m, 1.8, SAMPLES, 0); /* a fast one is no fault */
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.fleet.slow, 1);
    assert_int_equal(m.fleet.judged, 18);
    const struct detect_judgement *j = &m.judgement[16];
    assert_int_equal(j->verdict, DETECT_SLOW);
    assert_true(fabs(j->slowdown - 0.05) < 1e-3 && j->low < 0.05 && j->high > 0.05);
    assert_true(j->p <= DETECT_ALPHA && !j->unsteady && !*j->why);
    assert_int_equal(m.judgement[17].verdict, DETECT_GOOD);
    assert_true(m.judgement[17].p == 1 && m.judgement[17].slowdown < -0.09);
    /* of 18 nodes one is 10% faster: were such a one slow by 5%, nobody would see it */
    assert_true(m.fleet.detectable > 0.1 && m.fleet.detectable < 0.15);
    m.count = 17;
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_true(m.fleet.detectable > DETECT_LEAST && m.fleet.detectable < 0.02);
    /* slower beyond doubt, but by less than matters */
    m.count = 0;
    for (int i = 0; i < 16; i++) add(&m, 2 * (1 + 0.0001 * (i % 5 - 2)), SAMPLES, 0);
    add(&m, 2.01, SAMPLES, 0);
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.judgement[16].verdict, DETECT_GOOD);
    assert_true(m.judgement[16].p <= DETECT_ALPHA);
}

/* Equal times leave no scale; the numbers stay finite. */
static void test_equal(void **state) {
    (void)state;
    struct made m = {0};
    for (int i = 0; i < 20; i++) {
        add(&m, 1, SAMPLES, 0);
        for (int k = 0; k < SAMPLES; k++) m.seconds[i][k] = i == 3 ? 1.2 : 1;
    }
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.fleet.slow, 1);
    assert_int_equal(m.judgement[3].verdict, DETECT_SLOW);
    assert_true(isfinite(m.fleet.detectable) && m.fleet.spread >= 0 && m.fleet.noise >= 0);
}

/* A coarse clock: most levels are equal, and a tick more is no slow node. */
static void test_coarse(void **state) {
    (void)state;
    struct made m = {0};
    for (int i = 0; i < 30; i++) {
        add(&m, 1, SAMPLES, 0);
        for (int k = 0; k < SAMPLES; k++) m.seconds[i][k] = i % 3 ? 0.05 : 0.051;
    }
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.fleet.slow, 0);
}

static void test_unjudged(void **state) {
    (void)state;
    struct made m = {0};
    for (int i = 0; i < 10; i++) add(&m, 1, SAMPLES, 5);
    add(&m, 3, 4, 5);
    add(&m, 1, SAMPLES, -2);
    add(&m, 9, SAMPLES, -2); /* of two that differ, either may be slow */
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.fleet.unjudged, 3);
    assert_int_equal(m.fleet.judged, 10);
    assert_string_equal(m.judgement[10].why, "too few samples");
    assert_string_equal(m.judgement[12].why, "too few nodes like it");
    assert_true(isnan(m.judgement[12].slowdown) && isnan(m.judgement[12].p));
    m.count = 2;
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_true(m.fleet.judged == 0 && m.fleet.unjudged == 2 && isnan(m.fleet.detectable));
    m.count = 0;
    assert_int_equal(judge(&m, NULL), BASE_OK);
}

static void test_refused(void **state) {
    (void)state;
    const double wrong[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        struct made m = {0};
        struct base_error e = {0};
        for (int n = 0; n < 4; n++) add(&m, 1, SAMPLES, 0);
        m.seconds[2][7] = wrong[i];
        assert_int_equal(judge(&m, &e), BASE_USAGE);
        assert_non_null(strstr(e.text, "sample 7 of node 2"));
    }
}

/* A node of another kind is compared with its own kind alone. */
static void test_groups(void **state) {
    (void)state;
    struct made m = {0};
    for (int i = 0; i < 30; i++) add(&m, (i % 2 ? 1 : 1.5) * (1 + 0.001 * (i % 7)), SAMPLES, i % 2);
    add(&m, 1.2, SAMPLES, 1); /* faster than the other kind */
    assert_int_equal(judge(&m, NULL), BASE_OK);
    assert_int_equal(m.fleet.slow, 1);
    assert_int_equal(m.judgement[30].verdict, DETECT_SLOW);
}

/* A tenth of the nodes is slow: they neither hide each other nor move what is typical. */
static void test_many_slow(void **state) {
    (void)state;
    const struct made_fleet_kind kind = {200, SAMPLES, 0.003, 0.02, &noise[NOISE_PEAK]};
    struct made_fleet f;
    made_fleet_open(&f, &kind);
    made_fleet_draw(&f, &kind, 3);
    for (int i = 0; i < 20; i++) made_fleet_slow(&f, i, 1.1);
    assert_int_equal(made_fleet_judge(&f, &kind), 20);
    for (int i = 0; i < 20; i++) assert_int_equal(f.judgement[i].verdict, DETECT_SLOW);
    made_fleet_close(&f);
}

/* Disturbed for most of the run: no slow node, but told. */
static void test_unsteady(void **state) {
    (void)state;
    const struct made_fleet_kind kind = {100, SAMPLES, 0.003, 0.01, &noise[NOISE_NORMAL]};
    struct made_fleet f;
    made_fleet_open(&f, &kind);
    made_fleet_draw(&f, &kind, 4);
    for (int k = 0; k < SAMPLES; k++) f.seconds[k] *= k < 12 ? 1.3 : 1; /* node 0 */
    made_fleet_slow(&f, 1, 1.3);
    assert_int_equal(made_fleet_judge(&f, &kind), 1);
    assert_true(f.judgement[0].verdict == DETECT_GOOD && f.judgement[0].unsteady);
    assert_true(f.judgement[1].verdict == DETECT_SLOW && !f.judgement[1].unsteady);
    made_fleet_close(&f);
}

/* One slow node of a few, by 20%, in noise; and none that is not. */
static void test_few(void **state) {
    (void)state;
    static const int sizes[] = {3, 4, 6, 8, 12};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const struct made_fleet_kind kind = {sizes[s], SAMPLES, 0.003, 0.02, &noise[NOISE_PEAK]};
        enum { RUNS = 400 };
        int found = 0, alarms = 0, printed = 0;
        struct made_fleet f;
        made_fleet_open(&f, &kind);
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
            made_fleet_draw(&f, &kind, seed);
            alarms += made_fleet_judge(&f, &kind) > 0;
            assert_true(f.found.assumed == (kind.nodes < DETECT_FLEET));
            const double smallest = f.found.detectable;
            made_fleet_slow(&f, 1, 1 + smallest);
            made_fleet_judge(&f, &kind);
            printed += f.judgement[1].verdict == DETECT_SLOW;
            made_fleet_slow(&f, 1, 1.2 / (1 + smallest));
            made_fleet_judge(&f, &kind);
            found += f.judgement[1].verdict == DETECT_SLOW;
        }
        print_message("%2d nodes: 20%% found in %d of %d, what is printed in %d; %d false alarms\n", kind.nodes, found,
                      RUNS, printed, alarms);
        assert_true(found >= 0.95 * RUNS && printed >= 0.92 * RUNS && alarms <= 0.015 * RUNS);
        made_fleet_close(&f);
    }
}

/* The goals, in fewer runs than make score-detector makes. */
static void test_goals(void **state) {
    (void)state;
    for (enum noise_kind k = 0; k < NOISE_KINDS; k++) {
        enum { RUNS = 60 };
        const struct made_fleet_kind kind = {1024, SAMPLES, 0.003, 0.02, &noise[k]};
        int alarms = 0, found = 0, printed = 0;
        struct made_fleet f;
        made_fleet_open(&f, &kind);
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
            made_fleet_draw(&f, &kind, seed + 5000);
            alarms += made_fleet_judge(&f, &kind) > 0;
            for (int i = 0; i < 10; i++)
                made_fleet_slow(&f, i, 1.05), made_fleet_slow(&f, 10 + i, 1 + f.found.detectable);
            made_fleet_judge(&f, &kind);
            for (int i = 0; i < 10; i++) {
                found += f.judgement[i].verdict == DETECT_SLOW;
                printed += f.judgement[10 + i].verdict == DETECT_SLOW;
            }
        }
        print_message("%-20s 1,024 nodes: %d false alarms in %d runs; 5%% found in %.1f%%, what is printed in %.1f%%\n",
                      noise[k].name, alarms, RUNS, found / 6.0, printed / 6.0);
        assert_true(alarms <= 2 && printed >= 0.92 * 600);
        if (k <= NOISE_CORE) assert_true(found >= 0.95 * 600);
        made_fleet_close(&f);
    }
}

/* A node with five times the noise of the others is called slow no more often. */
static void test_noisy_node(void **state) {
    (void)state;
    enum { RUNS = 500 };
    const struct made_fleet_kind kind = {64, SAMPLES, 0.003, 0.02, &noise[NOISE_NORMAL]};
    int alarms = 0;
    struct made_fleet f;
    made_fleet_open(&f, &kind);
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        made_fleet_draw(&f, &kind, seed);
        for (int k = 0; k < SAMPLES; k++) f.seconds[k] = pow(f.seconds[k], 5);
        made_fleet_judge(&f, &kind);
        alarms += f.judgement[0].verdict == DETECT_SLOW;
    }
    print_message("a node of five times the noise: called slow in %d of %d runs\n", alarms, RUNS);
    assert_true(alarms <= 0.02 * RUNS);
    made_fleet_close(&f);
}

/* Long series: x[k] = 0.9 x[k - 1] + noise is worth (1 + 0.9) / (1 - 0.9) = 19 times fewer samples. */
static void test_correlation(void **state) {
    (void)state;
    enum { NODES = 8, LONG = 1000 };
    static double seconds[NODES][LONG], scratch[2 * LONG];
    struct detect_node node[NODES];
    const struct detect_node *nodes[NODES];
    struct detect_level level[NODES];
    for (int i = 0; i < NODES; i++) {
        double x = 0;
        for (int k = -100; k < LONG; k++) {
            double step = -6; /* the sum of 12 uniform values is almost normal */
            for (int u = 0; u < 12; u++)
                step += base_random_unit(5, BASE_STREAM_TEST, (uint64_t)((i * 2000 + k + 100) * 12 + u));
            x = 0.9 * x + step;
            if (k >= 0) seconds[i][k] = exp(0.001 * x);
        }
        node[i] = (struct detect_node){seconds[i], LONG, 0};
        nodes[i] = &node[i], level[i] = detect_level(&node[i], scratch);
    }
    const double correlation = detect_correlation(nodes, level, NODES, scratch);
    if (!(correlation > 14 && correlation < 24)) fail_msg("%.1f", correlation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_correlation), cmocka_unit_test(test_by_hand),   cmocka_unit_test(test_equal),
        cmocka_unit_test(test_coarse),      cmocka_unit_test(test_unjudged),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_groups),      cmocka_unit_test(test_many_slow), cmocka_unit_test(test_unsteady),
        cmocka_unit_test(test_few),         cmocka_unit_test(test_goals),     cmocka_unit_test(test_noisy_node),
    };
    return cmocka_run_group_tests(tests, open_noise, close_noise);
}
