/* SPDX-License-Identifier: Apache-2.0
 *
 * Rates by the clock under a quota: what a burst means, what the page shows if median and clock disagree, and whether
 * communication is measurable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "train/train.h"

/* A run of `timed` steps of `mean` seconds on a machine of 1e9 FLOP/s, under a quota with a period of 0.1 s. */
static struct train_result judged_as(bool loaded, int timed, double mean, double model_flop, double period_s) {
    const struct train_options o = {.gate = true, .loaded = loaded, .steps = 1, .ci = 0.05};
    struct train_result r = {.timed = timed,
                             .steps = timed,
                             .step = {mean, mean, mean, 1},
                             .mean = {mean, mean, mean},
                             .peak_flop_per_s = 1e9,
                             .covered = 1,
                             .quota_period_s = period_s};
    gate_clear(&r.gate);
    train_verdict(&r, &o, model_flop);
    return r;
}

static struct train_result judged(int timed, double mean, double model_flop, double period_s) {
    return judged_as(false, timed, mean, model_flop, period_s);
}

static void bursts_are_inconclusive(void **state) {
    (void)state;
    assert_int_equal(judged(60, 0.01, 5e6, 0.1).status, RECORD_PASSED);
    struct train_result r = judged(40, 0.01, 5e6, 0.1); /* 0.4 s: four periods */
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_non_null(strstr(r.why, "last 0.4 s, too short for a CPU quota with a period of 0.1 s"));
    assert_int_equal(judged(40, 0.01, 5e6, 0).status, RECORD_PASSED);             /* no quota, no burst */
    assert_int_equal(judged(100, 0.01, 1.05e7, 0.1).status, RECORD_INCONCLUSIVE); /* MFU 1.05, one period in ten */
    assert_int_equal(judged(100, 0.01, 1.2e7, 0.1).status, RECORD_FAILED);        /* more than a burst */
    assert_int_equal(judged(100, 0.01, 1.05e7, 0).status, RECORD_FAILED);
    assert_int_equal(judged_as(true, 100, 0.01, 2e7, 0).status, RECORD_PASSED); /* a library may beat the peak */
}

/* A run of `timed` steps that vary little, stopped by a signal; `asked` steps, 0: until the interval is narrow. */
static struct train_result stopped(int timed, int asked, double half_width, bool gate) {
    const struct train_options o = {.gate = gate, .steps = asked, .ci = asked ? INFINITY : 0.05};
    struct train_result r = {.timed = timed,
                             .steps = timed,
                             .stopped = SIGTERM,
                             .step = {1, 1, 1, 1},
                             .mean = {1, 1 - half_width, 1 + half_width},
                             .peak_flop_per_s = 1e9,
                             .covered = 1};
    gate_clear(&r.gate);
    train_verdict(&r, &o, 5e8);
    return r;
}

/* The usual rule judges what a stopped run has; what it was asked for counts too. */
static void stopped_runs(void **state) {
    (void)state;
    assert_int_equal(stopped(20, 0, 0.01, true).status, RECORD_PASSED);
    struct train_result r = stopped(20, 0, 0.2, true);
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_non_null(strstr(r.why, "stopped by SIGTERM; within this launch the mean step is known to +-20%"));
    r = stopped(12, 20, 0.01, true);
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_string_equal(r.why, "stopped by SIGTERM after 12 of 20 timed steps");
    r = stopped(0, 20, 0.01, true);
    assert_int_equal(r.status, RECORD_INCONCLUSIVE);
    assert_string_equal(r.why, "stopped by SIGTERM before a timed step");
    r = stopped(12, 0, 0.01, false);
    assert_string_equal(r.why, "stopped by SIGTERM; the answer was not checked (--no-gate)");
    assert_string_equal(train_stopped_text(TRAIN_STOPPED_JOURNAL), "a journal that cannot be written");
    /* a wrong answer stays one */
    const struct train_options o = {.gate = true, .ci = 0.05};
    gate_note(&r.gate, CHECK_LOSS, 100, "the test");
    train_verdict(&r, &o, 5e8);
    assert_int_equal(r.status, RECORD_FAILED);
    assert_non_null(strstr(r.why, "stopped by SIGTERM; the gate's check of loss"));
}

static void measurable_without_zero(void **state) {
    (void)state;
    assert_true(measure_measurable(&(struct base_interval){0.05, 0.01, 0.09, 0.96}));
    assert_false(measure_measurable(&(struct base_interval){0.05, -0.01, 0.09, 0.96}));
    assert_false(measure_measurable(&(struct base_interval){-0.05, -0.09, -0.01, 0.96}));
    assert_false(measure_measurable(&(struct base_interval){0.05, 0.01, 0.09, 0.75}));
    assert_false(measure_measurable(&(struct base_interval){NAN, NAN, NAN, 0}));
}

