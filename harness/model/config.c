/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a Hugging Face config.json into a model_config, refusing what would be trained wrongly. */
#include "model/config.h"

#include <string.h>

#include "model/config_fields.h"
#include "model/params.h"

enum { LAYERS_LIMIT = 1 << 14 };        /* no published size comes near: typing errors */
static const double LAYER_LIMIT = 1e15; /* layers x width x widest; parameters stay exact as doubles */

int64_t model_config_dim(const struct model_config *c, enum model_dim dim) {
    switch (dim) {
    case MODEL_ONE:
        return 1;
    case MODEL_WIDTH:
        return c->width;
    case MODEL_QKV:
        return (c->heads + 2 * c->kv_heads) * c->head_dim;
    case MODEL_ATTENTION:
        return c->heads * c->head_dim;
    case MODEL_KV:
        return c->kv_heads * c->head_dim;
    case MODEL_FFN_UP:
        return c->family->gated ? 2 * c->ffn : c->ffn;
    case MODEL_FFN:
        return c->ffn;
    case MODEL_VOCAB:
        return c->vocab;
    case MODEL_POSITIONS:
        return c->positions;
    case MODEL_EXPERTS:
        return c->experts;
    }
    return 0;
}

bool model_config_has(const struct model_config *c, enum model_role role) {
    for (int i = 0; i < c->family->parameter_count; i++)
        if (c->family->parameters[i].role == role) return role != MODEL_HEAD_WEIGHT || !c->tied;
    return false;
}

static int read_sizes(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    const int64_t any = f->position == MODEL_POSITION_ALIBI ? MODEL_ENDLESS : 0;
    int code;
    if ((code = model_field_size(in, f->key_width, 0, &c->width, e))) return code;
    if ((code = model_field_size(in, f->key_layers, 0, &c->full_layers, e))) return code;
    if ((code = model_field_size(in, f->key_heads, 0, &c->heads, e))) return code;
    if ((code = model_field_size(in, f->key_positions, any, &c->positions, e))) return code;
    if ((code = model_field_size(in, (model_key){"vocab_size"}, 0, &c->vocab, e))) return code;
    if ((code = model_field_size(in, f->key_ffn, f->ffn_default * c->width, &c->ffn, e))) return code;
    const int64_t kv = model_field_absent(in, f->key_kv_heads) && f->kv_default ? f->kv_default : c->heads;
    if ((code = model_field_size(in, f->key_kv_heads, kv, &c->kv_heads, e))) return code;
    const int64_t even = c->width / c->heads > 0 ? c->width / c->heads : 1;
    if ((code = model_field_size(in, f->key_head_dim, even, &c->head_dim, e))) return code;
    const int64_t window = model_field_absent(in, f->key_window) ? f->window_default : MODEL_FIELD_NONE;
    return model_field_size(in, f->key_window, window ? window : MODEL_FIELD_NONE, &c->window, e);
}

/* Experts, and how many of them a token passes. */
static int read_experts(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    int code;
    if (!f->key_experts[0]) return BASE_OK;
    if ((code = model_field_size(in, f->key_experts, 0, &c->experts, e))) return code;
    if ((code = model_field_size(in, f->key_active, 0, &c->active, e))) return code;
    if (c->active <= c->experts) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s: fields \"%s\" (%lld) and \"%s\" (%lld) disagree: a token passes no more than all", in->where,
                     f->key_active[0], (long long)c->active, f->key_experts[0], (long long)c->experts);
}

static int read_numbers(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    int code = model_field_fraction(in, c->family->key_eps, c->family->eps_default, &c->norm_eps, e);
    if (!code) code = model_field_fraction(in, (model_key){"initializer_range"}, 0.02, &c->init_std, e);
    if (!code && c->family->position == MODEL_POSITION_ROTARY) code = model_field_rotary(in, &c->rotary, e);
    return code;
}

/* Switches of Hugging Face's that change what is computed, and the setting that is trained; absent, it is that. */
static int read_switches(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    static const struct {
        const char *key;
        bool trained;
    } switches[] = {{"scale_attn_weights", true},   {"scale_attn_by_inverse_layer_idx", false},
                    {"add_cross_attention", false}, {"apply_residual_connection_post_layernorm", false},
                    {"attention_bias", false},      {"mlp_bias", false}};
    bool value;
    int code;
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if ((code = model_field_switch(in, switches[i].key, switches[i].trained, &value, e))) return code;
        if (value != switches[i].trained) return model_field_refuse(in, switches[i].key, switches[i].trained, e);
    }
    if ((code = model_field_switch(in, "tie_word_embeddings", c->family->tied, &c->tied, e))) return code;
    if (!c->tied && !model_config_has(c, MODEL_HEAD_WEIGHT))
        return model_field_refuse(in, "tie_word_embeddings", true, e);
    return BASE_OK;
}

/* Fields of Hugging Face's that make it another model: whoever wrote them wants what is not trained here. */
static int check_foreign(const struct model_family *f, const struct model_fields *in, struct base_error *e) {
    static const char *const keys[] = {"layer_types",       "partial_rotary_factor", "quantization_config",
                                       "num_local_experts", "num_experts",           "n_routed_experts"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = json_object_get(in->json, keys[i]);
        const bool harmless = json_is_number(v) && json_number_value(v) == 1 && keys[i][0] == 'p';
        const bool own = f->key_experts[0] && !strcmp(f->key_experts[0], keys[i]);
        if (!v || json_is_null(v) || harmless || own) continue;
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s\" makes it a model that is not trained here; known: whole "
                         "rotary heads, one kind of layer, no experts, no quantization",
                         in->where, keys[i]);
    }
    return BASE_OK;
}

