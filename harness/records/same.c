/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares values, and words how they differ. */
#include "records/same.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value as a message shows it. */
static void show(const json_t *value, char text[64]) {
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(text, 64, "%.60s", dump ? dump : "none");
    free(dump);
}

int record_same(const char *where, const char *field, const json_t *then, const json_t *now, const char *rule,
                struct base_error *e) {
    char before[64], after[64];
    if (json_equal(then, now) || (!then && !now)) return BASE_OK;
    show(then, before), show(now, after);
    return base_fail(e, BASE_USAGE, "%s: %s was %s, and is %s here: %s", where, field, before, after, rule);
}

/* The keys that `from`, one of the two objects, has. */
static int compare_keys(const char *where, const char *object, const json_t *from, const json_t *then,
                        const json_t *now, const char *const *free_keys, const char *rule, struct base_error *e) {
    const char *key;
    json_t *value;
    int code = BASE_OK;
    json_object_foreach((json_t *)(uintptr_t)from, key, value) {
        char field[96];
        bool skip = false;
        for (int i = 0; free_keys[i]; i++) skip = skip || !strcmp(key, free_keys[i]);
        snprintf(field, sizeof field, "%s.%.60s", object, key);
        if (!skip && !code)
            code = record_same(where, field, json_object_get(then, key), json_object_get(now, key), rule, e);
    }
    return code;
}

int record_same_keys(const char *where, const char *object, const json_t *then, const json_t *now,
                     const char *const *free_keys, const char *rule, struct base_error *e) {
    const int code = compare_keys(where, object, now, then, now, free_keys, rule, e);
    return code ? code : compare_keys(where, object, then, then, now, free_keys, rule, e);
}
