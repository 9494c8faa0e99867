/* SPDX-License-Identifier: Apache-2.0
 *
 * Rotary positions of a config.json. It reads the same fields of each scaling as transformers does
 * (modeling_rope_utils.py, 4.57 and 5.24). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/fields.h"

/* Kinds of scaling and their fields. A kind that is not trained is priced as plain positions. */
static const struct kind {
    const char *name, *other; /* other: an older name */
    bool trained;
    const char *keys[10];
} kinds[] = {
    {"default", NULL, true, {NULL}},
    {"linear", NULL, true, {"factor"}},
    {"dynamic", NULL, true, {"factor"}},
    {"llama3", NULL, true, {"factor", "low_freq_factor", "high_freq_factor"}},
    {"yarn",
     NULL,
     false,
     {"factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "finetuned",
      "extrapolation_factor", "attn_factor"}},
    {"longrope",
     "su",
     false,
     {"factor", "attention_factor", "short_factor", "long_factor", "short_mscale", "long_mscale"}},
    {"mrope", NULL, false, {"mrope_section"}},
    {"proportional", NULL, false, {"factor"}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Fields of every kind. Files often state the original positions even if the kind does not read them. */
static const char *const common[] = {"rope_type", "type", "rope_theta", "original_max_position_embeddings"};

/* rope_theta, rope_scaling and rope_parameters, as found. */
struct rope {
    const char *name; /* of the object; NULL: there is none */
    const json_t *object;
    const struct kind *kind;
    const char *called; /* its name in the file */
};

/* Reads a positive number of `object`. `name` is the object's name in the file; NULL: the file itself. */
static int positive(const struct model_fields *in, const char *name, const json_t *object, const char *key, double *out,
                    struct base_error *e) {
    const json_t *v = json_object_get(object, key);
    const char *of = name ? name : "", *dot = name ? "." : "";
    *out = json_number_value(v);
    if (!v)
        return base_fail(e, BASE_USAGE, "%s: field \"%s%s%s\" is missing; the rotary positions need it", in->where, of,
                         dot, key);
    if (json_is_number(v) && *out >= 1e-12 && *out <= 1e12) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s%s%s\" must be a number from 1e-12 to 1e12", in->where, of, dot,
                     key);
}

/* Finds the object under either name. If it holds "full_attention" alone, that one counts. */
static int find_object(const struct model_fields *in, struct rope *r, struct base_error *e) {
    static const char *const names[] = {"rope_parameters", "rope_scaling"};
    for (int i = 0; i < 2; i++) {
        const json_t *v = json_object_get(in->json, names[i]);
        if (!v || json_is_null(v)) continue;
        if (r->object && !json_equal(r->object, v))
            return base_fail(e, BASE_USAGE, "%s: fields \"%s\" and \"%s\" are both there; leave one out", in->where,
                             names[0], names[1]);
        if (!json_is_object(v))
            return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be an object", in->where, names[i]);
        if (!r->object) r->object = v, r->name = names[i];
    }
    const json_t *alike = json_object_get(r->object, "full_attention");
    if (json_object_size(r->object) == 1 && json_is_object(alike)) r->object = alike;
    return BASE_OK;
}

static int untrained_kind(const struct model_fields *in, const struct rope *r, struct base_error *e) {
    char plain[MODEL_FIELD_PLAIN], what[MODEL_FIELD_PLAIN + 64];
    snprintf(what, sizeof what, "positions of rope_type \"%s\"", model_field_plain(r->called, plain));
    return model_field_untrained(in, r->name, what, "leave it out", e);
}

/* "rope_type", or "type" in older files. Pricing accepts unknown kinds. */
static int find_kind(const struct model_fields *in, struct rope *r, struct base_error *e) {
    const json_t *newer = json_object_get(r->object, "rope_type"), *older = json_object_get(r->object, "type");
    if (json_is_null(newer)) newer = NULL;
    if (json_is_null(older)) older = NULL;
    if (newer && older && !json_equal(newer, older))
        return base_fail(e, BASE_USAGE, "%s: fields \"%s.rope_type\" and \"%s.type\" disagree; leave one out",
                         in->where, r->name, r->name);
    const json_t *v = newer ? newer : older, *factor = json_object_get(r->object, "factor");
    char plain[MODEL_FIELD_PLAIN];
    const char *name = v ? json_string_value(v) : factor && !json_is_null(factor) ? NULL : "default";
    for (int i = 0; name && i < KINDS; i++)
        if (!strcmp(kinds[i].name, name) || (kinds[i].other && !strcmp(kinds[i].other, name))) r->kind = &kinds[i];
    r->called = name;
    if (r->kind) return BASE_OK;
    if (name && in->left_out) return untrained_kind(in, r, e);
    return base_fail(e, BASE_USAGE, "%s: field \"%s.rope_type\" is %s%s%s; known: default, linear, dynamic, llama3",
                     in->where, r->name, name ? "\"" : "",
                     name ? model_field_plain(name, plain)
                     : v  ? "no text"
                          : "missing",
                     name ? "\"" : "");
}

static bool listed(const struct kind *kind, const char *key) {
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (!strcmp(common[i], key)) return true;
    for (size_t i = 0; i < sizeof kind->keys / sizeof *kind->keys && kind->keys[i]; i++)
        if (!strcmp(kind->keys[i], key)) return true;
    return false;
}

/* Whether a field that the kind does not read changes nothing: a null, or a share or factor of 1. */
static bool idle(const char *key, const json_t *value) {
    const bool share =
        !strcmp(key, "partial_rotary_factor") || !strcmp(key, "factor") || !strcmp(key, "attention_factor");
    return json_is_null(value) || (share && json_is_number(value) && json_number_value(value) == 1);
}

static int check_keys(const struct model_fields *in, const struct rope *r, struct base_error *e) {
    char plain[MODEL_FIELD_PLAIN], field[MODEL_FIELD_PLAIN + 32], what[MODEL_FIELD_PLAIN + 32];
    const char *key;
    json_t *value;
    int code = BASE_OK;
    json_object_foreach((json_t *)r->object, key, value) {
        if (code || listed(r->kind, key) || idle(key, value)) continue;
        snprintf(field, sizeof field, "%s.%s", r->name, model_field_plain(key, plain));
        snprintf(what, sizeof what, "something unknown to rope_type \"%s\"", r->kind->name);
        const bool part = !strcmp(key, "partial_rotary_factor");
        if (part) snprintf(what, sizeof what, "rotary positions of a part of each head");
        code = model_field_untrained(in, field, what, part ? "set it to 1" : "leave it out", e);
    }
    return code;
}

static int llama3(const struct model_fields *in, const struct rope *r, struct model_rotary *out, struct base_error *e) {
    static const char key[] = "original_max_position_embeddings";
    const json_t *outer = json_object_get(in->json, key);
    double original;
    int code = positive(in, r->name, r->object, "low_freq_factor", &out->low, e);
    if (!code) code = positive(in, r->name, r->object, "high_freq_factor", &out->high, e);
    if (!code) code = positive(in, r->name, r->object, key, &original, e);
    if (code) return code;
    if (original != floor(original))
        return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" must be a whole number", in->where, r->name, key);
    if (outer && !json_is_null(outer) && json_number_value(outer) != original)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is there twice and disagrees; leave one out", in->where, key);
    out->original = (int64_t)original;
    if (out->high > out->low) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s: fields \"%s.high_freq_factor\" (%g) and \"%s.low_freq_factor\" (%g) disagree: the high one "
                     "must be the larger",
                     in->where, r->name, out->high, r->name, out->low);
}

