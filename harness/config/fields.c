/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads single fields of a config.json. Knows no family: callers pass keys and defaults. */
#include "config/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool model_field_absent(const struct model_fields *in, const model_key key) {
    for (int i = 0; i < MODEL_KEY_NAMES && key[i]; i++)
        if (json_object_get(in->json, key[i])) return false;
    return true;
}

/* The value under the first of the key's names that is present and not null, else null or NULL. *name is that name, or
 * the first of all. */
static int find(const struct model_fields *in, const model_key key, const char **name, const json_t **value,
                struct base_error *e) {
    *value = NULL;
    *name = key[0];
    for (int i = 0; i < MODEL_KEY_NAMES && key[i]; i++) {
        const json_t *v = json_object_get(in->json, key[i]);
        const bool first = !*value || json_is_null(*value);
        if (!v || (*value && json_is_null(v))) continue;
        if (!first && !json_equal(*value, v))
            return base_fail(e, BASE_USAGE, "%s: fields \"%s\" and \"%s\" mean the same and disagree; leave one out",
                             in->where, *name, key[i]);
        if (first) *value = v, *name = key[i];
    }
    return BASE_OK;
}

int model_field_size(const struct model_fields *in, const model_key key, int64_t absent, int64_t null, int64_t *out,
                     struct base_error *e) {
    const char *name;
    const json_t *v;
    int code = find(in, key, &name, &v, e);
    if (code) return code;
    const int64_t fallback = v ? null : absent;
    if ((!v || json_is_null(v)) && fallback != MODEL_FIELD_REFUSED) {
        *out = fallback == MODEL_FIELD_NONE ? 0 : fallback;
        return BASE_OK;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > MODEL_FIELD_MOST)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a whole number from 1 to %d", in->where, name,
                         MODEL_FIELD_MOST);
    *out = json_integer_value(v);
    return BASE_OK;
}

int model_field_fraction(const struct model_fields *in, const model_key key, double fallback, double *out,
                         struct base_error *e) {
    const char *name;
    const json_t *v;
    int code = find(in, key, &name, &v, e);
    if (code) return code;
    *out = v ? json_number_value(v) : fallback;
    if (v && (!json_is_number(v) || !(*out > 0) || *out >= 1))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a number between 0 and 1", in->where, name);
    return BASE_OK;
}

int model_field_weight(const struct model_fields *in, const model_key key, double fallback, double *out,
                       struct base_error *e) {
    const char *name;
    const json_t *v;
    int code = find(in, key, &name, &v, e);
    if (code) return code;
    *out = v ? json_number_value(v) : fallback;
    if (v && (!json_is_number(v) || !(*out >= 0) || *out > 1e6))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a number from 0 to 1e6", in->where, name);
    return BASE_OK;
}

int model_field_switch(const struct model_fields *in, const char *key, bool fallback, bool *out, struct base_error *e) {
    const json_t *v = json_object_get(in->json, key);
    if (v && !json_is_boolean(v))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be true or false", in->where, key);
    *out = v ? json_boolean_value(v) : fallback;
    return BASE_OK;
}

const char *model_field_plain(const char *name, char plain[MODEL_FIELD_PLAIN]) {
    snprintf(plain, MODEL_FIELD_PLAIN, "%s", name);
    for (char *c = plain; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"') *c = '?';
    return plain;
}

void model_field_note(char *list, const char *words) {
    enum { FULL = MODEL_NOTE - sizeof ", ..." };
    const size_t n = strlen(list);
    if (n >= 3 && !strcmp(list + n - 3, "...")) return;
    if (!base_text_append(list, FULL, words)) base_text_append(list, MODEL_NOTE, "...");
}

int model_field_untrained(const struct model_fields *in, const char *field, const char *what, const char *cure,
                          struct base_error *e) {
    if (!in->left_out)
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s\" asks for %s, which toise does not train; %s, or price it by toise project",
                         in->where, field, what, cure);
    char note[256];
    snprintf(note, sizeof note, "%s (%s)", field, what);
    model_field_note(in->left_out, note);
    return BASE_OK;
}

void model_config_notes(json_t *config, const struct model_config *c) {
    if (c->left_out[0]) json_object_set_new(config, "left_out", json_string(c->left_out));
    if (c->unread[0]) json_object_set_new(config, "unread", json_string(c->unread));
}
