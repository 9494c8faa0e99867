/* SPDX-License-Identifier: Apache-2.0
 *
 * What is paired, what counts, which verdict follows, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "records/get.h"
#include "unit/support/folder.h"
#include "unit/support/machine_json.h"
#include "unit/support/made_launches.h"

static struct compare_options options = {.delta = 0.01};

static json_t *compare_files(const char *const *paths, int count) {
    enum study_verdict verdict;
    struct base_error e = {0};
    json_t *record;
    if (compare_make(paths, count, &options, &record, &verdict, &e)) fail_msg("%s", e.text);
    assert_string_equal(record_text(record, "result.verdict"), study_verdict_name(verdict));
    assert_string_equal(record_text(record, "kind"), "compare");
    return record;
}

static json_t *compare(const struct made_side *base, const struct made_side *new) {
    const char *const paths[] = {made_launches("base.jsonl", base), made_launches("new.jsonl", new)};
    return compare_files(paths, 2);
}

static void assert_refused(const char *base, const char *new, const char *text) {
    const char *const paths[] = {base, new};
    enum study_verdict verdict;
    struct base_error e = {0};
    json_t *record = NULL;
    assert_int_equal(compare_make(paths, 2, &options, &record, &verdict, &e), BASE_USAGE);
    if (!strstr(e.text, text)) fail_msg("\"%s\" lacks \"%s\"", e.text, text);
    assert_null(record);
}

static void assert_says(const json_t *record, const char *key, const char *text) {
    const char *value = record_text(record, key);
    if (!strstr(value, text)) fail_msg("%s: \"%s\" lacks \"%s\"", key, value, text);
}

static const json_t *pair_of(const json_t *record, size_t i) {
    return json_array_get(record_at(record, "result.pairs"), i);
}

static void test_verdicts(void **state) {
    (void)state;
    static const struct {
        int launches;
        double speed, sd;
        const char *verdict, *status;
    } cases[] = {{6, 0.9, 0.01, "slower", "FAILED"},
                 {6, 1.1, 0.01, "faster", "PASSED"},
                 {6, 1.001, 0.001, "equivalent", "PASSED"}, /* although the interval may exclude 1 */
                 {6, 1.005, 0.02, "inconclusive", "INCONCLUSIVE"},
                 {4, 0.5, 0.001, "inconclusive", "INCONCLUSIVE"}}; /* too few, whatever they say */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double speed = cases[i].speed;
        const struct made_side base = {.launches = 6, .seed = 1, .sd = cases[i].sd};
        const struct made_side new = {.launches = cases[i].launches,
                                      .seed = 2,
                                      .sd = cases[i].sd,
                                      .peak = speed,
                                      .matmul = speed,
                                      .passes = speed};
        json_t *record = compare(&base, &new);
        assert_string_equal(record_text(record, "result.verdict"), cases[i].verdict);
        assert_string_equal(record_text(record, "status"), cases[i].status);
        if (cases[i].launches > 4) {
            assert_true(record_real(record, "result.low") <= speed * 1.03);
            assert_true(record_real(record, "result.high") >= speed * 0.97);
            assert_true(record_real(record, "result.detectable") > 0);
            assert_true(record_whole(record, "result.needed") >= 5);
            assert_string_equal(record_text(record, "result.of"), "these nodes");
        } else {
            assert_says(record, "result.why", "fewer than five launches");
            assert_null(record_at(record, "result.ratio"));
        }
        json_decref(record);
    }
}

