/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the catalogue: which are paths, which are found, and what is listed if none matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "records/catalog.h"

static void paths(void **state) {
    (void)state;
    const char *const own[] = {"./x", "/x", "a/b", "x.json", "../x.json"}, *const names[] = {"x", "json", ".json", "",
                                                                                             "x.jsonl"};
    for (size_t i = 0; i < 5; i++) {
        assert_true(record_catalog_is_path(own[i]));
        assert_false(record_catalog_is_path(names[i]));
    }
}

static int order(void *context, const char *name) {
    char *last = context;
    assert_true(strcmp(last, name) < 0);
    assert_null(strstr(name, ".json"));
    snprintf(last, 64, "%s", name);
    return 0;
}

static int stop(void *context, const char *name) {
    (void)name;
    return ++*(int *)context == 2 ? 7 : 0;
}

static void names(void **state) {
    (void)state;
    char path[RECORD_CATALOG_PATH], last[64] = "";
    struct base_error e = {0};
    json_t *json = NULL;
    int calls = 0;
    if (record_catalog_path("models", path, NULL)) {
        printf("SKIP: names of the catalogue: none beside this build\n");
        skip();
    }
    assert_int_equal(record_catalog_names("models", order, last, &e), 0);
    assert_string_equal(last, "tiny-mixtral");
    assert_int_equal(record_catalog_names("models", stop, &calls, &e), 7);
    assert_int_equal(calls, 2);
    assert_int_equal(record_catalog_load("models", "--model", "gpt2-124m", &json, path, &e), 0);
    assert_string_equal(json_string_value(json_object_get(json, "model_type")), "gpt2");
    json_decref(json);
    const char *const wrong[] = {"gpt2-125m", "", "..", "../models/gpt2-124m"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(record_catalog_load("models", "--model", wrong[i], &json, path, &e), BASE_USAGE);
        assert_non_null(strstr(e.text, "--model: unknown"));
        assert_non_null(strstr(e.text, "known: bloom-176b, "));
    }
    assert_int_equal(record_catalog_names("engines", stop, &calls, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "make install"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
