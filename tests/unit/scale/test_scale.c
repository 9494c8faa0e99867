/* SPDX-License-Identifier: Apache-2.0
 *
 * Curves of made records: points against figures worked out by hand, repeats that cancel drift, records that contradict
 * the mode or each other, points that failed, flags, and imported records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "records/set.h"
#include "report/report.h"
#include "scale/scale.h"
#include "unit/support/made_curve.h"

static const struct scale_options NONE = {.mode = SCALE_UNSET, .unit = SCALE_UNSET};

static json_t *curve_of(const struct made_curve *m, const struct scale_options *options) {
    struct base_error e = {0};
    json_t *record = NULL;
    const int code = scale_curve(m->at, m->count, options, &record, &e);
    if (code) print_error("%s\n", e.text);
    assert_int_equal(code, BASE_OK);
    return record;
}

static const json_t *point(const json_t *record, int n) {
    const json_t *p;
    size_t i;
    json_array_foreach(record_at(record, "result.points"), i, p) if (record_whole(p, "n") == n) return p;
    fail_msg("no point %d", n);
    return NULL;
}

static void change(struct made_curve *m, size_t i, const char *object, const char *key, json_t *value) {
    assert_int_equal(json_object_set_new(*object ? record_at(m->at[i].record, object) : m->at[i].record, key, value),
                     0);
}

static const char *flag_of(const json_t *record, int n, const char *name) {
    const json_t *f;
    size_t i;
    json_array_foreach(record_at(record, "result.flags"), i,
                       f) if (record_whole(f, "n") == n &&
                              !strcmp(record_text(f, "flag"), name)) return record_text(f, "why");
    return "";
}

/* Two runs each of 1, 2 and 4: rates 100 n / (1 + 0.1 (n - 1)) without noise, so efficiencies are 1, 1/1.1 and 1/1.3.
 */
static void by_hand(void **state) {
    (void)state;
    const struct made_law law = {
        .unit = RECORD_NODE, .n = {1, 2, 4}, .runs = 2, .batch = 64, .rate = 100, .serial = 0.1};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "status"), "PASSED");
    assert_string_equal(record_text(record, "result.mode"), "strong");
    assert_string_equal(record_text(record, "result.unit"), "node");
    assert_int_equal(record_whole(record, "result.base.n"), 1);
    assert_float_equal(record_real(record, "result.base.tokens_per_s"), 100, 1e-9);
    const json_t *two = point(record, 2), *four = point(record, 4);
    assert_float_equal(record_real(two, "speedup"), 2 / 1.1, 1e-9);
    assert_float_equal(record_real(two, "efficiency"), 1 / 1.1, 1e-9);
    assert_float_equal(record_real(four, "efficiency"), 1 / 1.3, 1e-9);
    assert_float_equal(record_real(four, "tokens_per_s_per_node"), 100 / 1.3, 1e-9);
    assert_float_equal(record_real(four, "step_s"), 64 * 64 / (400 / 1.3), 1e-9);
    assert_true(record_true(two, "paired"));
    assert_float_equal(record_real(record, "result.fits.amdahl.parameters.serial_share.value"), 0.1, 1e-6);
    /* 1 + 0.1 (n - 1) = 2 */
    assert_float_equal(record_real(record, "result.fits.amdahl.half_efficiency_n.value"), 11, 1e-3);
    assert_string_equal(record_text(record, "result.fits.usl.refused"),
                        "it has 3 parameters and needs 4 points, not 3");
    json_decref(record);
    made_curve_close(&m);
}

/* What drifts from repeat to repeat is in the rates' intervals, and not in those of efficiencies. */
static void drift_cancels(void **state) {
    (void)state;
    struct made_law law = {.unit = RECORD_NODE,
                           .n = {1, 2, 4},
                           .runs = 6,
                           .batch = 64,
                           .rate = 100,
                           .serial = 0.1,
                           .run_sd = 0.002,
                           .repeat_sd = 0.1,
                           .seed = 3};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &NONE);
    const json_t *p = point(record, 4);
    assert_true(record_real(p, "high") / record_real(p, "low") > 1.1);
    assert_true(record_real(p, "efficiency_high") / record_real(p, "efficiency_low") < 1.02);
    assert_true(record_real(p, "efficiency_low") < 1 / 1.3 && 1 / 1.3 < record_real(p, "efficiency_high"));
    const json_t *s = record_at(record, "result.fits.amdahl.parameters.serial_share");
    assert_true(record_real(s, "low") < 0.1 && 0.1 < record_real(s, "high"));
    assert_true(record_real(s, "high") - record_real(s, "low") < 0.02);
    json_decref(record);
    made_curve_close(&m);
}

