/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a model_config as the config.json that transformers reads. model_config_parse reads it back unchanged. */
#include "config/config.h"

static void size(json_t *o, const model_key key, int64_t value) {
    if (key[0]) json_object_set_new(o, key[0], value ? json_integer(value) : json_null());
}

static json_t *scaling(const struct model_rotary *r) {
    if (r->dynamic > 0) return json_pack("{s:s, s:f}", "rope_type", "dynamic", "factor", r->dynamic);
    if (r->factor == 0) return NULL;
    if (r->high == 0) return json_pack("{s:s, s:f}", "rope_type", "linear", "factor", r->factor);
    return json_pack("{s:s, s:f, s:f, s:f, s:I}", "rope_type", "llama3", "factor", r->factor, "low_freq_factor", r->low,
                     "high_freq_factor", r->high, "original_max_position_embeddings", (json_int_t)r->original);
}

static void rotary(json_t *o, const struct model_rotary *r) {
    json_t *scaled = scaling(r);
    json_object_set_new(o, "rope_theta", json_real(r->theta));
    if (scaled) json_object_set_new(o, "rope_scaling", scaled);
}

json_t *model_config_json(const struct model_config *c) {
    const struct model_family *f = c->family;
    json_t *o = json_pack("{s:[s], s:s, s:s}", "architectures", f->architectures[0], "model_type", f->type,
                          "torch_dtype", "float32");
    size(o, f->key_width, c->width);
    size(o, f->key_layers, c->layers);
    size(o, f->key_heads, c->heads);
    size(o, f->key_kv_heads, c->kv_heads);
    size(o, f->key_head_dim, c->head_dim);
    if (!f->ffn_fixed) size(o, f->key_ffn, c->ffn);
    if (c->positions < MODEL_ENDLESS) size(o, f->key_positions, c->positions);
    size(o, f->key_window, c->window);
    size(o, f->key_experts, c->experts), size(o, f->key_active, c->active);
    if (f->key_balance[0]) json_object_set_new(o, f->key_balance[0], json_real(c->balance));
    size(o, f->key_shared, c->shared);
    if (f->key_scale[0]) json_object_set_new(o, f->key_scale[0], json_real(c->expert_scale));
    for (size_t i = 0; i < sizeof f->needed / sizeof *f->needed && f->needed[i].key; i++)
        json_object_set_new(o, f->needed[i].key, json_loads(f->needed[i].trained, JSON_DECODE_ANY, NULL));
    json_object_set_new(o, "vocab_size", json_integer(c->vocab));
    json_object_set_new(o, f->key_eps[0], json_real(c->norm_eps));
    json_object_set_new(o, "initializer_range", json_real(c->init_std));
    if (f->activations[0]) json_object_set_new(o, f->key_activation[0], json_string(f->activations[0]));
    json_object_set_new(o, "tie_word_embeddings", json_boolean(c->tied));
    if (f->position == MODEL_POSITION_ROTARY) rotary(o, &c->rotary);
    return o;
}
