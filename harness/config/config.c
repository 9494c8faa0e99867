/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a Hugging Face config.json into a model_config, refusing what would be trained wrongly. */
#include "config/config.h"

#include <string.h>

#include "config/fields.h"
#include "config/params.h"

enum { LAYERS_LIMIT = 1 << 14 };        /* far above published sizes: more is a typing error */
static const double LAYER_LIMIT = 1e15; /* layers x width x widest; below it counts are exact as doubles */

int64_t model_config_dim(const struct model_config *c, enum model_dim dim) {
    switch (dim) {
    case MODEL_ONE:
        return 1;
    case MODEL_WIDTH:
        return c->width;
    case MODEL_QKV:
        return (c->heads + 2 * c->kv_heads) * c->head_dim -
               (c->latent.kv ? c->heads * (c->head_dim - c->latent.value) : 0);
    case MODEL_ATTENTION:
        return c->heads * (c->latent.kv ? c->latent.value : c->head_dim);
    case MODEL_KV:
        return c->kv_heads * c->head_dim;
    case MODEL_QUERIES:
        return c->heads * c->head_dim;
    case MODEL_QUERY_RANK:
        return c->latent.query;
    case MODEL_KV_RANK:
        return c->latent.kv + c->latent.rotary;
    case MODEL_KV_LATENT:
        return c->latent.kv;
    case MODEL_KV_FROM_IT:
        return c->heads * (c->head_dim - c->latent.rotary + c->latent.value);
    case MODEL_FFN_UP:
        return c->family->gated ? 2 * c->ffn : c->ffn;
    case MODEL_FFN:
        return c->ffn;
    case MODEL_DENSE_UP:
        return c->family->gated ? 2 * c->dense_ffn : c->dense_ffn;
    case MODEL_DENSE:
        return c->dense_ffn;
    case MODEL_SHARED_UP:
        return c->shared * model_config_dim(c, MODEL_FFN_UP);
    case MODEL_SHARED:
        return c->shared * c->ffn;
    case MODEL_VOCAB:
        return c->vocab;
    case MODEL_POSITIONS:
        return c->positions;
    case MODEL_EXPERTS:
        return c->experts;
    }
    return 0;
}

bool model_config_is_slice(const struct model_config *c) {
    return c->layers < c->full_layers || c->experts < c->full_experts;
}

int64_t model_config_table(const struct model_config *c) {
    return (c->vocab_room ? c->vocab_room : c->vocab) * c->width;
}

int64_t model_config_layers(const struct model_config *c, const struct model_parameter *p) {
    const bool routed = p->expert || (p->role >= MODEL_ROUTER_WEIGHT && p->role <= MODEL_SHARED_DOWN_WEIGHT);
    const bool dense = p->role >= MODEL_DENSE_UP_WEIGHT && p->role <= MODEL_DENSE_DOWN_WEIGHT;
    return routed ? c->layers - c->dense_layers : dense ? c->dense_layers : c->layers;
}

int64_t model_config_mlps(const struct model_config *c) {
    return c->experts > 0 ? c->active : 1;
}

bool model_config_has(const struct model_config *c, enum model_role role) {
    if (role <= MODEL_EMBED_BIAS && c->lacks_embedding) return false;
    if (role >= MODEL_FINAL_GAIN && c->lacks_head) return false;
    for (int i = 0; i < c->family->parameter_count; i++)
        if (c->family->parameters[i].role == role) return role != MODEL_HEAD_WEIGHT || !c->tied;
    return false;
}

