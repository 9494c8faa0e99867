/* SPDX-License-Identifier: Apache-2.0
 *
 * Curves: every one of the catalogue reads and is fitted on none of its sources; what a file states reaches the job; a
 * record says what the prediction is; damage is refused with file and field. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "records/get.h"
#include "records/record.h"
#include "study/curve.h"
#include "unit/support/folder.h"

static int curves;

static void check_curve(void *context, const char *name, const char *title) {
    struct study_curve c;
    struct base_error e = {0};
    (void)context;
    curves++;
    assert_true(strlen(title) > 10);
    if (study_curve_read(&c, name, &e)) fail_msg("%s: %s", name, e.text);
    assert_true(c.count >= 3 && c.count < 64);
    for (int i = 0; i < c.count; i++) {
        const struct fit_run *run = &c.runs.run[c.points[i].run];
        assert_true(c.points[i].x > 0 && run->measured_s > 0 && run->job.accelerators > 0);
        for (int k = 0; k < c.runs.count; k++)
            assert_true(c.fit[k].weight == 0 || strcmp(c.runs.run[k].source, run->source) != 0);
    }
    const json_t *left_out = json_object_get(c.file, "leave_out"), *source;
    size_t at;
    json_array_foreach(left_out, at, source) for (int k = 0; k < c.runs.count; k++)
        assert_true(c.fit[k].weight == 0 || strcmp(c.runs.run[k].source, json_string_value(source)) != 0);
    int fitted = 0;
    for (int k = 0; k < c.runs.count; k++) fitted += c.fit[k].weight > 0;
    assert_in_range(fitted, 400, 924);
    study_curve_close(&c);
}

static void test_catalogue(void **state) {
    struct base_error e = {0};
    (void)state;
    if (record_catalog_titles("curves", check_curve, NULL, &e)) fail_msg("%s", e.text);
    assert_true(curves >= 10);
}

static void test_stated(void **state) {
    struct study_curve c;
    struct base_error e = {0};
    (void)state;
    if (study_curve_read(&c, "megatron-2021", &e)) fail_msg("%s", e.text);
    const struct fit_run *first = &c.runs.run[c.points[0].run], *sixth = &c.runs.run[c.points[5].run];
    assert_string_equal(first->id, "mlm-t1-001");
    assert_true(first->complete && first->job.layout.micro_batch == 16 && first->job.layout.vp == 1);
    assert_true(sixth->job.layout.micro_batch == 2 && sixth->job.layout.vp == 3);
    assert_true(c.points[9].x == 1008 && sixth->measured_s == 16.009);
    /* no other run of the table became one to fit on */
    for (int i = 0; i < c.count; i++) assert_true(c.fit[c.points[i].run].weight == 0);
    study_curve_close(&c);
}

static void quiet(void *context, const char *what) {
    (void)context, (void)what;
}

/* What a point must be, given the run behind it. */
static void check_point(const struct study_curve *c, int i, const json_t *p) {
    const struct fit_run *run = &c->runs.run[c->points[i].run];
    const double tokens = (double)(run->job.batch.global_batch * run->job.batch.seq);
    const double rate = tokens / run->job.accelerators;
    assert_string_equal(record_text(p, "id"), run->id);
    assert_true(record_real(p, "published_s") == run->measured_s);
    assert_true(fabs(record_real(p, "published") * run->measured_s / rate - 1) < 1e-12);
    assert_true(fabs(record_real(p, "predicted") * record_real(p, "predicted_s") / rate - 1) < 1e-12);
    assert_true(record_real(p, "low") < record_real(p, "predicted") &&
                record_real(p, "predicted") < record_real(p, "high"));
    assert_true(fabs(record_real(p, "high") * record_real(p, "predicted_s_low") / rate - 1) < 1e-12);
    assert_true(fabs(record_real(p, "error") - (record_real(p, "predicted_s") / run->measured_s - 1)) < 1e-12);
    assert_int_equal(json_is_true(json_object_get(p, "inside")),
                     record_real(p, "low") <= record_real(p, "published") &&
                         record_real(p, "published") <= record_real(p, "high"));
}

static void test_record(void **state) {
    const struct study_validate_watch watch = {quiet, NULL};
    struct study_curve c;
    struct base_error e = {0};
    const json_t *g, *p;
    size_t i, k;
    int n = 0, inside = 0;
    double error = 0;
    (void)state;
    if (study_curve_read(&c, "mpt-context", &e) || study_curve_predict(&c, &watch, &e)) fail_msg("%s", e.text);
    json_t *record = study_curve_record(&c);
    const json_t *result = json_object_get(record, "result"), *s = json_object_get(result, "summary");
    assert_string_equal(record_text(record, "kind"), "curve");
    assert_string_equal(record_text(json_object_get(result, "y"), "label"), "tokens/s per accelerator");
    json_array_foreach(json_object_get(result, "groups"), i, g) json_array_foreach(json_object_get(g, "points"), k, p) {
        check_point(&c, n++, p);
        error += fabs(record_real(p, "error")), inside += json_is_true(json_object_get(p, "inside"));
    }
    assert_int_equal(n, c.count);
    assert_int_equal(record_whole(s, "n"), n);
    assert_true(fabs(record_real(s, "mean") * n / error - 1) < 1e-12);
    assert_true(fabs(record_real(s, "coverage") * n - inside) < 1e-9);
    /* fitted on others, the parameters are near the catalogue's, and not the same */
    struct fit_result shipped;
    assert_int_equal(fit_result_read(NULL, &shipped, &e), BASE_OK);
    const struct machine_class *ampere = machine_class_find(shipped.parameters.classes, "ampere");
    const double ratio = cost_parameters_trait(&c.fitted.parameters, ampere, MACHINE_MATMUL_SHARE) /
                         cost_parameters_trait(&shipped.parameters, ampere, MACHINE_MATMUL_SHARE);
    assert_true(ratio > 0.9 && ratio < 1.1 && ratio != 1);
    fit_result_free(&shipped);
    json_decref(record);
    study_curve_close(&c);
}

