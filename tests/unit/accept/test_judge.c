/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict on a pledge: by hand, and 1,000 made-up tenders of each kind, whose launches vary as stretches of
 * recorded noise do. A machine whose slowest node is at its pledge fails at most 5%; one at 0.95 of it passes at most
 * 5%. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "accept/judge.h"
#include "base/random.h"
#include "unit/support/noise.h"

enum { TENDERS = 1000, NODES_MOST = 256, LAUNCHES_MOST = 40, STEPS = 20 };

static double x[NODES_MOST * LAUNCHES_MOST];
static struct accept_place place[NODES_MOST];

static void test_by_hand(void **state) {
    (void)state;
    /* mean 0.02 and 0, pooled variance (0.0002 x 2 + 0) / ... of five launches each */
    const double a[] = {0.01, 0.02, 0.03, 0.02, 0.02}, b[] = {-0.01, 0, 0.01, 0, 0};
    const struct accept_place two[] = {{a, 5, "a"}, {b, 5, "b"}};
    struct accept_judgement j = accept_judge(two, 2, 0, 1, 0.05);
    const double se = sqrt(0.0002 / 4 / 5); /* both have the same variance, 0.0002 / 4 */
    assert_int_equal(j.worst, 1);
    assert_true(fabs(j.at - 1) < 1e-12 && fabs(j.sd - sqrt(0.00005)) < 1e-12);
    /* Student's t at 95% for 4 degrees of freedom: 2.131847; at 97.5% for 8: 2.306004 (tables) */
    assert_true(fabs(j.low - exp(-2.131847 * se)) < 1e-8);
    assert_true(fabs(j.high - exp(2.306004 * se)) < 1e-8);
    assert_int_equal(j.verdict, ACCEPT_KEPT);
    assert_int_equal(accept_judge(two, 2, 0, 1, 0.003).verdict, ACCEPT_UNDECIDED);
    assert_true(accept_judge(two, 2, 0.01, 1, 0.05).high > j.high); /* what they are compared with is uncertain */
    const double c[] = {-0.06, -0.07, -0.06, -0.07, -0.06};
    const struct accept_place three[] = {{a, 5, "a"}, {b, 5, "b"}, {c, 5, "c"}};
    j = accept_judge(three, 3, 0, 2, 0.05);
    assert_int_equal(j.verdict, ACCEPT_BROKEN);
    assert_true(j.worst == 2 && j.high < 1);
}

static void test_too_few(void **state) {
    (void)state;
    const double a[] = {0.1, 0.1001, 0.1, 0.1001}, one = -1;
    const struct accept_place few = {a, 4, "a"}, single = {&one, 1, "b"};
    struct accept_judgement j = accept_judge(&few, 1, 0, 1, 0.05);
    assert_true(j.verdict == ACCEPT_UNDECIDED && j.least == 4 && accept_needed(j.sd, 1, 0.05) == ACCEPT_LAUNCHES);
    j = accept_judge(&single, 1, 0, 1, 0.05);
    assert_true(j.verdict == ACCEPT_UNDECIDED && isnan(j.low) && isnan(j.sd) && accept_needed(j.sd, 1, 0.05) == 0);
    j = accept_judge(NULL, 0, 0, 1, 0.05);
    assert_true(j.verdict == ACCEPT_UNDECIDED && j.worst == -1 && j.least == 0);
}

/* Means of stretches of a run's steps, from every place of the series on: mean 0, standard deviation 1. */
static struct noise launches_of(const struct noise *steps) {
    struct noise launch = {steps->name, malloc((size_t)steps->n * sizeof(double)), steps->n};
    double sum = 0, squares = 0;
    for (int i = 0; i < launch.n; i++) {
        launch.x[i] = 0;
        for (int k = 0; k < STEPS; k++) launch.x[i] += noise_at(steps, (uint64_t)i, k) / STEPS;
        sum += launch.x[i] / launch.n;
    }
    for (int i = 0; i < launch.n; i++) squares += (launch.x[i] - sum) * (launch.x[i] - sum) / launch.n;
    for (int i = 0; i < launch.n; i++) launch.x[i] = (launch.x[i] - sum) / sqrt(squares);
    return launch;
}