typedef void page(FILE *, const json_t *);

/* What a page shows of a record. */
static const char *shown(page *write, const char *record) {
    static char text[4096];
    json_error_t error;
    json_t *r = json_loads(record, 0, &error);
    if (!r) fail_msg("%s", error.text);
    text[0] = 0; /* remains if nothing is written */
    FILE *out = fmemopen(text, sizeof text, "w");
    write(out, r);
    fclose(out);
    json_decref(r);
    return text;
}

#define CLOCK(mean, ranks) CLOCK_FROM(mean, "1", ranks)
#define CLOCK_FROM(mean, low, ranks)                                                                                   \
    "{\"samples\":{\"step_s\":[1,1,1,1,1,7]},\"result\":{\"step_s\":1,\"step_s_low\":1,\"step_s_high\":1,"             \
    "\"confidence\":0.97,\"wall_s\":12,\"mean_step_s\":" mean ",\"mean_step_s_low\":" low ",\"mean_step_s_high\":3,"   \
    "\"per_rank\":[" ranks "]}}"
#define RANK(periods, steal, other, faults)                                                                            \
    "{\"cpu_count\":2,\"throttled_periods\":" periods ",\"throttled_s\":4.5,\"steal_s\":" steal ",\"other_s\":" other  \
    ",\"major_faults\":" faults "}"

static void pages_say_why_the_clock_parts_from_the_median(void **state) {
    (void)state;
    const char *text = shown(report_clock, CLOCK("2", RANK("31", "0", "0", "0")));
    assert_non_null(strstr(text, "wall clock  12 s for 6 steps, 2 s a step [1, 3]"));
    assert_non_null(strstr(shown(report_clock, CLOCK_FROM("2", "null", RANK("0", "0", "0", "0"))),
                           "2 s a step (too few for an interval): the rates"));
    text = shown(report_clock, CLOCK("2", RANK("31", "0", "0", "0")));
    assert_non_null(
        strstr(text, "+100% against the median step: the CPU quota stopped the process in 31 periods, 4.5 s"));
    assert_non_null(strstr(text, "1 step took over twice the median, the longest 7 s"));
    text = shown(report_clock, CLOCK("2", RANK("0", "0", "0", "0") "," RANK("0", "6", "12", "5")));
    assert_non_null(strstr(text, "the hypervisor took 6 s, 25% of the CPU time (rank 1)"));
    assert_non_null(strstr(text, "other processes took 12 s, 50% of the CPU time (rank 1)"));
    assert_non_null(strstr(text, "5 pages were read from disk (rank 1)"));
    assert_null(strstr(text, "quota"));
    assert_non_null(
        strstr(shown(report_clock, CLOCK("1.5", RANK("0", "0.1", "0.2", "0"))), "no measured interference"));
    assert_null(strstr(shown(report_clock, CLOCK("1.019", RANK("31", "6", "6", "6"))), "against the median"));
}

static void pages_show_no_exposed_below_zero(void **state) {
    (void)state;
#define EXPOSED(keys) "{\"layout\":{\"world\":2},\"result\":{\"step_s\":0.1," keys "}}"
    assert_non_null(
        strstr(shown(report_exposed, EXPOSED("\"exposed_s\":0.02,\"exposed_s_low\":0.01,\"exposed_s_high\":0.03")),
               "exposed     0.02 s [0.01, 0.03], 20% of a step"));
    assert_non_null(
        strstr(shown(report_exposed, EXPOSED("\"exposed_s\":null,\"exposed_s_low\":0,\"exposed_s_high\":0.01")),
               "not measurable: exposed communication is below 0.01 s, 10% of a step"));
    assert_non_null(
        strstr(shown(report_exposed, EXPOSED("\"exposed_s\":null,\"exposed_s_low\":0,\"exposed_s_high\":0")),
               "not measurable: steps with communication took no longer"));
    assert_non_null(strstr(shown(report_exposed, EXPOSED("\"exposed_s\":null,\"exposed_s_low\":null")),
                           "not measurable: too few probes"));
    assert_string_equal(shown(report_exposed, "{\"layout\":{\"world\":1},\"result\":{\"exposed_s\":0}}"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_are_inconclusive),
        cmocka_unit_test(stopped_runs),
        cmocka_unit_test(measurable_without_zero),
        cmocka_unit_test(pages_say_why_the_clock_parts_from_the_median),
        cmocka_unit_test(pages_show_no_exposed_below_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