static int read_sizes(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    const struct model_defaults *d = &f->defaults;
    const int64_t endless = d->positions == MODEL_ENDLESS ? MODEL_ENDLESS : MODEL_FIELD_REFUSED;
    const int never = MODEL_FIELD_REFUSED;
    int code;
    if ((code = model_field_size(in, f->key_width, d->width, never, &c->width, e))) return code;
    if ((code = model_field_size(in, f->key_layers, d->layers, never, &c->full_layers, e))) return code;
    if ((code = model_field_size(in, f->key_heads, d->heads, never, &c->heads, e))) return code;
    if ((code = model_field_size(in, f->key_positions, d->positions, endless, &c->positions, e))) return code;
    if ((code = model_field_size(in, (model_key){"vocab_size"}, d->vocab, never, &c->vocab, e))) return code;
    const int64_t times = f->ffn_times * c->width;
    if ((code = model_field_size(in, f->key_ffn, times ? times : d->ffn, times ? times : never, &c->ffn, e)))
        return code;
    if ((code = model_field_size(in, f->key_kv_heads, d->kv_heads ? d->kv_heads : c->heads, c->heads, &c->kv_heads, e)))
        return code;
    const int64_t even = c->width / c->heads > 0 ? c->width / c->heads : 1;
    if ((code = model_field_size(in, f->key_head_dim, even, even, &c->head_dim, e))) return code;
    return model_field_size(in, f->key_window, d->window ? d->window : MODEL_FIELD_NONE, MODEL_FIELD_NONE, &c->window,
                            e);
}

/* The shared experts, and the scale of the others' weights. */
static int read_shared(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    int code = BASE_OK;
    c->expert_scale = 1;
    if (f->key_shared[0])
        code = model_field_size(in, f->key_shared, f->defaults.shared, MODEL_FIELD_REFUSED, &c->shared, e);
    if (!code && f->key_scale[0]) code = model_field_weight(in, f->key_scale, 1, &c->expert_scale, e);
    return code;
}

/* The number of experts, and of those that a token passes. */
static int read_experts(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_family *f = c->family;
    int code;
    if (!f->key_experts[0]) return BASE_OK;
    if ((code = model_field_size(in, f->key_experts, f->defaults.experts, MODEL_FIELD_REFUSED, &c->experts, e)))
        return code;
    if ((code = model_field_size(in, f->key_active, f->defaults.active, MODEL_FIELD_REFUSED, &c->active, e)))
        return code;
    if (f->key_balance[0] && (code = model_field_weight(in, f->key_balance, f->defaults.balance, &c->balance, e)))
        return code;
    if ((code = read_shared(c, in, e))) return code;
    c->full_experts = c->own_experts = c->experts;
    if (c->active <= c->experts) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s: fields \"%s\" (%lld) and \"%s\" (%lld) disagree: a token cannot pass more experts than there "
                     "are; lower the first",
                     in->where, f->key_active[0], (long long)c->active, f->key_experts[0], (long long)c->experts);
}

static int read_numbers(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const struct model_defaults *d = &c->family->defaults;
    int code = model_field_fraction(in, c->family->key_eps, d->eps, &c->norm_eps, e);
    if (!code) code = model_field_fraction(in, (model_key){"initializer_range"}, 0.02, &c->init_std, e);
    if (!code && c->family->position == MODEL_POSITION_ROTARY) code = model_field_rotary(in, d->theta, &c->rotary, e);
    return code;
}

static bool is_given(const json_t *object, const char *key) {
    const json_t *v = json_object_get(object, key);
    return v && !json_is_null(v);
}

/* Fields whose default in transformers is not trained: they must be there. */
static int check_needed(const struct model_family *f, const struct model_fields *in, struct base_error *e) {
    const json_t *rope = json_object_get(in->json, "rope_parameters");
    for (size_t i = 0; i < sizeof f->needed / sizeof *f->needed && f->needed[i].key; i++) {
        const struct model_needed *n = &f->needed[i];
        char what[128], cure[64];
        if (is_given(in->json, n->key) || (n->rope && is_given(rope, n->key))) continue;
        snprintf(what, sizeof what, "%s (absent, it is %s)", n->what, n->absent);
        snprintf(cure, sizeof cure, "set it to %s", n->trained);
        const int code = model_field_untrained(in, n->key, what, cure, e);
        if (code) return code;
    }
    return BASE_OK;
}

static int read_tied(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    int code = model_field_switch(in, "tie_word_embeddings", c->family->tied, &c->tied, e);
    if (code || c->tied || model_config_has(c, MODEL_HEAD_WEIGHT)) return code;
    c->tied = true;
    return model_field_untrained(in, "tie_word_embeddings", "an untied head", "set it to true", e);
}