/* Other builds, and CPUs that are faster than toise can show, have a ratio but no verdict. */
static void test_withheld(void **state) {
    (void)state;
    static const struct {
        struct made_change base, new[2];
        const char *why;
    } cases[] = {
        {{0}, {{"version", "\"0.2.0\""}}, "builds"},
        {{0}, {{"machine.compiler", "\"clang 16\""}}, "builds"},
        {{"machine.unused_matrix_unit", "\"AMX\""}, {{"machine.cpu", "\"Other\""}}, "lower bound"},
        {{"machine.unused_matrix_unit", "\"AMX\""},
         {{"machine.unused_matrix_unit", "\"AMX\""}},
         NULL}, /* the same CPU */
        {{0}, {{"machine.cpu", "\"Other\""}}, NULL},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const size_t k = i / 2;
        options.across_builds = i % 2;
        const struct made_side base = {.launches = 5, .seed = 3, .change = {cases[k].base}};
        const struct made_side new = {
            .launches = 5, .seed = 4, .matmul = 0.5, .change = {cases[k].new[0], cases[k].new[1]}};
        json_t *record = compare(&base, &new);
        const bool fair = !cases[k].why || (options.across_builds && !strcmp(cases[k].why, "builds"));
        assert_string_equal(record_text(record, "result.verdict"), fair ? "slower" : "inconclusive");
        if (!fair) assert_says(record, "result.why", cases[k].why);
        assert_true(record_real(record, "result.ratio") < 0.6);
        json_decref(record);
    }
    options.across_builds = false;
}

