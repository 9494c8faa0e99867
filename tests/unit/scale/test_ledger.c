/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's model on curves whose parts are known: what it predicts from the base and timed all-reduces alone, how
 * often its intervals hold, what it refuses, and how predictions are scored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "records/set.h"
#include "scale/scale.h"
#include "unit/support/made_curve.h"

/* The curve's own parts. A rank's step of one node takes 1 s: 0.9 of its tokens, 0.1 for the update. Gradients are 4 MB
 * in 4 messages; half of an all-reduce is hidden, as made_curve_comm says. */
static const double ALPHA = 1e-3, BETA = 20e-9;
static double network_bound(double n) {
    const double all = 4 * 2 * (n - 1) * ALPHA + 2 * (n - 1) / n * 4e6 * BETA;
    return 0.9 / n + 0.1 + all - 0.5 * fmin(0.75 * all, 0.6 / 64);
}

static const struct made_law LAW = {
    .unit = RECORD_NODE, .n = {1}, .runs = 5, .batch = 64, .step_s = network_bound, .run_sd = 0.01, .seed = 11};

static json_t *curve_of(const struct made_curve *m, const struct scale_options *options) {
    struct base_error e = {0};
    json_t *record = NULL;
    const int code = scale_curve(m->at, m->count, options, &record, &e);
    if (code) print_error("%s\n", e.text);
    assert_int_equal(code, BASE_OK);
    return record;
}

static const struct scale_options AHEAD = {.mode = RECORD_STRONG, .unit = RECORD_NODE, .ahead = 3, .n = {2, 4, 16}};
static const struct scale_options NONE = {.mode = RECORD_STRONG, .unit = RECORD_NODE};

/* From the base alone, with all-reduces of two and four nodes. */
static void predicts(void **state) {
    (void)state;
    struct made_law law = LAW;
    struct made_curve m = {.count = 0};
    const json_t *p;
    size_t i;
    law.run_sd = 1e-6;
    made_curve_add(&m, &law);
    made_curve_comm(&m, 2, 2, ALPHA, BETA, 0, 1);
    made_curve_comm(&m, 4, 4, ALPHA, BETA, 0, 1);
    json_t *record = curve_of(&m, &AHEAD);
    assert_string_equal(record_text(record, "status"), "INCONCLUSIVE");
    assert_int_equal(json_array_size(record_at(record, "result.predictions")), 3);
    json_array_foreach(record_at(record, "result.predictions"), i, p) {
        assert_string_equal(record_text(p, "by"), "ledger");
        assert_float_equal(record_real(p, "step_s") / network_bound((double)record_whole(p, "n")), 1, 1e-4);
    }
    const json_t *parameters = record_at(record, "result.fits.ledger.parameters");
    assert_float_equal(record_real(parameters, "alpha_between_nodes_s.value"), ALPHA, 1e-8);
    assert_float_equal(record_real(parameters, "s_per_byte_between_nodes.value"), BETA, 1e-13);
    assert_float_equal(record_real(parameters, "hidden_share.value"), 0.5, 1e-9);
    assert_true(json_is_null(record_at(parameters, "matmul_slowdown.value")));
    json_decref(record);
    made_curve_close(&m);
}

/* Predictions with noise everywhere: how often the measured mean lies inside. */
static void coverage(void **state) {
    (void)state;
    int inside = 0, all = 0;
    for (int i = 0; i < 40; i++) {
        struct made_law law = LAW;
        struct made_curve m = {.count = 0};
        const json_t *p;
        size_t k;
        law.seed = 100 + (uint64_t)i;
        made_curve_add(&m, &law);
        made_curve_comm(&m, 2, 2, ALPHA, BETA, 0.05, law.seed);
        json_t *record = curve_of(&m, &AHEAD);
        json_array_foreach(record_at(record, "result.predictions"), k, p) {
            const double truth = made_curve_rate(&law, (double)record_whole(p, "n"));
            inside += record_real(p, "low") <= truth && truth <= record_real(p, "high");
            all++;
        }
        json_decref(record);
        made_curve_close(&m);
    }
    print_message("inside: %d of %d\n", inside, all);
    assert_true(inside >= 0.93 * all);
}

/* Written down, then measured: scored if the points ran later, and not if they ran before. */
static void scored(void **state) {
    (void)state;
    struct made_law law = LAW;
    struct made_curve m = {.count = 0};
    json_t *p;
    size_t i;
    made_curve_add(&m, &law);
    made_curve_comm(&m, 2, 2, ALPHA, BETA, 0, 1);
    json_t *ahead = curve_of(&m, &AHEAD);
    /* made at the hour before the runs at n = 4, and after those at 2 */
    json_array_foreach(record_at(ahead, "result.predictions"), i, p)
        record_set(p, "time", json_string(record_whole(p, "n") == 2 ? "2026-06-01T00:00:00Z" : "2025-12-31T23:00:00Z"));
    made_curve_take(&m, ahead);
    memcpy(law.n, (int[]){2, 4, 0}, 3 * sizeof(int));
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "status"), "PASSED");
    assert_int_equal(json_array_size(record_at(record, "result.scored")), 1);
    const json_t *one = json_array_get(record_at(record, "result.scored"), 0);
    assert_int_equal(record_whole(one, "n"), 4);
    assert_true(record_true(one, "inside") && fabs(record_real(one, "error")) < 0.05);
    assert_int_equal(record_whole(record, "result.score.ledger.n"), 1);
    assert_true(record_real(record, "result.fits.ledger.misfit") < 0.02);
    /* the record that scored is read again with the others, and nothing counts twice */
    made_curve_take(&m, record);
    record = curve_of(&m, &NONE);
    assert_int_equal(json_array_size(record_at(record, "result.scored")), 1);
    json_decref(record);
    made_curve_close(&m);
}

