/* SPDX-License-Identifier: Apache-2.0
 *
 * See config_fields.h. */
#include "model/config_fields.h"

#include <string.h>

enum { KEYS = sizeof(model_key) / sizeof(const char *) };

bool model_field_absent(const struct model_fields *in, const model_key key) {
    for (int i = 0; i < KEYS && key[i]; i++)
        if (json_object_get(in->json, key[i])) return false;
    return true;
}

/* The value under the first of the key's names that is there; *name is that name, or the first of all. */
static int find(const struct model_fields *in, const model_key key, const char **name, const json_t **value,
                struct base_error *e) {
    *value = NULL;
    *name = key[0];
    for (int i = 0; i < KEYS && key[i]; i++) {
        const json_t *v = json_object_get(in->json, key[i]);
        if (!v) continue;
        if (*value && !json_equal(*value, v))
            return base_fail(e, BASE_USAGE, "%s: fields \"%s\" and \"%s\" mean the same and disagree; leave one out",
                             in->where, *name, key[i]);
        if (*value) continue;
        *value = v;
        *name = key[i];
    }
    return BASE_OK;
}

int model_field_size(const struct model_fields *in, const model_key key, int64_t fallback, int64_t *out,
                     struct base_error *e) {
    const char *name;
    const json_t *v;
    int code = find(in, key, &name, &v, e);
    if (code) return code;
    if ((!v || json_is_null(v)) && fallback) {
        *out = fallback == MODEL_FIELD_NONE ? 0 : fallback;
        return BASE_OK;
    }
    if (!v) return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; a model needs it", in->where, name);
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

int model_field_switch(const struct model_fields *in, const char *key, bool fallback, bool *out, struct base_error *e) {
    const json_t *v = json_object_get(in->json, key);
    if (v && !json_is_boolean(v))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be true or false", in->where, key);
    *out = v ? json_boolean_value(v) : fallback;
    return BASE_OK;
}

int model_field_refuse(const struct model_fields *in, const char *key, bool trained, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be %s: %s is trained no other way", in->where, key,
                     trained ? "true" : "false", json_string_value(json_object_get(in->json, "model_type")));
}

/* A positive number of `object`; `fallback` when absent, 0 meaning that it must be there. */
static int positive(const struct model_fields *in, const json_t *object, const char *key, double fallback, double *out,
                    struct base_error *e) {
    const json_t *v = json_object_get(object, key);
    *out = v ? json_number_value(v) : fallback;
    if (!v && fallback > 0) return BASE_OK;
    if (!v)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; the rotary positions need it", in->where, key);
    if (json_is_number(v) && *out >= 1e-12 && *out <= 1e12) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s\" of the rotary positions must be a number from 1e-12 to 1e12",
                     in->where, key);
}

/* rope_type "llama3" and its four numbers; "default", or none, is no scaling; no other kind is known. */
static int scaling(const struct model_fields *in, const json_t *object, struct model_rotary *r, struct base_error *e) {
    const json_t *type = json_object_get(object, "rope_type"), *kind = type ? type : json_object_get(object, "type");
    const char *name = json_string_value(kind);
    double original;
    int code;
    if ((!kind && !json_object_get(object, "factor")) || (name && !strcmp(name, "default"))) return BASE_OK;
    if (!name || strcmp(name, "llama3"))
        return base_fail(e, BASE_USAGE, "%s: field \"rope_type\" is \"%s\"; known: default, llama3", in->where,
                         name ? name : "missing");
    if ((code = positive(in, object, "factor", 0, &r->factor, e))) return code;
    if ((code = positive(in, object, "low_freq_factor", 0, &r->low, e))) return code;
    if ((code = positive(in, object, "high_freq_factor", 0, &r->high, e))) return code;
    if ((code = positive(in, object, "original_max_position_embeddings", 0, &original, e))) return code;
    r->original = (int64_t)original;
    if (r->high <= r->low)
        return base_fail(e, BASE_USAGE,
                         "%s: fields \"high_freq_factor\" (%g) and \"low_freq_factor\" (%g) disagree: the high one "
                         "must be the larger",
                         in->where, r->high, r->low);
    return BASE_OK;
}

int model_field_rotary(const struct model_fields *in, struct model_rotary *out, struct base_error *e) {
    static const char *const names[] = {"rope_parameters", "rope_scaling"};
    const json_t *object = NULL, *theta = json_object_get(in->json, "rope_theta");
    struct model_rotary r = {0};
    for (int i = 0; i < 2; i++) {
        const json_t *v = json_object_get(in->json, names[i]);
        if (!v || json_is_null(v)) continue;
        if (object)
            return base_fail(e, BASE_USAGE, "%s: fields \"%s\" and \"%s\" are both there; leave one out", in->where,
                             names[0], names[1]);
        if (!json_is_object(v))
            return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be an object", in->where, names[i]);
        object = v;
    }
    const json_t *inner = json_object_get(object, "rope_theta");
    if (theta && inner && json_number_value(theta) != json_number_value(inner))
        return base_fail(e, BASE_USAGE, "%s: field \"rope_theta\" is there twice and disagrees; leave one out",
                         in->where);
    int code = positive(in, inner ? object : in->json, "rope_theta", 10000, &r.theta, e);
    if (!code) code = scaling(in, object, &r, e);
    if (!code) *out = r;
    return code;
}
