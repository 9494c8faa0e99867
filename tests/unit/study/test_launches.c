/* SPDX-License-Identifier: Apache-2.0
 *
 * Summaries of made records: the mean and its interval, skewed rates, one launch, failed launches, the same launch
 * twice, and what makes a group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/set.h"
#include "report/report.h"
#include "study/launches.h"

enum { MOST = 24 };

/* The records of a test. */
struct made {
    struct record_loaded at[MOST];
    size_t count;
    json_t *summaries;
};

/* Adds a training record of 1,000 tokens and 1e9 FLOP a step; rate NAN: none. */
static json_t *add(struct made *m, const char *status, double rate, const char *id, const char *job) {
    json_t *r =
        json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:i, s:s}, s:{s:s, s:s}, s:n, s:{s:s, s:s, s:i, s:i}, s:{s:i, s:i, "
                  "s:i}, s:{s:f}, s:{}, s:{s:f}}",
                  "kind", "train", "status", status, "why", "made so", "time", "2026-01-01T00:00:00Z", "launch", "id",
                  id, "nodes", 1, "job", job, "machine", "host", "n1", "cpu", "made", "workload", "config", "model",
                  "tiny", "precision", "fp32", "global_batch", 4, "seq", 250, "layout", "world", 1, "nodes", 1,
                  "threads", 2, "ledger", "model_flop", 1e9, "samples", "result", "tokens_per_s_per_node", 0.0);
    assert_non_null(r);
    record_set_number(json_object_get(r, "result"), "tokens_per_s_per_node", rate);
    assert_true(m->count < MOST);
    m->at[m->count++] = (struct record_loaded){.record = r, .sha256 = "abc"};
    return r;
}

static const json_t *summary(struct made *m, double ci, size_t groups) {
    struct base_error e;
    assert_int_equal(study_launches(m->at, m->count, ci, &m->summaries, &e), BASE_OK);
    assert_int_equal(json_array_size(m->summaries), groups);
    return json_array_get(m->summaries, 0);
}

static void close_made(struct made *m) {
    for (size_t i = 0; i < m->count; i++) json_decref(m->at[i].record);
    json_decref(m->summaries);
}

/* The interval is that of costs, so that of rates is skewed. Rates by hand: costs 1, 1.25, 0.8 ms a token; t of two
 * degrees of freedom is 4.302653. */
static void mean_and_interval(void **state) {
    (void)state;
    const double rates[] = {1000, 800, 1250}, mean = (1 + 1.25 + 0.8) / 3;
    const double sd = sqrt((pow(1 - mean, 2) + pow(1.25 - mean, 2) + pow(0.8 - mean, 2)) / 2);
    const double half = 4.302653 * sd / sqrt(3);
    struct study_launches_mean m = study_launches_mean(rates, 3, 0.05);
    assert_float_equal(m.rate, 1000 / mean, 1e-9);
    assert_float_equal(m.low, 1000 / (mean + half), 1e-4);
    assert_float_equal(m.high, 1000 / (mean - half), 1e-2);
    assert_float_equal(m.half_width, half / mean, 1e-6);
    /* 79 launches: t 1.990847; 78: 1.991254 */
    const double relative = sd / mean;
    assert_true(1.99085 * relative / sqrt((double)m.needed) <= 0.05 &&
                1.9913 * relative / sqrt((double)m.needed - 1) > 0.05);
    m = study_launches_mean(rates, 1, 0.05);
    assert_true(m.rate == 1000 && isnan(m.half_width) && isnan(m.low) && m.needed == 0);
}

/* One launch in five of four times the time: the harmonic mean says what five launches took, and the interval of costs
 * reaches zero. */
static void skew(void **state) {
    (void)state;
    const double rates[] = {1000, 1000, 250, 1000, 1000};
    const struct study_launches_mean m = study_launches_mean(rates, 5, 0.01);
    assert_float_equal(m.rate, 625, 1e-9);
    assert_true(m.half_width > 1 && isinf(m.high) && m.low > 0 && m.low < 625 && m.needed > 10000);
    const double never[] = {1000, 1};
    assert_int_equal(study_launches_mean(never, 2, 1e-6).needed, 0);
}