/* Without timed all-reduces: refused from the base alone, fitted to three points with peers. */
static void without_comm(void **state) {
    (void)state;
    struct made_law law = LAW;
    struct made_curve m = {.count = 0};
    law.run_sd = 1e-6;
    made_curve_add(&m, &law);
    json_t *record = curve_of(&m, &AHEAD);
    assert_true(strstr(record_text(record, "result.fits.ledger.refused"), "toise comm on several nodes"));
    assert_int_equal(json_array_size(record_at(record, "result.predictions")), 0);
    json_decref(record);
    memcpy(law.n, (int[]){2, 4, 8, 16, 0}, 5 * sizeof(int));
    made_curve_add(&m, &law);
    record = curve_of(&m, &NONE);
    assert_string_equal(record_text(record, "result.fits.ledger.refused"), "");
    assert_true(record_real(record, "result.fits.ledger.misfit") < 0.02);
    assert_true(
        strstr(json_string_value(json_array_get(record_at(record, "result.fits.ledger.assumed"), 0)), "fitted"));
    /* ten times 16 ranks exceed a batch of 64 */
    const json_t *far = json_array_get(record_at(record, "result.fits.ledger.extrapolated"), 0);
    assert_true(strstr(record_text(far, "why"), "a batch of 64 sequences has none for some of 160 ranks"));
    assert_true(isnan(record_real(far, "tokens_per_s")));
    json_decref(record);
    made_curve_close(&m);
}

static double crowded(double n) {
    return (0.9 * (1 + 0.1 * (n - 1)) / n + 0.1 * (1 + 0.5 * (n - 1)));
}

/* Ranks of a node that slow each other, as the record of shares says: matmuls by 10%, passes by 50% with two. */
static void contention(void **state) {
    (void)state;
    struct made_law law = {.unit = RECORD_RANK, .n = {1}, .runs = 3, .batch = 64, .step_s = crowded, .run_sd = 1e-6};
    const struct scale_options two = {.mode = RECORD_STRONG, .unit = RECORD_RANK, .ahead = 1, .n = {2}};
    struct made_curve m = {.count = 0};
    made_curve_add(&m, &law);
    made_curve_comm(&m, 2, 1, 1e-12, 1e-15, 0, 1);
    made_curve_take(&m, json_pack("{s:s, s:s, s:{s:i, s:i, s:i}, s:{s:s}, s:{s:[f,f], s:[f,f], s:[f,f], s:[f,f]}}",
                                  "kind", "comm", "status", "PASSED", "layout", "world", 2, "nodes", 1, "threads", 2,
                                  "result", "op", "share", "samples", "matmul_alone_flop_per_s", 1.1, 1.1,
                                  "matmul_together_flop_per_s", 1.0, 1.0, "pass_alone_byte_per_s", 1.5, 1.5,
                                  "pass_together_byte_per_s", 1.0, 1.0));
    json_t *record = curve_of(&m, &two);
    const json_t *p = json_array_get(record_at(record, "result.predictions"), 0);
    assert_float_equal(record_real(p, "step_s") / crowded(2), 1, 1e-3);
    json_decref(record);
    made_curve_close(&m);
}

/* The same from roofs on the threads of one rank and of two. */
static void contention_by_roofs(void **state) {
    (void)state;
    struct made_law law = {.unit = RECORD_RANK, .n = {1}, .runs = 3, .batch = 64, .step_s = crowded, .run_sd = 1e-6};
    const struct scale_options two = {.mode = RECORD_STRONG, .unit = RECORD_RANK, .ahead = 1, .n = {2}};
    static const double rates[][4] = {
        {2, 1.1e11, 1.1e11, 1.1e11}, {4, 2e11, 2e11, 2e11}, {2, 1.5e10, 1.5e10, 1.5e10}, {4, 2e10, 2e10, 2e10}};
    struct made_curve m = {.count = 0};
    json_t *rows = json_array();
    for (int i = 0; i < 4; i++) {
        const char *key = i < 2 ? "flop_per_s" : "byte_per_s", *low = i < 2 ? "flop_per_s_low" : "byte_per_s_low",
                   *high = i < 2 ? "flop_per_s_high" : "byte_per_s_high";
        json_t *row = json_pack("{s:s, s:i, s:f, s:f, s:f}", "kind", i < 2 ? "peak" : "memory", "threads",
                                (int)rates[i][0], key, rates[i][1], low, rates[i][2], high, rates[i][3]);
        if (i > 1) record_set(row, "pass", json_string("triad"));
        json_array_append_new(rows, row);
    }
    made_curve_add(&m, &law);
    made_curve_comm(&m, 2, 1, 1e-12, 1e-15, 0, 1);
    made_curve_take(&m, json_pack("{s:s, s:s, s:{s:i}, s:{s:o}}", "kind", "roofs", "status", "PASSED", "layout",
                                  "threads", 4, "result", "rows", rows));
    json_t *record = curve_of(&m, &two);
    const json_t *p = json_array_get(record_at(record, "result.predictions"), 0);
    assert_float_equal(record_real(p, "step_s") / crowded(2), 1, 1e-3);
    assert_float_equal(record_real(record, "result.fits.ledger.parameters.pass_slowdown.value"), 0.5, 1e-9);
    assert_int_equal(record_whole(record, "config.left_out"), 0);
    json_decref(record);
    made_curve_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicts),     cmocka_unit_test(coverage),   cmocka_unit_test(scored),
        cmocka_unit_test(without_comm), cmocka_unit_test(contention), cmocka_unit_test(contention_by_roofs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