/* Weak scaling: the batch grows with the nodes; Amdahl's law is not about it. */
static void weak(void **state) {
    (void)state;
    const struct made_law law = {.mode = RECORD_WEAK,
                                 .unit = RECORD_NODE,
                                 .n = {1, 2, 4, 8, 16},
                                 .runs = 3,
                                 .jobs = true,
                                 .unit_ranks = 2,
                                 .batch = 8,
                                 .rate = 100,
                                 .serial = 0.02,
                                 .run_sd = 0.005};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "result.mode"), "weak");
    assert_int_equal(record_whole(point(record, 8), "ranks"), 16);
    assert_float_equal(record_real(point(record, 8), "global_batch"), 64, 0);
    assert_false(record_true(point(record, 8), "paired"));
    assert_string_equal(record_text(point(record, 8), "of"), "launch");
    assert_true(strstr(record_text(record, "result.fits.amdahl.refused"), "fixed amount of work"));
    assert_true(strstr(flag_of(record, 8, "unchecked"), "only its own gate passed"));
    assert_float_equal(record_real(record, "result.fits.usl.parameters.contention.value"), 0.02, 0.01);
    json_decref(record);
    made_curve_close(&m);
}

/* One record changed in one key: the message says which, where and why. */
static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *object, *key, *value, *says;
    } cases[] = {
        {"config", "global_batch", "65", "the global batch is 65 on 4 nodes, but 64 on 1: strong scaling keeps it"},
        {"config", "model", "\"other\"", "config.model is \"other\", but \"tiny\""},
        {"config", "seq", "128", "config.seq is 128, but 64"},
        {"config", "precision", "\"bf16\"", "config.precision"},
        {"layout", "threads", "1", "layout.threads is 1, but 2"},
        {"", "version", "\"9\"", "version is \"9\", but \"0.1.0\""},
        {"machine", "cpu", "\"Other CPU\"", "machine.cpu is \"Other CPU\""},
        {"machine", "isa", "\"avx512\"", "machine.isa"},
        {"scaling", "mode", "\"weak\"", "scaling.mode is \"weak\", but \"strong\""},
        {"scaling", "mode", "\"odd\"", "unknown mode or unit"},
        {"layout", "world", "5", "5 ranks on 4 nodes, but 1 on 1"},
        {"layout", "dp", "100", "more data parallel ranks (layout.dp) than sequences"},
        {"layout", "zero", "1", "layout.zero is 1"},
        {"scaling", "n", "-4", "\"scaling.n\" must be a number above 0"},
    };
    const struct made_law law = {.unit = RECORD_NODE, .n = {1, 2, 4}, .runs = 1, .batch = 64, .rate = 100};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made_curve m = {.count = 0};
        struct base_error e = {0};
        json_t *record = NULL;
        made_curve_add(&m, &law);
        m.at[2].path = "made.jsonl", m.at[2].line = 7;
        change(&m, 2, cases[i].object, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(scale_curve(m.at, m.count, &NONE, &record, &e), BASE_USAGE);
        if (!strstr(e.text, cases[i].says) || !strstr(e.text, "made.jsonl line 7")) fail_msg("%s", e.text);
        assert_null(record);
        made_curve_close(&m);
    }
}

static void wrong_requests(void **state) {
    (void)state;
    const struct made_law law = {.unit = RECORD_NODE, .n = {1, 2}, .runs = 1, .batch = 64, .rate = 100};
    const struct scale_options weak_asked = {.mode = RECORD_WEAK, .unit = SCALE_UNSET};
    struct made_curve m = {.count = 0};
    struct base_error e = {0};
    json_t *record = NULL;
    assert_int_equal(scale_curve(NULL, 0, &NONE, &record, &e), BASE_USAGE);
    made_curve_comm(&m, 2, 1, 1e-5, 1e-9, 0, 1);
    assert_int_equal(scale_curve(m.at, m.count, &NONE, &record, &e), BASE_USAGE);
    assert_true(strstr(e.text, "is a training"));
    made_curve_add(&m, &law);
    assert_int_equal(scale_curve(m.at, m.count, &weak_asked, &record, &e), BASE_USAGE);
    assert_true(strstr(e.text, "but --mode is weak"));
    made_curve_close(&m);
}

/* Runs with faults of --inject measured no machine, so their point has no rate. */
static void injected(void **state) {
    (void)state;
    const struct made_law law = {.unit = RECORD_RANK, .n = {1, 2, 4, 8}, .runs = 2, .batch = 64, .rate = 100};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    for (size_t i = 2; i < 4; i++) change(&m, i, "result", "injected", json_string("slow:rank=0,factor=2"));
    json_t *record = curve_of(&m, &NONE);
    assert_true(isnan(record_real(point(record, 2), "tokens_per_s")));
    assert_true(strstr(record_text(point(record, 2), "why"), "--inject"));
    json_decref(record);
    made_curve_close(&m);
}