/* The kind of the layers, and whether all have it. NULL: there is no list. */
static int read_layer_types(const struct model_config *c, const struct model_fields *in, const char **kind, bool *alike,
                            struct base_error *e) {
    const json_t *list = json_object_get(in->json, "layer_types");
    *kind = NULL, *alike = true;
    if (!list || json_is_null(list)) return BASE_OK;
    if (!json_is_array(list) || json_array_size(list) != (size_t)c->full_layers)
        return base_fail(e, BASE_USAGE, "%s: field \"layer_types\" must be a list of %lld kinds, one per layer",
                         in->where, (long long)c->full_layers);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name) return base_fail(e, BASE_USAGE, "%s: field \"layer_types\" must be a list of texts", in->where);
        if (*kind && strcmp(*kind, name) != 0) *alike = false;
        *kind = name;
    }
    return BASE_OK;
}

/* Only layers of one kind can be trained, and their window must match the sizes. */
static int check_layer_types(const struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const bool windowed = c->window > 0 && c->window < c->positions;
    const char *kind;
    bool alike;
    int code = read_layer_types(c, in, &kind, &alike, e);
    if (code || !kind) return code;
    if (alike && !strcmp(kind, windowed ? "sliding_attention" : "full_attention")) return BASE_OK;
    if (alike && !strcmp(kind, "sliding_attention") && c->window > 0) return BASE_OK;
    if (alike && !strcmp(kind, "full_attention"))
        return base_fail(
            e, BASE_USAGE,
            "%s: fields \"layer_types\" (full_attention) and \"%s\" (%lld%s) disagree; set \"%s\" to null, "
            "or leave \"layer_types\" out",
            in->where, c->family->key_window[0], (long long)c->window,
            model_field_absent(in, c->family->key_window) ? ", its default" : "", c->family->key_window[0]);
    return model_field_untrained(in, "layer_types", alike ? "another kind of layers" : "layers of different kinds",
                                 "leave it out", e);
}

static int check_sizes(const struct model_config *c, const char *where, struct base_error *e) {
    const struct model_family *f = c->family;
    const int64_t qkv = model_config_dim(c, MODEL_QKV), ffn = c->shared > 1 ? c->shared * c->ffn : c->ffn;
    const int64_t sides = ffn > c->width ? ffn : c->width;
    const double widest = (double)(qkv > sides ? qkv : sides) * (double)(c->experts > 0 ? c->experts : 1);
    if (c->full_layers > LAYERS_LIMIT)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %lld; take at most %d", where, f->key_layers[0],
                         (long long)c->full_layers, LAYERS_LIMIT);
    if ((double)c->full_layers * (double)c->width * widest > LAYER_LIMIT)
        return base_fail(e, BASE_USAGE,
                         "%s: fields \"%s\", \"%s\" and \"%s\"%s%s%s give over %.0e parameters; take less", where,
                         f->key_width[0], f->key_ffn[0], f->key_layers[0], c->shared ? ", or \"" : "",
                         c->shared ? f->key_shared[0] : "", c->shared ? "\"," : "", LAYER_LIMIT);
    if (c->vocab < 2)
        return base_fail(e, BASE_USAGE, "%s: field \"vocab_size\" is 1, which leaves nothing to learn; take at least 2",
                         where);
    if (f->ffn_fixed && c->ffn != f->ffn_times * c->width)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %lld; %s always uses %d times \"%s\": leave the field out",
                         where, f->key_ffn[0], (long long)c->ffn, f->type, f->ffn_times, f->key_width[0]);
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
    if (c->head_dim > 256 && !in->left_out)
        return base_fail(e, BASE_USAGE, "%s: heads have %lld elements; the attention kernels take up to 256", in->where,
                         (long long)c->head_dim);
    if (f->position == MODEL_POSITION_ROTARY && c->head_dim % 2)
        return base_fail(e, BASE_USAGE, "%s: heads have %lld elements; rotary positions need an even number", in->where,
                         (long long)c->head_dim);
    return BASE_OK;
}

/* Whether names[count] holds the name; NULL is never held. */
static bool one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; name && i < count; i++)
        if (names[i] && !strcmp(names[i], name)) return true;
    return false;
}