/* Machines: the slowest node's true rate over the pledged one, and that of the others at least. */
struct machine {
    const char *name;
    double slowest, others;
};

struct shares {
    int kept, broken;
};

static struct shares simulate(const struct machine *m, const struct noise *noise, int nodes, int launches, double sd) {
    struct shares s = {0, 0};
    for (int t = 0; t < TENDERS; t++) {
        const uint64_t stream = BASE_STREAM_TEST + 64 + (uint64_t)t;
        for (int n = 0; n < nodes; n++) {
            const double level = n ? m->others * (1 + 0.02 * base_random_unit(3, stream, (uint64_t)n)) : m->slowest;
            place[n] = (struct accept_place){x + n * launches, launches, ""};
            for (int l = 0; l < launches; l++) {
                const uint64_t start = base_random_u64(4, stream, (uint64_t)(n * launches + l));
                x[n * launches + l] = log(level) - sd * noise_at(noise, start, 0);
            }
        }
        const enum accept_verdict verdict = accept_judge(place, nodes, 0, 1, 0.05).verdict;
        s.kept += verdict == ACCEPT_KEPT, s.broken += verdict == ACCEPT_BROKEN;
    }
    return s;
}

static void test_tenders(void **state) {
    (void)state;
    static const struct machine machines[] = {{"at its pledge, one node", 1, 1.03},
                                              {"at its pledge, all", 1, 1},
                                              {"at 0.95, one node", 0.95, 1.03},
                                              {"at 0.95, all", 0.95, 0.95}};
    static const struct {
        int nodes, launches;
        double sd;
    } sizes[] = {{1, 5, 0.02}, {16, 5, 0.03}, {64, 10, 0.04}, {128, 20, 0.05}};
    for (enum noise_kind k = NOISE_PEAK; k <= NOISE_BANDWIDTH; k++) {
        struct noise steps, launch;
        noise_open(&steps, k, 0);
        launch = launches_of(&steps);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
                const struct shares s = simulate(&machines[m], &launch, sizes[i].nodes, sizes[i].launches, sizes[i].sd);
                print_message("%-20s %3d nodes x %2d launches, sd %.0f%%, %-24s accepted %5.1f%%, rejected %5.1f%%, "
                              "inconclusive %5.1f%%\n",
                              launch.name, sizes[i].nodes, sizes[i].launches, 100 * sizes[i].sd, machines[m].name,
                              0.1 * s.kept, 0.1 * s.broken, 0.1 * (TENDERS - s.kept - s.broken));
                const int wrong = machines[m].slowest < 1 ? s.kept : s.broken;
                if (wrong > 0.05 * TENDERS) fail_msg("%d of %d verdicts are wrong", wrong, TENDERS);
            }
        noise_close(&steps), noise_close(&launch);
    }
}

static void test_typical(void **state) {
    (void)state;
    const double a[] = {-0.11, -0.1, -0.09}, b[] = {-0.01, 0, 0.01}, c[] = {0.09, 0.1, 0.11}, one[] = {0.2};
    struct accept_place apart[] = {{c, 3, "c"}, {a, 3, "a"}, {b, 3, "b"}}, alone = {one, 1, "one"};
    struct accept_typical t = accept_typical(apart, 3); /* a launch's variance is 0.0001 */
    assert_true(fabs(t.median) < 1e-12 && fabs(t.mean) < 1e-12);
    assert_true(fabs(t.median_variance - 0.0001 / 3) < 1e-12 && fabs(t.mean_variance - 0.0001 / 9) < 1e-12);
    assert_string_equal(apart[0].name, "a");
    t = accept_typical(apart, 2);
    assert_true(fabs(t.median + 0.05) < 1e-12 && fabs(t.median_variance - M_PI_2 * 0.0001 / 6) < 1e-12);
    t = accept_typical(&alone, 1);
    assert_true(t.median == 0.2 && isinf(t.median_variance) && isinf(t.mean_variance));
}

/* Launches of a node at a level. */
static void make(int n, double level, const struct noise *noise, int launches, double sd, uint64_t stream) {
    place[n] = (struct accept_place){x + n * launches, launches, ""};
    for (int l = 0; l < launches; l++)
        x[n * launches + l] =
            log(level) - sd * noise_at(noise, base_random_u64(4, stream, (uint64_t)(n * launches + l)), 0);
}