static void judged_by_ci(void **state) {
    (void)state;
    struct made m = {0};
    struct base_error e = {0};
    add(&m, "PASSED", 1000, "a", "j"), add(&m, "PASSED", 1010, "b", "j"), add(&m, "PASSED", 990, "c", "j");
    const json_t *s = summary(&m, 0.05, 1);
    assert_string_equal(record_text(s, "status"), "PASSED");
    assert_string_equal(record_text(s, "of.job"), "j");
    assert_int_equal(record_whole(s, "result.launches"), 3);
    assert_float_equal(record_real(s, "result.mean_step_s"), 1000 / record_real(s, "result.rate"), 1e-9);
    assert_float_equal(record_real(s, "result.model_flop_per_s_per_node"), 1e6 * record_real(s, "result.rate"), 1e-3);
    assert_true(record_real(s, "result.rate_median") == 1000 && record_real(s, "result.rate_highest") == 1010);
    json_decref(m.summaries);
    s = summary(&m, 0.001, 1);
    assert_string_equal(record_text(s, "status"), "INCONCLUSIVE");
    assert_non_null(
        strstr(record_text(s, "why"), "the mean of 3 launches is known to +-2.48%, not to the +-0.1% asked for"));
    assert_int_equal(study_launches_code(m.summaries, &e), BASE_INCONCLUSIVE);
    assert_true(record_real(s, "result.rate") > 0); /* the figure is still there */
    json_decref(m.summaries);
    s = summary(&m, NAN, 1);
    assert_string_equal(record_text(s, "status"), "PASSED");
    close_made(&m);
}

static void one_launch_has_no_interval(void **state) {
    (void)state;
    struct made m = {0};
    add(&m, "PASSED", 1000, "a", "a");
    const json_t *s = summary(&m, 0.5, 1);
    assert_string_equal(record_text(s, "status"), "INCONCLUSIVE");
    assert_non_null(strstr(record_text(s, "why"), "one launch has no interval"));
    assert_true(record_real(s, "result.rate") == 1000 && isnan(record_real(s, "result.rate_low")));
    assert_true(json_is_null(record_at(s, "of.job")));
    close_made(&m);
}

/* A failed launch takes the rate of all; an inconclusive one only the verdict; a wide interval of its own nothing. */
static void worst_launch_decides(void **state) {
    (void)state;
    struct made m = {0};
    struct base_error e = {0};
    add(&m, "PASSED", 1000, "a", "j"), add(&m, "PASSED", 1001, "b", "j");
    json_t *r = add(&m, "INCONCLUSIVE", 999, "c", "j");
    const json_t *s = summary(&m, 0.05, 1);
    assert_string_equal(record_text(s, "status"), "INCONCLUSIVE");
    assert_string_equal(record_text(s, "why"), "1 of 3 launches: made so");
    json_decref(m.summaries);
    record_set(json_object_get(r, "result"), "interval", json_pack("{s:b}", "too_wide", 1));
    assert_string_equal(record_text(summary(&m, 0.05, 1), "status"), "PASSED");
    json_decref(m.summaries);
    add(&m, "FAILED", NAN, "d", "j");
    s = summary(&m, 0.05, 1);
    assert_string_equal(record_text(s, "status"), "FAILED");
    assert_null(record_at(s, "result.rate"));
    assert_int_equal(record_whole(s, "result.statuses.PASSED"), 2);
    assert_int_equal(study_launches_code(m.summaries, &e), BASE_NO);
    assert_non_null(strstr(e.text, "FAILED: 1 of 4 launches"));
    close_made(&m);
}

/* Statuses that no toise writes, and rates that are none, do not pass. Imported figures stay UNVERIFIED. */
static void doubtful_launches(void **state) {
    (void)state;
    struct made m = {0};
    add(&m, "PASSED", 1000, "a", "j"), add(&m, "PASSED", 1001, "b", "j");
    add(&m, "PASSED", -5, "c", "j");
    const json_t *s = summary(&m, NAN, 1);
    assert_string_equal(record_text(s, "status"), "INCONCLUSIVE");
    assert_string_equal(record_text(s, "why"), "1 of 3 launches have no rate");
    json_decref(m.summaries);
    record_set(add(&m, "UNVERIFIED", 1002, "d", "j"), "why", json_string("imported"));
    assert_string_equal(record_text(summary(&m, 0.05, 1), "why"), "1 of 4 launches: imported");
    json_decref(m.summaries);
    add(&m, "SPLENDID", 1000, "e", "j");
    assert_string_equal(record_text(summary(&m, 0.05, 1), "status"), "INCONCLUSIVE");
    close_made(&m);
}