/* transformers uses whichever of the names it finds, so each must be the family's. */
static int check_architectures(const struct model_family *f, const struct model_fields *in, struct base_error *e) {
    const json_t *list = json_object_get(in->json, "architectures");
    char plain[MODEL_FIELD_PLAIN];
    if (list && !json_is_null(list) && !json_is_array(list))
        return base_fail(e, BASE_USAGE, "%s: field \"architectures\" must be a list of names: [\"%s\"]", in->where,
                         f->architectures[0]);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (one_of(name, f->architectures, sizeof f->architectures / sizeof *f->architectures)) continue;
        if (name && in->left_out && !model_family_of(name))
            return model_field_untrained(in, "architectures", model_field_plain(name, plain), "", e);
        return base_fail(e, BASE_USAGE, "%s: field \"architectures\" is \"%s\"; \"%s\" is trained as %s only",
                         in->where, name ? model_field_plain(name, plain) : "no text", f->type, f->architectures[0]);
    }
    return BASE_OK;
}

static int check_activation(const struct model_family *f, const struct model_fields *in, struct base_error *e) {
    const char *key = f->key_activation[0], *name = NULL;
    const json_t *v = key ? json_object_get(in->json, key) : NULL;
    char plain[MODEL_FIELD_PLAIN];
    if (v) name = json_string_value(v);
    if (!v || one_of(name, f->activations, sizeof f->activations / sizeof *f->activations)) return BASE_OK;
    if (name && in->left_out) return model_field_untrained(in, key, model_field_plain(name, plain), "", e);
    return base_fail(e, BASE_USAGE,
                     "%s: field \"%s\" is \"%s\"; %s is trained with \"%s\" only; toise project prices others",
                     in->where, key, name ? model_field_plain(name, plain) : "no text", f->type, f->activations[0]);
}

/* The family that "model_type" names. */
static int find_family(const struct model_family **family, const struct model_fields *in, struct base_error *e) {
    const char *type = json_string_value(json_object_get(in->json, "model_type"));
    char known[MODEL_FAMILY_LIST], plain[MODEL_FIELD_PLAIN];
    model_family_list(known);
    if (!type) return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is missing; known: %s", in->where, known);
    const struct model_family *f = model_family_find(type);
    if (!f || f->priced)
        return base_fail(e, BASE_USAGE, "%s: field \"model_type\" is \"%s\", which toise cannot train; known: %s",
                         in->where, model_field_plain(type, plain), known);
    *family = f;
    return BASE_OK;
}

static int parse(struct model_config *config, const char *name, bool priced, const json_t *json, const char *where,
                 struct base_error *e) {
    struct model_config c = {0};
    const struct model_fields in = {json, where, priced ? c.left_out : NULL};
    int code;
    if (!json_is_object(json)) return base_fail(e, BASE_USAGE, "%s: not a JSON object of model fields", where);
    if ((code = find_family(&c.family, &in, e))) return code;
    if ((code = check_architectures(c.family, &in, e))) return code;
    if ((code = check_activation(c.family, &in, e))) return code;
    snprintf(c.name, sizeof c.name, "%s", name);
    if ((code = read_sizes(&c, &in, e))) return code;
    if ((code = read_experts(&c, &in, e))) return code;
    if ((code = read_numbers(&c, &in, e))) return code;
    if ((code = read_tied(&c, &in, e))) return code;
    if ((code = check_layer_types(&c, &in, e))) return code;
    if ((code = check_needed(c.family, &in, e))) return code;
    if ((code = model_field_check_all(&c, &in, e))) return code;
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

int model_config_slice_experts(struct model_config *c, int64_t experts, struct base_error *e) {
    if (c->full_experts == 0)
        return base_fail(e, BASE_USAGE, "--experts %lld: %s is dense; leave it out", (long long)experts, c->name);
    if (experts < c->active || experts > c->full_experts)
        return base_fail(e, BASE_USAGE,
                         "--experts %lld: %s has %lld experts, and a token passes %lld; take %lld to %lld of them",
                         (long long)experts, c->name, (long long)c->full_experts, (long long)c->active,
                         (long long)c->active, (long long)c->full_experts);
    c->experts = c->own_experts = experts;
    c->parameters = model_params_count(c);
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
