/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a fit: what is written is read; the catalogue's is whole; damage is refused with its place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fit/result.h"
#include "records/record.h"
#include "unit/support/folder.h"
#include "unit/support/published_jobs.h"

static void test_round_trip(void **state) {
    (void)state;
    struct fit_run list[3];
    const struct fit_runs runs = {.run = list, .count = 3};
    struct fit_row rows[3];
    struct cost_parameters p;
    struct fit_result made, read;
    struct base_error e = {0};
    const double fold[] = {1.1, 0.9, 1}, source[] = {1.2, 0.8, 1};
    for (int i = 0; i < 3; i++) {
        list[i] = (struct fit_run){.id = i ? "b" : "a", .source = "s", .job = published_job(&published_jobs[0])};
        rows[i] = (struct fit_row){&list[i].job, 1, i < 2};
    }
    list[2].source = "other";
    assert_int_equal(cost_parameters_prior(&p, NULL), BASE_OK);
    p.value[COST_P_k0] = 150;
    folder_name("parameters.json");
    assert_int_equal(fit_result_make(&runs, rows, &p, fold, source, &made, &e), BASE_OK);
    assert_int_equal(fit_result_write(folder_path, &made, NULL, &e), BASE_OK);
    if (fit_result_read(folder_path, &read, &e)) fail_msg("%s", e.text);
    assert_true(read.parameters.value[COST_P_k0] == 150);
    assert_true(read.parameters.sd[COST_P_k0] == 0.7);
    assert_int_equal(read.intervals.count, 1);
    assert_int_equal(read.intervals.class[0].runs, 2);
    assert_true(fabs(read.intervals.class[0].low / made.intervals.class[0].low - 1) < 1e-6);
    for (int k = 0; k < COST_KINDS; k++)
        assert_true(fabs(read.intervals.unseen_high[k] / made.intervals.unseen_high[k] - 1) < 1e-6);
    assert_true(read.intervals.class[0].accelerators == list[0].job.accelerators);
    assert_true(fabs(read.naive_share[0] / made.naive_share[0] - 1) < 1e-6);
    assert_true(fit_result_on(&read, &list[0]) && fit_result_on(&read, &list[1]));
    assert_false(fit_result_on(&read, &list[2])); /* the same id of another source */
    list[0].id = "c";
    assert_false(fit_result_on(&read, &list[0]));
    fit_result_free(&made), fit_result_free(&read);
}

static void test_catalogue(void **state) {
    (void)state;
    struct fit_result f;
    struct base_error e = {0};
    if (fit_result_read(NULL, &f, &e)) fail_msg("%s", e.text);
    assert_int_equal(cost_parameters_count(&f.parameters), COST_PARAMETERS + f.parameters.classes->priors);
    assert_true(f.intervals.count >= 10);
    for (int k = 0; k < COST_KINDS; k++)
        assert_true(f.intervals.unseen_low[k] < -0.1 && f.intervals.unseen_high[k] > 0.05);
    assert_true(f.intervals.unseen_low[COST_EXPERTS_8] < f.intervals.unseen_low[COST_DENSE_8]);
    fit_result_free(&f);
}

/* The catalogue's file of parameters. */
static json_t *shipped(void) {
    char path[RECORD_CATALOG_PATH];
    struct base_error e = {0};
    json_t *file = NULL;
    assert_int_equal(record_catalog_path("parameters.json", path, &e), BASE_OK);
    assert_int_equal(record_json_load(path, &file, &e), BASE_OK);
    return file;
}

/* The catalogue's file with `value` at object.key (NULL: without the key) is refused with `word`. */
static void refused(const char *object, const char *key, json_t *value, const char *word) {
    struct fit_result f;
    struct base_error e = {0};
    json_t *file = shipped();
    json_t *place = *object ? json_object_get(file, object) : file;
    if (!strcmp(object, "classes")) place = json_array_get(place, 0);
    if (value)
        json_object_set_new(place, key, value);
    else
        json_object_del(place, key);
    folder_name("damaged.json");
    assert_int_equal(json_dump_file(file, folder_path, 0), 0);
    json_decref(file);
    assert_int_equal(fit_result_read(folder_path, &f, &e), BASE_USAGE);
    if (!strstr(e.text, word) || !strstr(e.text, folder_path)) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
    fit_result_free(&f);
}

/* A class that is younger than the file: its priors, and the rate of devices without a class. */
static void test_younger_class(void **state) {
    (void)state;
    struct fit_result f;
    struct base_error e = {0};
    json_t *file = shipped();
    json_object_del(json_object_get(file, "parameters"), "blackwell.matmul_share");
    json_object_del(json_object_get(file, "rival"), "blackwell");
    folder_name("older.json");
    assert_int_equal(json_dump_file(file, folder_path, 0), 0);
    if (fit_result_read(folder_path, &f, &e)) fail_msg("%s", e.text);
    const struct machine_class *class = machine_class_find(f.parameters.classes, "blackwell");
    assert_true(cost_parameters_trait(&f.parameters, class, MACHINE_MATMUL_SHARE) == 0.62);
    const double other = json_real_value(json_object_get(json_object_get(file, "rival"), "other"));
    assert_true(f.naive_share[fit_naive_rate(class, false)] == other);
    json_decref(file);
    fit_result_free(&f);
}

static void test_refused(void **state) {
    (void)state;
    refused("", "schema", json_string("machine/1"), "schema");
    refused("parameters", "k0", NULL, "k0: missing");
    refused("parameters", "hopper.matmul_shares", json_object(), "parameters that this version does not know");
    refused("parameters", "k0", json_integer(3), "k0.value: not a number");
    refused("parameters", "k0", json_pack("{s:f, s:f}", "value", -1.0, "sd", 0.5), "k0: value and sd must be above 0");
    refused("unseen", "fp4", NULL, "unseen.fp4.low");
    refused("unseen", "fp4", json_pack("{s:f, s:f}", "low", 2.0, "high", 1.0), "unseen.fp4: low is above high");
    refused("", "classes", json_object(), "classes");
    refused("classes", "device", json_string("abacus"), "unknown device");
    refused("classes", "low", json_real(1), "classes: low is above high");
    refused("rival", "ampere", json_real(0), "rival");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_catalogue),
                                       cmocka_unit_test(test_younger_class), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