/* A point whose losses or norms differ from the base's, or that FAILED, has no rate, and nothing is fitted to it. */
static void failed_points(void **state) {
    (void)state;
    const struct made_law law = {
        .unit = RECORD_RANK, .n = {1, 2, 4, 8}, .runs = 2, .batch = 64, .rate = 100, .serial = 0.1};
    struct made_curve m = {.count = 0};
    struct base_error e = {0};
    made_curve_add(&m, &law);
    json_array_set_new(record_at(m.at[3].record, "result.grad_norm"), 1, json_real(2.02));
    json_t *record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "status"), "FAILED");
    assert_int_equal(cli_verdict(record, &e), BASE_NO);
    assert_string_equal(record_text(point(record, 2), "status"), "FAILED");
    assert_true(strstr(record_text(point(record, 2), "why"), "differs from the base's"));
    assert_true(isnan(record_real(point(record, 2), "tokens_per_s")));
    assert_true(isnan(record_real(point(record, 2), "efficiency")));
    assert_float_equal(record_real(record, "result.fits.amdahl.parameters.serial_share.value"), 0.1, 1e-6);
    json_decref(record);
    /* the base itself: the next one is the base, and the page says so */
    change(&m, 0, "", "status", json_string("FAILED"));
    change(&m, 0, "", "why", json_string("made so"));
    record = curve_of(&m, &NONE);
    assert_int_equal(record_whole(record, "result.base.n"), 4);
    assert_true(*flag_of(record, 4, "base"));
    assert_float_equal(record_real(point(record, 8), "efficiency"), 1.3 / 1.7, 1e-9);
    json_decref(record);
    made_curve_close(&m);
}

static double superlinear_step(double n) {
    return n == 1 ? 1 : 0.8 / n;
}

/* Efficiency 1.25 with each likely cause. */
static void superlinear(void **state) {
    (void)state;
    const struct made_law law = {
        .unit = RECORD_RANK, .n = {1, 2, 4}, .runs = 4, .batch = 64, .step_s = superlinear_step, .run_sd = 0.002};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &NONE);
    assert_true(strstr(flag_of(record, 2, "superlinear"), "no cause is on record"));
    assert_true(strstr(flag_of(record, 2, "other topology"), "2 ranks of a node"));
    json_decref(record);
    for (size_t i = 0; i < m.count; i++)
        change(&m, i, "", "ledger", json_pack("{s:f}", "memory_bytes_per_rank", i < 4 ? 1e9 : 5e8));
    record = curve_of(&m, &NONE);
    assert_true(strstr(flag_of(record, 2, "superlinear"), "50% less memory"));
    json_decref(record);
    for (size_t i = 4; i < 8; i++) change(&m, i, "layout", "micro_batch", json_integer(4));
    record = curve_of(&m, &NONE);
    assert_true(strstr(flag_of(record, 2, "superlinear"), "micro-batch is 4"));
    json_decref(record);
    for (size_t i = 4; i < 8; i++) change(&m, i, "result", "peak_flop_per_s", json_real(2.4e11));
    record = curve_of(&m, &NONE);
    assert_true(strstr(flag_of(record, 2, "superlinear"), "20.0% higher"));
    json_decref(record);
    for (size_t i = 0; i < 4; i++) change(&m, i, "", "samples", json_pack("{s:[[s],[]]}", "marks", "steal"));
    record = curve_of(&m, &NONE);
    assert_true(strstr(flag_of(record, 2, "superlinear"), "the base was disturbed: 50%"));
    json_decref(record);
    made_curve_close(&m);
}