static int check_sizes(const struct model_config *c, const char *where, struct base_error *e) {
    const struct model_family *f = c->family;
    const int64_t qkv = model_config_dim(c, MODEL_QKV), sides = c->ffn > c->width ? c->ffn : c->width;
    const double widest = (double)(qkv > sides ? qkv : sides) * (double)(c->experts > 0 ? c->experts : 1);
    if (c->full_layers > LAYERS_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %lld; take at most %d", where, f->key_layers[0],
                         (long long)c->full_layers, LAYERS_LIMIT);
    if ((double)c->full_layers * (double)c->width * widest > LAYER_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: fields \"%s\", \"%s\" and \"%s\" give over %.0e parameters; take less",
                         where, f->key_width[0], f->key_ffn[0], f->key_layers[0], LAYER_LIMIT);
    if (c->vocab < 2)
        return base_fail(e, BASE_USAGE, "%s: field \"vocab_size\" is 1, which leaves nothing to learn; take at least 2",
                         where);
    if (f->ffn_fixed && c->ffn != f->ffn_default * c->width)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %lld; %s takes %d times \"%s\" whatever it says", where,
                         f->key_ffn[0], (long long)c->ffn, f->type, f->ffn_default, f->key_width[0]);
    return BASE_OK;
}

static int check_heads(const struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    if (c->width % c->heads && (!f->key_head_dim[0] || model_field_absent(in, f->key_head_dim)))
        return base_fail(e, BASE_USAGE, "%s: fields \"%s\" (%lld) and \"%s\" (%lld) disagree: heads must divide width",
                         in->where, f->key_width[0], (long long)c->width, f->key_heads[0], (long long)c->heads);
    if (c->heads % c->kv_heads)
        return base_fail(e, BASE_USAGE,
                         "%s: fields \"%s\" (%lld) and \"%s\" (%lld) disagree: key/value heads must divide heads",
                         in->where, f->key_heads[0], (long long)c->heads, f->key_kv_heads[0], (long long)c->kv_heads);
    if (c->head_dim > 256)
        return base_fail(e, BASE_USAGE, "%s: heads of %lld elements; the attention kernels take up to 256", in->where,
                         (long long)c->head_dim);
    if (f->position == MODEL_POSITION_ROTARY && c->head_dim % 2)
        return base_fail(e, BASE_USAGE, "%s: heads of %lld elements; rotary positions turn pairs: take an even number",
                         in->where, (long long)c->head_dim);
    return BASE_OK;
}

/* The family that "model_type" names, if "architectures" and the activation agree with it. */
static int find_family(const struct model_family **family, bool priced, const struct model_fields *in,
                       struct base_error *e) {
    const char *type = json_string_value(json_object_get(in->json, "model_type"));
    char known[MODEL_FAMILY_LIST];
    model_family_list(known);
    if (!type) return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is missing; known: %s", in->where, known);
    const struct model_family *f = model_family_find(type);
    if (!f)
        return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is \"%s\", which toise cannot train; known: %s",
                         in->where, type, known);
    if (f->refusal && !priced)
        return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is \"%s\", %s; known: %s", in->where, type,
                         f->refusal, known);
    const json_t *list = json_object_get(in->json, "architectures");
    const char *first = json_string_value(json_array_get(list, 0));
    if (first && strcmp(first, f->architecture))
        return base_fail(e, BASE_USAGE, "%s: field \"architectures\" is \"%s\"; \"%s\" is trained as %s only",
                         in->where, first, type, f->architecture);
    const char *key = f->key_activation[0];
    const json_t *activation = key ? json_object_get(in->json, key) : NULL;
    const char *name = json_string_value(activation);
    if (activation && (!name || strcmp(name, f->activation)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is \"%s\"; %s is trained with \"%s\" only", in->where, key,
                         name ? name : "no text", f->type, f->activation);
    *family = f;
    return BASE_OK;
}

static int parse(struct model_config *config, const char *name, bool priced, const json_t *json, const char *where,
                 struct base_error *e) {
    const struct model_fields in = {json, where};
    struct model_config c = {0};
    int code;
    if (!json_is_object(json)) return base_fail(e, BASE_USAGE, "%s: not a JSON object of model fields", where);
    if ((code = find_family(&c.family, priced, &in, e))) return code;
    snprintf(c.name, sizeof c.name, "%s", name);
    if ((code = read_sizes(&c, &in, e))) return code;
    if ((code = read_experts(&c, &in, e))) return code;
    if ((code = read_numbers(&c, &in, e))) return code;
    if ((code = read_switches(&c, &in, e))) return code;
    if ((code = check_foreign(c.family, &in, e))) return code;
    if ((code = check_heads(&c, &in, e))) return code;
    if ((code = check_sizes(&c, where, e))) return code;
    c.layers = c.full_layers;
    c.parameters = model_params_count(&c);
    *config = c;
    return BASE_OK;
}

int model_config_parse(struct model_config *config, const char *name, const json_t *json, const char *where,
                       struct base_error *e) {
    return parse(config, name, false, json, where, e);
}

int model_config_parse_priced(struct model_config *config, const char *name, const json_t *json, const char *where,
                              struct base_error *e) {
    return parse(config, name, true, json, where, e);
}

int model_config_slice(struct model_config *c, int64_t layers, struct base_error *e) {
    if (layers < 1 || layers > c->full_layers)
        return base_fail(e, BASE_USAGE, "--layers %lld: %s has %lld layers; take 1 to %lld of them", (long long)layers,
                         c->name, (long long)c->full_layers, (long long)c->full_layers);
    c->layers = layers;
    c->parameters = model_params_count(c);
    return BASE_OK;
}
