/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a Hugging Face config.json into a model_config, refusing what would be trained wrongly. */
#include "model/config.h"

#include <string.h>

#include "model/params.h"

enum { CONFIG_LIMIT = 1 << 24, LAYERS_LIMIT = 1 << 14 }; /* no published size comes near: typing errors */
static const double LAYER_LIMIT = 1e15;                  /* layers x width x widest; parameters stay exact as doubles */

int64_t model_config_head_dim(const struct model_config *c) {
    return c->width / c->heads;
}

int64_t model_config_dim(const struct model_config *c, enum model_dim dim) {
    int64_t head = model_config_head_dim(c);
    switch (dim) {
    case MODEL_ONE:
        return 1;
    case MODEL_WIDTH:
        return c->width;
    case MODEL_QKV:
        return (c->heads + 2 * c->kv_heads) * head;
    case MODEL_ATTENTION:
        return c->heads * head;
    case MODEL_FFN:
        return c->ffn;
    case MODEL_VOCAB:
        return c->vocab;
    case MODEL_POSITIONS:
        return c->positions;
    }
    return 0;
}

static int read_size(const json_t *json, const char *key, int64_t fallback, const char *where, int64_t *out,
                     struct base_error *e) {
    const json_t *v = json_object_get(json, key);
    if ((!v || json_is_null(v)) && fallback > 0) {
        *out = fallback;
        return BASE_OK;
    }
    if (!v) return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; a model needs it", where, key);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > CONFIG_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a whole number from 1 to %d", where, key,
                         CONFIG_LIMIT);
    *out = json_integer_value(v);
    return BASE_OK;
}

static int read_number(const json_t *json, const char *key, double fallback, const char *where, double *out,
                       struct base_error *e) {
    const json_t *v = json_object_get(json, key);
    *out = v ? json_number_value(v) : fallback;
    if (v && (!json_is_number(v) || !(*out > 0) || *out >= 1))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a number between 0 and 1", where, key);
    return BASE_OK;
}

static int read_sizes(struct model_config *c, const json_t *json, const char *where, struct base_error *e) {
    const struct model_family *f = c->family;
    const struct {
        const char *key;
        int64_t fallback, *out;
    } sizes[] = {{f->key_width, 0, &c->width},
                 {f->key_layers, 0, &c->full_layers},
                 {f->key_heads, 0, &c->heads},
                 {f->key_positions, 0, &c->positions},
                 {f->key_vocab, 0, &c->vocab}};
    int code;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if ((code = read_size(json, sizes[i].key, sizes[i].fallback, where, sizes[i].out, e))) return code;
    if ((code = read_size(json, f->key_ffn, f->ffn_default * c->width, where, &c->ffn, e))) return code;
    if ((code = read_number(json, f->key_eps, 1e-5, where, &c->norm_eps, e))) return code;
    return read_number(json, "initializer_range", 0.02, where, &c->init_std, e);
}

/* Switches of Hugging Face's that change what is computed, and the setting that is trained; absent, it is that. */
static const struct {
    const char *key;
    bool trained;
} switches[] = {{"tie_word_embeddings", true},
                {"scale_attn_weights", true},
                {"scale_attn_by_inverse_layer_idx", false},
                {"add_cross_attention", false}};

static int check(const struct model_config *c, const json_t *json, const char *where, struct base_error *e) {
    const struct model_family *f = c->family;
    const json_t *activation = json_object_get(json, f->key_activation);
    const char *name = json_string_value(activation);
    if (activation && (!name || strcmp(name, f->activation)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is \"%s\"; %s is trained with \"%s\" only", where,
                         f->key_activation, name ? name : "no text", f->type, f->activation);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        const json_t *v = json_object_get(json, switches[i].key);
        if (v && (!json_is_boolean(v) || json_boolean_value(v) != switches[i].trained))
            return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be %s: %s is trained no other way", where,
                             switches[i].key, switches[i].trained ? "true" : "false", f->type);
    }
    const double widest = (double)(c->ffn > c->width ? c->ffn : c->width);
    if (c->full_layers > LAYERS_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %lld; take at most %d", where, f->key_layers,
                         (long long)c->full_layers, LAYERS_LIMIT);
    if ((double)c->full_layers * (double)c->width * widest > LAYER_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: fields \"%s\", \"%s\" and \"%s\" give over %.0e parameters; take less",
                         where, f->key_width, f->key_ffn, f->key_layers, LAYER_LIMIT);
    if (c->vocab < 2)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is 1, which leaves nothing to learn; take at least 2", where,
                         f->key_vocab);
    if (c->width % c->heads)
        return base_fail(e, BASE_USAGE, "%s: fields \"%s\" (%lld) and \"%s\" (%lld) disagree: heads must divide width",
                         where, f->key_width, (long long)c->width, f->key_heads, (long long)c->heads);
    if (model_config_head_dim(c) > 256)
        return base_fail(e, BASE_USAGE, "%s: heads of %lld elements; the attention kernels take up to 256", where,
                         (long long)model_config_head_dim(c));
    return BASE_OK;
}

int model_config_parse(struct model_config *config, const char *name, const json_t *json, const char *where,
                       struct base_error *e) {
    struct model_config c = {0};
    if (!json_is_object(json)) return base_fail(e, BASE_USAGE, "%s: not a JSON object of model fields", where);
    const char *type = json_string_value(json_object_get(json, "model_type"));
    if (!type)
        return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is missing; known: %s", where, model_family_list());
    c.family = model_family_find(type);
    if (!c.family)
        return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is \"%s\", which toise cannot train; known: %s",
                         where, type, model_family_list());
    snprintf(c.name, sizeof c.name, "%s", name);
    int code = read_sizes(&c, json, where, e);
    if (code) return code;
    c.kv_heads = c.heads;
    if ((code = check(&c, json, where, e))) return code;
    c.layers = c.full_layers;
    c.parameters = model_params_count(&c);
    *config = c;
    return BASE_OK;
}

int model_config_slice(struct model_config *c, int64_t layers, struct base_error *e) {
    if (layers < 1 || layers > c->full_layers)
        return base_fail(e, BASE_USAGE, "--layers %lld: %s has %lld layers; take 1 to %lld of them", (long long)layers,
                         c->name, (long long)c->full_layers, (long long)c->full_layers);
    c->layers = layers;
    c->parameters = model_params_count(c);
    return BASE_OK;
}