static void test_hierarchy(void **state) {
    (void)state;
    static const struct {
        int jobs, nodes;
        const char *name, *unit, *of;
        long long units;
        bool paired;
    } cases[] = {{0, 0, "other", "launch", "these nodes", 12, false},
                 {4, 1, "other", "job", "these nodes", 4, false},
                 {1, 2, "other", "launch", "these nodes", 12, false},
                 {0, 3, "other", "node", "nodes of these kinds", 3, false},
                 {4, 4, NULL, "node", "nodes of these kinds", 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct made_side base = {.launches = 12, .seed = 5, .jobs = cases[i].jobs, .nodes = cases[i].nodes};
        struct made_side new = base;
        new.seed = 6, new.name = cases[i].name, new.matmul = 0.8;
        json_t *record = compare(&base, &new);
        const json_t *pair = pair_of(record, 0);
        assert_string_equal(record_text(pair, "unit"), cases[i].unit);
        assert_string_equal(record_text(record, "result.of"), cases[i].of);
        assert_int_equal(json_integer_value(json_array_get(record_at(pair, "units"), 0)), cases[i].units);
        assert_int_equal(record_true(pair, "paired"), cases[i].paired);
        assert_int_equal(record_whole(pair, "base.launches"), 12);
        assert_int_equal(record_whole(pair, "base.jobs"), cases[i].jobs ? cases[i].jobs : 12);
        assert_int_equal(isnan(record_real(pair, "new.node_spread")), cases[i].nodes < 2);
        json_decref(record);
    }
}

/* Appends a file's text to another file of the folder, after a change of words of the same length. */
static const char *append(const char *name, const char *from, const char *old, const char *new) {
    static char copy[512];
    char line[16384];
    snprintf(copy, sizeof copy, "%s", folder_name(name));
    FILE *in = fopen(from, "r"), *out = fopen(copy, "a");
    assert_true(in && out);
    while (fgets(line, sizeof line, in)) {
        for (char *at = old ? strstr(line, old) : NULL; at; at = strstr(at + 1, old)) memcpy(at, new, strlen(new));
        fputs(line, out);
    }
    fclose(in), fclose(out);
    return copy;
}

/* The same launch counts once on a side, and is refused on two. FAILED launches are named. */
static void test_evidence(void **state) {
    (void)state;
    const struct made_side a = {.launches = 5, .seed = 7}, b = {.launches = 5, .seed = 8, .matmul = 0.9};
    const char *base = made_launches("a.jsonl", &a), *new = made_launches("b.jsonl", &b);
    assert_refused(base, base, "are the same file");
    assert_refused(base, append("copy.jsonl", base, NULL, NULL), "the same launch");
    remove(folder_name("copy.jsonl"));
    append("twice.jsonl", base, NULL, NULL), append("twice.jsonl", base, NULL, NULL);
    append("twice.jsonl", base, "\"PASSED\"", "\"FAILED\""); /* the same launches again, without a rate */
    const char *const paths[] = {append("twice.jsonl", base, "\"step_s\"", "\"step_x\""), new};
    json_t *record = compare_files(paths, 2);
    assert_int_equal(record_whole(pair_of(record, 0), "base.launches"), 5);
    const json_t *side = json_array_get(record_at(record, "result.sides"), 0);
    assert_int_equal(json_array_size(record_at(side, "duplicates")), 10);
    assert_int_equal(json_array_size(record_at(side, "failed")), 5);
    assert_says(json_array_get(record_at(side, "duplicates"), 0), "why", "the same record as line 1");
    assert_says(json_array_get(record_at(side, "duplicates"), 1), "why", "the same launch as line 1");
    json_decref(record);
    const struct made_side failed = {.launches = 5, .seed = 9, .change = {{"status", "\"FAILED\""}}};
    assert_refused(base, made_launches("failed.jsonl", &failed), "none of its 5 records has a rate");
    const struct made_side injected = {.launches = 5, .seed = 34, .change = {{"result.injected", "\"slow:rank=0\""}}};
    const char *const both[] = {made_launches("injected.jsonl", &injected), base};
    append("injected.jsonl", new, NULL, NULL);
    record = compare_files(both, 2);
    side = json_array_get(record_at(record, "result.sides"), 0);
    assert_int_equal(json_array_size(record_at(side, "injected")), 5);
    assert_int_equal(record_whole(side, "launches"), 5);
    json_decref(record), remove(folder_name("injected.jsonl"));
    const struct made_side unknown = {.launches = 5, .seed = 33, .change = {{"status", "null"}}};
    assert_refused(base, made_launches("unknown.jsonl", &unknown), "line 1: field \"status\" must be PASSED");
    remove(folder_name("twice.jsonl"));
}

static void test_unverified(void **state) {
    (void)state;
    const struct made_side base = {.launches = 5, .seed = 10}, new = {.launches = 5,
                                                                      .seed = 11,
                                                                      .matmul = 0.5,
                                                                      .change = {{"status", "\"UNVERIFIED\""},
                                                                                 {"machine", NULL},
                                                                                 {"layout", NULL},
                                                                                 {"launch", NULL}}};
    json_t *record = compare(&base, &new);
    assert_string_equal(record_text(record, "result.verdict"), "slower");
    assert_true(record_true(record, "result.unverified"));
    assert_int_equal(record_whole(pair_of(record, 0), "new.unverified"), 5);
    assert_int_equal(record_whole(pair_of(record, 0), "new.launches"), 5); /* by their hashes */
    json_decref(record);
}

/* Trainings without a gate are used and labelled. Without a name for their work they are not used. */
static void test_unchecked(void **state) {
    (void)state;
    const struct made_side base = {.launches = 5, .seed = 30},
                           new = {.launches = 5,
                                  .seed = 31,
                                  .change = {{"result.residual", "{}"}, {"status", "\"INCONCLUSIVE\""}}},
                           nameless = {.launches = 5, .seed = 32, .change = {{"workload", "null"}, {"config", "{}"}}};
    json_t *record = compare(&base, &new);
    const json_t *side = json_array_get(record_at(record, "result.sides"), 1);
    assert_true(record_true(record, "result.unchecked"));
    assert_int_equal(record_whole(side, "unchecked"), 5);
    assert_int_equal(record_whole(side, "inconclusive"), 5);
    json_decref(record);
    assert_refused(made_launches("a.jsonl", &base), made_launches("b.jsonl", &nameless),
                   "none of its 5 records has a rate");
}

/* Launches of a side in two setups are never one sample: each finds its partner, or none. */
static void test_setups(void **state) {
    (void)state;
    const struct made_side slow = {.launches = 5, .seed = 12, .matmul = 0.5, .change = {{"layout.threads", "1"}}},
                           fast = {.launches = 5, .seed = 13}, more = {.launches = 5, .seed = 14},
                           few = {.launches = 5, .seed = 15, .matmul = 0.5, .change = {{"layout.threads", "1"}}};
    const char *one = made_launches("one.jsonl", &slow), *two = made_launches("two.jsonl", &fast);
    append("mixed.jsonl", one, NULL, NULL);
    append("mixed.jsonl", two, NULL, NULL);
    append("others.jsonl", made_launches("m.jsonl", &more), NULL, NULL);
    char others[512], first[512];
    snprintf(first, sizeof first, "%s", folder_name("mixed.jsonl"));
    snprintf(others, sizeof others, "%s", folder_name("others.jsonl"));
    const char *const both[] = {first, others};
    json_t *record = compare_files(both, 2);
    assert_int_equal(json_array_size(record_at(record, "result.pairs")), 1);
    assert_true(fabs(record_real(record, "result.ratio") - 1) < 0.05); /* with the same threads */
    const json_t *unpaired = json_array_get(record_at(record, "result.unpaired"), 0);
    assert_says(unpaired, "why", "several setups");
    assert_says(unpaired, "differs.key", "layout.threads");
    json_decref(record);
    append("others.jsonl", made_launches("f.jsonl", &few), NULL, NULL);
    record = compare_files(both, 2);
    assert_int_equal(json_array_size(record_at(record, "result.pairs")), 2);
    assert_int_equal(json_array_size(record_at(record, "result.unpaired")), 0);
    json_decref(record);
    remove(first), remove(others);
}

static void test_unpaired(void **state) {
    (void)state;
    const struct made_side base = {.launches = 5, .seed = 16, .change = {{"workload", "null"}, {"config.seq", "256"}}},
                           new = {.launches = 5, .seed = 17, .change = {{"workload", "null"}, {"config.seq", "512"}}},
                           seed = {.launches = 5,
                                   .seed = 18,
                                   .change = {{"workload", "null"}, {"config.seq", "256"}, {"config.seed", "7"}}};
    const char *a = made_launches("a.jsonl", &base);
    assert_refused(a, made_launches("b.jsonl", &new), "differs in config.seq: 256 | 512");
    const char *const paths[] = {a, made_launches("c.jsonl", &seed)}; /* a seed changes no time */
    json_decref(compare_files(paths, 2));
}

/* A line of another kind: launch `i` of `name`, with a rate and its result's other keys. */
static void put(FILE *file, const char *kind, const char *name, int i, const char *figure, double x, const char *keys) {
    fprintf(file,
            "{\"schema\":\"toise/1\",\"kind\":\"%s\",\"status\":\"PASSED\",\"time\":\"2026-11-29T00:00:00Z\","
            "\"version\":\"0.1.0\",\"launch\":{\"id\":\"%s-%d\"},\"machine\":{\"host\":\"n\",\"cpu\":\"%s\"},"
            "\"workload\":null,\"layout\":{\"world\":2,\"threads\":2},\"samples\":{},\"result\":{\"%s\":%.9g,%s}}\n",
            kind, name, i, name, figure, x, keys);
}

static const char *put_kinds(const char *name, double matmul, double other, double sum) {
    static char path[4][512];
    static int turn;
    char *at = path[turn++ % 4];
    snprintf(at, sizeof *path, "%s.jsonl", folder_name(name));
    FILE *file = fopen(at, "w");
    assert_non_null(file);
    for (int i = 0; i < 5; i++) {
        const double noise = 1 + 0.002 * (i * 3 % 5);
        put(file, "kernel", name, i, "call_s", 1e-3 / matmul * noise,
            "\"op\":\"gemm\",\"m\":8,\"n\":8,\"k\":8,\"dtype\":\"f32\",\"shape\":\"NN 8 x 8 x "
            "8\",\"variant\":\"avx2\"");
        put(file, "kernel", name, i, "call_s", 1e-3 / other * noise,
            "\"op\":\"gemm\",\"m\":8,\"n\":8,\"k\":8,\"dtype\":\"f32\",\"shape\":\"NN 8 x 8 x "
            "8\",\"variant\":\"openblas\"");
        put(file, "comm", name, i, "time_s", 1e-4 / sum * noise,
            "\"op\":\"all_reduce\",\"bytes\":65536,\"dtype\":\"f32\"");
        put(file, "comm", name, i, "matmul", 0.9, "\"op\":\"share\"");
        put(file, "figure", name, i, "value", 5 / sum * noise,
            "\"metric\":\"latency\",\"unit\":\"us\",\"better\":\"lower\"");
        put(file, "figure", name, i, "value", 5, "\"metric\":\"colour\"");
        put(file, "project", name, i, "step_s", 1, "\"label\":\"\"");
    }
    fclose(file);
    return at;
}

/* Kernels pair by operation, shape and library; messages by size. One slower pair forbids a good verdict. */
static void test_kinds(void **state) {
    (void)state;
    const char *const paths[] = {put_kinds("x", 1, 1, 1), put_kinds("y", 1.2, 1.1, 1.3), put_kinds("z", 1.5, 1.5, 0.8)};
    json_t *record = compare_files(paths, 2);
    assert_string_equal(record_text(record, "result.verdict"), "faster");
    assert_int_equal(json_array_size(record_at(record, "result.pairs")), 4);
    assert_true(fabs(record_real(record, "result.ratio") - pow(1.2 * 1.1 * 1.3 * 1.3, 0.25)) < 1e-6);
    const json_t *side = json_array_get(record_at(record, "result.sides"), 0);
    assert_int_equal(record_whole(side, "not_compared"), 15);
    assert_int_equal(record_whole(side, "launches"), 5);
    json_decref(record);
    record = compare_files(paths, 3);
    assert_int_equal(json_array_size(record_at(record, "result.pairs")), 8);
    assert_int_equal(json_array_size(record_at(record, "result.against")), 2);
    assert_string_equal(record_text(record, "result.verdict"), "inconclusive");
    assert_int_equal(record_whole(record, "result.side"), 2);
    assert_says(record, "result.why", "some pairs are slower");
    json_decref(record);
}

/* Forty pairs without a difference: Holm's correction lets none seem to have one. */
static void test_holm(void **state) {
    (void)state;
    int wrong = 0, plain = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const char *paths[] = {folder_name("many"), "n"};
        char names[2][512];
        for (int side = 0; side < 2; side++) {
            snprintf(names[side], sizeof names[side], "%s%d.jsonl", folder_name("many"), side);
            remove(names[side]);
            for (uint64_t work = 0; work < 40; work++) {
                char version[16];
                snprintf(version, sizeof version, "%d", (int)work + 1);
                const struct made_side s = {.launches = 5,
                                            .seed = 1000 * seed + 100 * (uint64_t)side + work,
                                            .change = {{"workload.version", version}}};
                append(strrchr(names[side], '/') + 1, made_launches("one.jsonl", &s), NULL, NULL);
            }
            paths[side] = names[side];
        }
        json_t *record = compare_files(paths, 2);
        assert_int_equal(json_array_size(record_at(record, "result.pairs")), 40);
        for (size_t i = 0; i < 40; i++) {
            const char *verdict = record_text(pair_of(record, i), "verdict");
            wrong += !strcmp(verdict, "faster") || !strcmp(verdict, "slower");
            plain += record_real(pair_of(record, i), "p") <= 0.05;
        }
        json_decref(record);
    }
    print_message("of 400 equal pairs %d have p <= 0.05, %d a verdict\n", plain, wrong);
    assert_true(plain >= 8 && plain <= 34 && wrong <= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),  cmocka_unit_test(test_withheld),   cmocka_unit_test(test_hierarchy),
        cmocka_unit_test(test_evidence),  cmocka_unit_test(test_unverified), cmocka_unit_test(test_setups),
        cmocka_unit_test(test_unpaired),  cmocka_unit_test(test_kinds),      cmocka_unit_test(test_holm),
        cmocka_unit_test(test_unchecked),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