static void groups(void **state) {
    (void)state;
    struct made m = {0};
    add(&m, "PASSED", 1000, "a", "j"), add(&m, "PASSED", 1010, "b", "j");
    add(&m, "PASSED", 1000, "c", "k");                                    /* another job */
    add(&m, "PASSED", 1000, "d", "d"), add(&m, "PASSED", 1010, "e", "e"); /* without one */
    add(&m, "PASSED", 1000, "b", "j");                                    /* b again */
    record_set(json_object_get(add(&m, "PASSED", 500, "f", "j"), "config"), "precision", json_string("bf16"));
    record_set(json_object_get(add(&m, "PASSED", 500, "g", "j"), "machine"), "host", json_string("n2"));
    record_set(json_object_get(add(&m, "PASSED", 500, "h", "j"), "layout"), "threads", json_integer(1));
    record_set(add(&m, "PASSED", 500, "i", "j"), "kind", json_string("project"));
    const json_t *s = summary(&m, NAN, 6);
    assert_int_equal(record_whole(s, "result.launches"), 2);
    assert_int_equal(record_whole(s, "result.met_again"), 1);
    assert_int_equal(record_whole(json_array_get(m.summaries, 2), "result.launches"), 2);
    close_made(&m);
}

/* Every form of the table survives records that lack almost everything. */
static void pages_of_bare_records(void **state) {
    (void)state;
    struct made m = {0};
    char *text;
    size_t size;
    add(&m, "PASSED", 1000, "a", "job, of \"mine\"");
    m.at[m.count++].record = json_pack("{s:s, s:{}}", "kind", "train", "result");
    m.at[m.count++].record = json_pack("{s:s, s:{s:s, s:i, s:f, s:s}}", "kind", "kernel", "result", "op", "zero",
                                       "flop", 0, "flop_per_s", 2.5e9, "shape", "n 8");
    summary(&m, 0.05, 3);
    for (int format = REPORT_TEXT; format <= REPORT_CSV; format++) {
        FILE *out = open_memstream(&text, &size);
        report_launches(out, m.summaries, (enum report_format)format);
        fclose(out);
        assert_non_null(strstr(text, format == REPORT_CSV ? "\"job, of \"\"mine\"\"\"" : "1000.0 tokens/s/node"));
        assert_non_null(strstr(text, format == REPORT_CSV ? ",2500000000," : "2.50 GFLOP/s"));
        free(text);
    }
    close_made(&m);
}

/* A record that went on with launches has their samples: it counts, whatever their order, and they do not. */
static void resumed_launches(void **state) {
    (void)state;
    struct made m = {.count = 0};
    add(&m, "INCONCLUSIVE", 500, "a", "j");
    json_t *on = add(&m, "PASSED", 1000, "c", "j");
    record_set(json_object_get(on, "launch"), "resumes", json_pack("[s, s]", "a", "b"));
    add(&m, "PASSED", 2000, "d", "j");
    add(&m, "INCONCLUSIVE", 600, "b", "j");
    const json_t *s = summary(&m, NAN, 1);
    assert_int_equal(record_whole(s, "result.launches"), 2);
    assert_int_equal(record_whole(s, "result.met_again"), 2);
    close_made(&m);
}

/* A run with faults of --inject measured no machine. */
static void injected_launches(void **state) {
    (void)state;
    struct made m = {.count = 0};
    add(&m, "PASSED", 1000, "a", "j"), add(&m, "PASSED", 1000, "b", "j");
    record_set(json_object_get(add(&m, "FAILED", 10, "c", "j"), "result"), "injected", json_string("slow:rank=0"));
    const json_t *s = summary(&m, NAN, 1);
    assert_int_equal(record_whole(s, "result.launches"), 2);
    assert_string_equal(record_text(s, "status"), "PASSED");
    close_made(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_interval),
        cmocka_unit_test(skew),
        cmocka_unit_test(judged_by_ci),
        cmocka_unit_test(one_launch_has_no_interval),
        cmocka_unit_test(worst_launch_decides),
        cmocka_unit_test(doubtful_launches),
        cmocka_unit_test(groups),
        cmocka_unit_test(resumed_launches),
        cmocka_unit_test(injected_launches),
        cmocka_unit_test(pages_of_bare_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
