/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes a config.json and checks what becomes of it. */
#include "unit/support/config_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "records/record.h"

json_t *config_json(const char *text) {
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!json) fail_msg("no JSON: %s", text);
    return json;
}

json_t *config_json_changed(const char *good, const char *field, const char *value) {
    json_t *json = config_json(good);
    if (value)
        json_object_set_new(json, field, config_json(value));
    else
        json_object_del(json, field);
    return json;
}

void config_json_refused(json_t *json, const char *word) {
    struct model_config c;
    struct base_error e = {0};
    memset(&c, 0x5a, sizeof c);
    const struct model_config untouched = c;
    const int code = model_config_parse(&c, "m", json, "x.json", &e);
    char *text = json_dumps(json, JSON_ENCODE_ANY);
    if (code != BASE_USAGE) fail_msg("%s: code %d, wanted %d", text, code, BASE_USAGE);
    if (!strstr(e.text, word) || strncmp(e.text, "x.json: ", 8) || strchr(e.text, '\n'))
        fail_msg("%s: \"%s\" does not name the file and %s", text, e.text, word);
    assert_memory_equal(&c, &untouched, sizeof c);
    free(text);
    json_decref(json);
}

struct model_config config_json_accepted(json_t *json) {
    struct model_config c = {0};
    struct base_error e = {0};
    if (model_config_parse(&c, "m", json, "x.json", &e)) fail_msg("%s", e.text);
    json_decref(json);
    return c;
}

struct model_config config_json_priced(json_t *json) {
    struct model_config c = {0};
    struct base_error e = {0};
    if (model_config_parse_priced(&c, "m", json, "x.json", &e)) fail_msg("%s", e.text);
    json_decref(json);
    return c;
}

json_t *config_json_preset(const char *name) {
    char path[128];
    struct base_error e = {0};
    json_t *json = NULL;
    snprintf(path, sizeof path, "harness/catalog/models/%s.json", name);
    if (record_json_load(path, &json, &e)) fail_msg("%s", e.text);
    return json;
}