/* Other nodes, another kind of node, another job, more ranks than CPUs. */
static void elsewhere(void **state) {
    (void)state;
    const struct made_law law = {.unit = RECORD_NODE,
                                 .n = {1, 2},
                                 .runs = 1,
                                 .jobs = true,
                                 .unit_ranks = 2,
                                 .batch = 64,
                                 .rate = 100,
                                 .serial = 0.1};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    change(&m, 1, "machine", "fingerprint", json_string("beef"));
    change(&m, 1, "machine", "cpus", json_integer(3));
    change(&m, 1, "launch", "job", json_string("k"));
    json_object_set_new(json_array_get(record_at(m.at[1].record, "result.per_rank"), 0), "host", json_string("n2"));
    for (size_t i = 0; i < 2; i++)
        change(&m, i, "launch", "switches",
               json_pack(i ? "[{s:s, s:s}, {s:s, s:s}]" : "[{s:s, s:s}]", "name", "leaf1", "hosts", "n[1-2]", "name",
                         "leaf2", "hosts", "n[3-4]"));
    json_array_append_new(record_at(m.at[1].record, "result.per_rank"), json_pack("{s:s}", "host", "n3"));
    json_t *record = curve_of(&m, &NONE);
    static const char *const flags[] = {"other nodes", "other machine", "other job", "oversubscribed",
                                        "other topology"};
    for (size_t i = 0; i < 5; i++)
        if (!*flag_of(record, 2, flags[i])) fail_msg("no flag \"%s\"", flags[i]);
    assert_string_equal(record_text(record, "status"), "PASSED");
    assert_string_equal(record_text(point(record, 2), "of"), "step");
    json_decref(record);
    made_curve_close(&m);
}

/* Imported records lack most keys: what they lack contradicts nothing, and the curve is UNVERIFIED. */
static void imported(void **state) {
    (void)state;
    struct made_curve m = {.count = 0};
    for (int n = 1; n <= 4; n *= 2)
        made_curve_take(&m, json_pack("{s:s, s:s, s:s, s:s, s:{s:i}, s:{s:s}, s:{s:i, s:i}, s:{s:i}, s:{s:f}}", "kind",
                                      "train", "status", "UNVERIFIED", "why", "imported", "time",
                                      "2026-01-01T00:00:00Z", "launch", "nodes", n, "machine", "name", "cluster",
                                      "config", "seq", 2048, "global_batch", 512, "layout", "world", 8 * n, "result",
                                      "tokens_per_s", 1000.0 * n / (1 + 0.05 * (n - 1))));
    json_t *record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "status"), "UNVERIFIED");
    assert_string_equal(record_text(record, "result.unit"), "node");
    assert_float_equal(record_real(point(record, 4), "efficiency"), 1 / 1.15, 1e-9);
    assert_float_equal(record_real(record, "result.fits.amdahl.parameters.serial_share.value"), 0.05, 1e-6);
    assert_true(*record_text(record, "result.fits.ledger.refused"));
    json_decref(record);
    made_curve_close(&m);
}

/* A run that stands twice counts once; a run that ended early, and one point alone, are inconclusive; the page says it
 * all. */
static void the_rest(void **state) {
    (void)state;
    const struct made_law law = {.unit = RECORD_RANK, .n = {1, 2}, .runs = 2, .batch = 64, .rate = 100};
    json_t *skipped = json_pack("[{s:i, s:s, s:[i, i]}]", "n", 3, "why", "64 sequences do not divide", "nearest", 2, 4);
    const struct scale_options early = {.mode = SCALE_UNSET, .unit = SCALE_UNSET, .skipped = skipped, .why = "SIGTERM"};
    struct made_curve m = {.count = 0};
    struct base_error e = {0};
    made_curve_add(&m, &law);
    made_curve_take(&m, json_incref(m.at[0].record));
    json_t *record = curve_of(&m, &early);
    assert_string_equal(record_text(record, "status"), "INCONCLUSIVE");
    assert_string_equal(record_text(record, "why"), "SIGTERM");
    assert_int_equal(cli_verdict(record, &e), BASE_INCONCLUSIVE);
    assert_int_equal(record_whole(record, "config.met_again"), 1);
    assert_int_equal(json_array_size(record_at(point(record, 1), "runs")), 2);
    FILE *page = tmpfile();
    char text[8192] = "";
    report_scale(page, record);
    rewind(page);
    assert_true(fread(text, 1, sizeof text - 1, page) > 0);
    fclose(page);
    assert_non_null(strstr(text, "skipped     n = 3: 64 sequences do not divide"));
    assert_non_null(strstr(text, "toise scale   strong, 2 points by rank   INCONCLUSIVE"));
    json_decref(record);
    json_decref(skipped);
    made_curve_close(&m);
    const struct made_law one = {.unit = RECORD_RANK, .n = {2}, .runs = 2, .batch = 64, .rate = 100};
    made_curve_add(&m, &one);
    record = curve_of(&m, &NONE);
    assert_true(strstr(record_text(record, "why"), "one point is no curve"));
    json_decref(record);
    made_curve_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),     cmocka_unit_test(drift_cancels),  cmocka_unit_test(weak),
        cmocka_unit_test(refusals),    cmocka_unit_test(wrong_requests), cmocka_unit_test(failed_points),
        cmocka_unit_test(superlinear), cmocka_unit_test(elsewhere),      cmocka_unit_test(imported),
        cmocka_unit_test(the_rest),    cmocka_unit_test(injected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