/* How often a pledged spread of 3%, or an efficiency of 0.9, is decided if a machine has `share` of it. The copies'
 * nodes are alike, or up to 2% above and below the middle one; with `spread` the first is the slowest. */
static struct shares simulate_compared(bool spread, double apart, double share, const struct noise *noise, int nodes,
                                       int launches, double sd) {
    struct shares s = {0, 0};
    const int count = spread ? nodes : 1, first = spread ? 0 : nodes;
    for (int t = 0; t < TENDERS; t++) {
        const uint64_t stream = BASE_STREAM_TEST + 4096 + (uint64_t)t;
        for (int n = 0; n < nodes; n++) make(n, exp(apart * (n - nodes / 2) / nodes), noise, launches, sd, stream);
        if (spread)
            make(0, 0.97 * share, noise, launches, sd, stream);
        else
            make(nodes, 0.9 * share, noise, launches, sd, stream);
        const struct accept_typical typical = accept_typical(place, nodes);
        const double than = spread ? typical.median + log(0.97) : typical.mean + log(0.9);
        for (int i = 0; i < count * launches; i++) x[first * launches + i] -= than;
        const double extra = spread ? typical.median_variance : typical.mean_variance;
        const enum accept_verdict verdict = accept_judge(place + first, count, extra, 1, 0.05).verdict;
        s.kept += verdict == ACCEPT_KEPT, s.broken += verdict == ACCEPT_BROKEN;
    }
    return s;
}

static void test_compared(void **state) {
    (void)state;
    static const struct {
        int nodes, launches;
        double sd;
    } sizes[] = {{3, 5, 0.02}, {15, 5, 0.03}, {63, 10, 0.04}};
    for (enum noise_kind k = NOISE_PEAK; k <= NOISE_BANDWIDTH; k++) {
        struct noise steps, launch;
        noise_open(&steps, k, 0);
        launch = launches_of(&steps);
        for (int m = 0; m < 24; m++) {
            const bool spread = m & 1, slow = m & 2, apart = m & 4;
            const int i = m / 8;
            const struct shares s = simulate_compared(spread, apart ? 0.04 : 0, slow ? 0.95 : 1, &launch,
                                                      sizes[i].nodes, sizes[i].launches, sizes[i].sd);
            print_message("%-20s %3d nodes %-5s x %2d launches, sd %.0f%%, %-10s at %.2f: accepted %5.1f%%, rejected "
                          "%5.1f%%\n",
                          launch.name, sizes[i].nodes, apart ? "apart" : "alike", sizes[i].launches, 100 * sizes[i].sd,
                          spread ? "spread" : "efficiency", slow ? 0.95 : 1, 0.1 * s.kept, 0.1 * s.broken);
            const int wrong = slow ? s.kept : s.broken;
            if (wrong > 0.05 * TENDERS) fail_msg("%d of %d verdicts are wrong", wrong, TENDERS);
        }
        noise_close(&steps), noise_close(&launch);
    }
}

/* As many launches as needed let a machine at its pledge pass as often as is said. */
static void test_needed(void **state) {
    (void)state;
    struct noise steps, launch;
    const struct machine m = {"", 1, 1};
    noise_open(&steps, NOISE_NORMAL, 0);
    launch = launches_of(&steps);
    simulate(&m, &launch, 16, 8, 0.05);
    const long needed = accept_needed(accept_judge(place, 16, 0, 1, 0.05).sd, 16, 0.05);
    assert_true(needed > 8 && needed <= LAUNCHES_MOST);
    const struct shares s = simulate(&m, &launch, 16, (int)needed, 0.05);
    print_message("%ld launches of 16 nodes at their pledge: accepted in %.1f%%\n", needed, 0.1 * s.kept);
    assert_true(s.kept >= 0.88 * TENDERS);
    noise_close(&steps), noise_close(&launch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand), cmocka_unit_test(test_too_few),  cmocka_unit_test(test_typical),
        cmocka_unit_test(test_tenders), cmocka_unit_test(test_compared), cmocka_unit_test(test_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
