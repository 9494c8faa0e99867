/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a record are found by path. Missing values differ from those of another type, and a wrong line is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "records/get.h"

static const char text[] = "{\"kind\":\"train\",\"result\":{\"step_s\":0.25,\"steps\":7,\"fits\":true,\"none\":null,"
                           "\"loss\":[3,2.5,null,\"x\"],\"residual\":{\"full\":0.5}},"
                           "\"sources\":{\"a.b et al.\":\"a book\",\"a\":{\"b\":1}},\"x.y\":2,\"x\":{\"y\":3,\"z\":4}}";
static json_t *record;

static int load(void **state) {
    (void)state;
    return !(record = json_loads(text, 0, NULL));
}

static int unload(void **state) {
    (void)state;
    json_decref(record);
    return 0;
}

static void values_by_path(void **state) {
    (void)state;
    assert_string_equal(record_text(record, "kind"), "train");
    assert_true(record_real(record, "result.step_s") == 0.25 && record_real(record, "result.steps") == 7);
    assert_true(record_real(record, "result.residual.full") == 0.5);
    assert_true(record_whole(record, "result.steps") == 7 && record_true(record, "result.fits"));
    assert_ptr_equal(record_at(record, "result.loss"), json_object_get(json_object_get(record, "result"), "loss"));
}

static void what_is_missing(void **state) {
    (void)state;
    static const char *const paths[] = {
        "none",      "result.", ".result", "result.none", "result.none.more", "kind.length", "result.loss.",
        "result..x", "",        "."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_true(isnan(record_real(record, paths[i])) && record_whole(record, paths[i]) == 0);
        assert_string_equal(record_text(record, paths[i]), "");
        assert_true(!record_true(record, paths[i]) && record_reals(record, paths[i], NULL, 0) == 0);
    }
    char path[300] = {0};
    memset(path, 'k', 200), strcat(path, ".k");
    assert_null(record_at(record, path));
    assert_null(record_at(NULL, "result.step_s"));
}

static void what_is_of_another_type(void **state) {
    (void)state;
    assert_true(isnan(record_real(record, "kind")) && record_whole(record, "result.step_s") == 0);
    assert_string_equal(record_text(record, "result.steps"), "");
    assert_false(record_true(record, "result.steps"));
    assert_int_equal(record_reals(record, "result", NULL, 0), 0);
}

static void keys_with_dots(void **state) {
    (void)state;
    assert_string_equal(record_text(record, "sources.a.b et al."), "a book");
    assert_true(record_whole(record, "sources.a.b") == 1);
    assert_true(record_whole(record, "x.y") == 2 && record_whole(record, "x.z") == 4);
}

static void numbers_of_a_list(void **state) {
    (void)state;
    double x[5] = {-1, -1, -1, -1, -1};
    assert_int_equal(record_reals(record, "result.loss", x, 2), 4);
    assert_true(x[0] == 3 && x[1] == 2.5 && x[2] == -1);
    assert_int_equal(record_reals(record, "result.loss", x, 5), 4);
    assert_true(isnan(x[2]) && isnan(x[3]) && x[4] == -1);
    assert_true(record_sum(record, "result.loss") == 5.5 && record_sum(record, "result") == 0);
}

static void wrong_lines_are_named(void **state) {
    (void)state;
    struct base_error e;
    const struct record_line line = {.record = record, .path = "runs.jsonl", .number = 12, .e = &e};
    double x;
    int64_t n;
    assert_true(record_need_real(&line, "result.step_s", &x) == BASE_OK && x == 0.25);
    assert_true(record_need_whole(&line, "result.steps", &n) == BASE_OK && n == 7);
    assert_int_equal(record_need_real(&line, "result.mfu", &x), BASE_USAGE);
    assert_string_equal(
        e.text, "runs.jsonl: line 12: field \"result.mfu\" must be a number above 0; repair or remove the line");
    assert_int_equal(record_need_real(&line, "kind", &x), BASE_USAGE);
    assert_int_equal(record_need_whole(&line, "result.step_s", &n), BASE_USAGE);
    assert_non_null(strstr(e.text, "\"result.step_s\" must be a whole number above 0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_path),          cmocka_unit_test(what_is_missing),
        cmocka_unit_test(what_is_of_another_type), cmocka_unit_test(keys_with_dots),
        cmocka_unit_test(numbers_of_a_list),       cmocka_unit_test(wrong_lines_are_named)};
    return cmocka_run_group_tests(tests, load, unload);
}