/* A curve with `value` under object.key is refused with `word`, and with the file's name. */
static void refused(const char *object, const char *key, json_t *value, const char *word) {
    static const char *const good =
        "{'schema': 'curve/1', 'name': 'mine', 'title': 'a title', 'y': 'time',"
        "'x': {'columns': ['n_accelerators'], 'label': 'accelerators', 'scale': 'log'},"
        "'groups': [{'label': 'a line', 'rows': ['mlm-t1-001', 'mlm-t1-002']}], 'sources': {'script': 'a file'},"
        "'stated': [{'status': 'published', 'source': 'script', 'rows': {'*': {'micro_batch': 16, 'virtual_pp': 1}}}]}";
    char text[1024];
    struct study_curve c;
    struct base_error e = {0};
    snprintf(text, sizeof text, "%s", good);
    for (char *at = text; (at = strchr(at, '\'')); at++) *at = '"';
    json_t *file = json_loads(text, 0, NULL), *place = *object ? json_object_get(file, object) : file;
    assert_non_null(file);
    if (json_is_array(place)) place = json_array_get(place, 0);
    if (value) json_object_set_new(place, key, value);
    if (!value && key) json_object_del(place, key);
    folder_name("curve.json");
    assert_int_equal(json_dump_file(file, folder_path, 0), 0);
    json_decref(file);
    const int code = study_curve_read(&c, folder_path, &e);
    assert_int_equal(code, word ? BASE_USAGE : BASE_OK);
    if (word && (!strstr(e.text, word) || !strstr(e.text, "curve.json"))) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
    study_curve_close(&c);
}

/* The cells that `text` states, of runs by id. */
static json_t *cells(const char *id, const char *column, json_t *value) {
    return json_pack("{s:{s:o}}", id, column, value);
}

static void test_refused(void **state) {
    (void)state;
    refused("", NULL, NULL, NULL); /* as it stands it is taken */
    refused("", "schema", json_string("machine/1"), "schema: must be");
    refused("", "title", NULL, "title: missing");
    refused("", "colour", json_string("red"), "unknown key \"colour\"");
    refused("", "y", json_string("speed"), "y: missing or unknown; take one of flops, tokens, time");
    refused("", "x", NULL, "x: missing");
    refused("x", "label", json_integer(3), "x.label: missing or not text");
    refused("x", "scale", json_string("loglog"), "x.scale");
    refused("x", "columns", json_pack("[s]", "accelerators"), "x.columns: one is not a column");
    refused("x", "columns", json_array(), "x.columns: give a list of one to four");
    refused("", "groups", json_array(), "groups: give a list of one to eight");
    refused("groups", "rows", json_pack("[s]", "mlm-t1-099"), "groups[0].rows: mlm-t1-099 is not a run of the table");
    refused("groups", "rows", json_pack("[s, s]", "kort-001", "kort-001"), "kort-001 is listed twice");
    refused("groups", "rows", json_pack("[s, s]", "mlm-t1-002", "mlm-t1-001"), "its x is less");
    refused("groups", "rows", json_pack("[s]", "misc-001"), "data sheet");
    refused("groups", "rows", json_pack("[i]", 7), "not text");
    refused("", "stated", NULL, "mlm-t1-001: is incomplete in the table");
    refused("stated", "status", json_string("known"), "stated.status");
    refused("stated", "source", json_string("nobody"), "stated[0]: published: its source");
    refused("stated", "status", json_string("assumed"), "stated[0].how: missing");
    refused("stated", "rows", cells("kort-001", "vocab", json_integer(9)),
            "stated[0].rows.kort-001: is not a run of this series");
    refused("", "stated", json_object(), "stated: must be a list");
    refused("", "leave_out", json_string("Nobody 2021"), "leave_out: must be a list");
    refused("stated", "rows", json_array(), "stated[0]: rows: give an object");
    refused("", "leave_out", json_pack("[s]", "Nobody 2021"), "leave_out: one is not a source");
}

/* Of what it names, and where it stands in the table. */
static void test_refused_cells(void **state) {
    static const struct {
        const char *column;
        int value;
        const char *word;
    } bad[] = {
        {"micro_batches", 16, "there is no column \"micro_batches\""},
        {"heads", 13, "heads is \"24\" in the table; do not give \"13\", too"},
        {"micro_batch", 0, "micro_batch 0 is out of range"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct study_curve c;
        struct base_error e = {0};
        json_t *file =
            json_pack("{s:s, s:s, s:s, s:s, s:{s:[s], s:s}, s:[{s:s, s:[s]}], s:[{s:s, s:s, s:o}]}", "schema",
                      "curve/1", "name", "mine", "title", "a title", "y", "time", "x", "columns", "n_accelerators",
                      "label", "accelerators", "groups", "label", "a line", "rows", "mlm-t1-001", "stated", "status",
                      "assumed", "how", "so", "rows", cells("*", bad[i].column, json_integer(bad[i].value)));
        assert_non_null(file);
        folder_name("curve.json");
        assert_int_equal(json_dump_file(file, folder_path, 0), 0);
        json_decref(file);
        assert_int_equal(study_curve_read(&c, folder_path, &e), BASE_USAGE);
        if (!strstr(e.text, bad[i].word)) fail_msg("\"%s\" lacks \"%s\"", e.text, bad[i].word);
        study_curve_close(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_catalogue), cmocka_unit_test(test_stated),
                                       cmocka_unit_test(test_record), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_refused_cells)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