static int scaling(const struct model_fields *in, const struct rope *r, struct model_rotary *out,
                   struct base_error *e) {
    double factor;
    int code = check_keys(in, r, e);
    if (!code && !r->kind->trained) return untrained_kind(in, r, e);
    if (code) return code;
    if (!r->kind->keys[0]) return BASE_OK;
    if ((code = positive(in, r->name, r->object, "factor", &factor, e))) return code;
    if (!strcmp(r->kind->name, "dynamic"))
        out->dynamic = factor;
    else
        out->factor = factor;
    return strcmp(r->kind->name, "llama3") ? BASE_OK : llama3(in, r, out, e);
}

static int read_theta(const struct model_fields *in, const struct rope *r, struct model_rotary *out,
                      struct base_error *e) {
    const json_t *outer = json_object_get(in->json, "rope_theta"), *inner = json_object_get(r->object, "rope_theta");
    const bool has_outer = outer && !json_is_null(outer), has_inner = inner && !json_is_null(inner);
    if (has_outer && has_inner && json_number_value(outer) != json_number_value(inner))
        return base_fail(e, BASE_USAGE, "%s: field \"rope_theta\" is there twice and disagrees; leave one out",
                         in->where);
    int code = has_outer ? positive(in, NULL, in->json, "rope_theta", &out->theta, e) : BASE_OK;
    return !code && has_inner ? positive(in, r->name, r->object, "rope_theta", &out->theta, e) : code;
}

int model_field_rotary(const struct model_fields *in, double theta, struct model_rotary *out, struct base_error *e) {
    struct rope r = {0};
    struct model_rotary rotary = {.theta = theta};
    int code = find_object(in, &r, e);
    const bool by_layer = json_object_get(r.object, "full_attention") || json_object_get(r.object, "sliding_attention");
    if (!code && by_layer)
        code = model_field_untrained(in, r.name, "rotary positions that differ from layer to layer",
                                     "give one set of numbers", e);
    if (!code && r.object && !by_layer) code = find_kind(in, &r, e);
    if (!code && !by_layer) code = read_theta(in, &r, &rotary, e);
    if (!code && r.kind) code = scaling(in, &r, &rotary, e);
    if (!code) *out = rotary;
    return code;
}
