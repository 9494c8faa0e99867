/* SPDX-License-Identifier: Apache-2.0
 *
 * Which fields of a config.json are harmless and which ask for another model, besides those that a family reads
 * (family.c). Gathered from configuration_*.py of transformers 4.57 and 5.24 and from the config.json of published
 * GPT-2, BLOOM, Llama, Mistral, Mixtral and GLM-4.5 models. transformers ignores any other field too: it is noted,
 * unless it may be misspelt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"

/* Harmless at any value. */
static const char *const harmless[] = {
    /* notes, the catalogue's among them */
    "source", "parameters", "name", "title", "note", "notes", "comment", "description", "license", "url",
    /* origin of the file, and how to load it */
    "transformers_version", "torch_dtype", "dtype", "auto_map", "name_or_path", "base_model_name_or_path",
    "tokenizer_class", "torchscript", "use_bfloat16", "tf_legacy_loss", "transformers.js_config", "attn_implementation",
    "experts_implementation", "use_flash_attn", "use_flash_attention", "use_flash_attention_2", "unsloth_version",
    "unsloth_fixed", "unsloth_processed", "is_llama_config", "n_ctx", "model_max_length", "max_sequence_length",
    "max_seq_length", "max_window_layers", "neuron", "onnx",
    /* tokens */
    "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id",
    "decoder_start_token_id", "prefix",
    /* heads of other tasks */
    "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
    "id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params",
    "predict_special_tokens", "classifier_dropout", "ignore_index",
    /* what a call returns, and how it is computed */
    "use_cache", "output_attentions", "output_hidden_states", "output_scores", "output_router_logits", "output_past",
    "return_dict", "return_dict_in_generate", "use_return_dict", "is_decoder", "cross_attention_hidden_size",
    "tie_encoder_decoder", "tie_last_hidden_states", "chunk_size_feed_forward", "gradient_checkpointing",
    "reorder_and_upcast_attn", "attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion",
    "skip_bias_add", "skip_bias_add_qkv", "offset_alibi", "slow_but_exact", "pretraining_tp",
    /* dropout and other regularization: no throughput is measured with it */
    "resid_pdrop", "embd_pdrop", "attn_pdrop", "hidden_dropout", "attention_dropout", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "residual_dropout", "embedding_dropout", "router_jitter_noise",
    /* generation */
    "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
    "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
    "suppress_tokens", "begin_suppress_tokens",
    /* families with windows read it; Llama does not */
    "sliding_window",
    /* Llama 3.1's positions; rotary.c reads it if it matters */
    "original_max_position_embeddings"};

/* A field that asks for another model, unless it is null, empty or `idle`. */
struct asked {
    const char *key, *idle, *what;
};
/* The price is close to that of the model without it. `project` says what it left out. */
static const struct asked untrained[] = {
    {"attention_bias", "false", "biases in the matmuls of attention"},
    {"qkv_bias", "false", "biases in the matmuls of attention"},
    {"attention_qkv_bias", "false", "biases in the matmuls of attention"},
    {"attention_out_bias", "false", "biases in the matmuls of attention"},
    {"use_qkv_bias", "false", "biases in the matmuls of attention"},
    {"mlp_bias", "false", "biases in the matmuls of the MLP"},
    {"use_bias", "false", "biases in the matmuls"},
    {"scale_attn_weights", "true", "attention that is not scaled"},
    {"scale_attn_by_inverse_layer_idx", "false", "attention scaled by layer"},
    {"query_pre_attn_scalar", NULL, "attention with another scale"},
    {"attention_multiplier", NULL, "attention with another scale"},
    {"apply_residual_connection_post_layernorm", "false", "residuals after the norm"},
    {"use_parallel_residual", "false", "attention and MLP in parallel"},
    {"parallel_attn", "false", "attention and MLP in parallel"},
    {"position_embedding_type", NULL, "another kind of positions"},
    {"partial_rotary_factor", "1", "rotary positions of a part of each head"},
    {"rotary_pct", "1", "rotary positions of a part of each head"},
    {"rotary_dim", NULL, "rotary positions of a part of each head"},
    {"rope_interleaved", "false", "rotary pairs of adjacent elements"},
    {"no_rope_layers", NULL, "layers without positions"},
    {"no_rope_layer_interval", "0", "layers without positions"},
    {"use_sliding_window", "false", "windows of attention that its family does not have"},
    {"sliding_window_pattern", "1", "windows that differ from layer to layer"},
    {"attention_chunk_size", NULL, "attention in chunks"},
    {"quantization_config", NULL, "quantized weights"},
    {"quantization", NULL, "quantized weights"},
    {"compression_config", NULL, "quantized weights"},
    {"attn_logit_softcapping", NULL, "capped logits"},
    {"final_logit_softcapping", NULL, "capped logits"},
    {"logits_soft_cap", NULL, "capped logits"},
    {"clip_qkv", NULL, "clipped queries, keys and values"},
    {"use_qk_norm", "false", "norms of queries and keys"},
    {"qk_norm", "false", "norms of queries and keys"},
    {"qk_layernorm", "false", "norms of queries and keys"},
    {"logit_scale", "1", "scaled logits"},
    {"logits_scaling", "1", "scaled logits"},
    {"lm_head_multiplier", "1", "scaled logits"},
    {"dim_model_base", NULL, "scaled logits"},
    {"embedding_multiplier", "1", "scaled embeddings"},
    {"scale_emb", "1", "scaled embeddings"},
    {"residual_multiplier", "1", "scaled residuals"},
    {"scale_depth", NULL, "scaled residuals"},
    {"first_k_dense_replace", "0", "first layers that are dense"},
    {"norm_topk_prob", "true", "weights of experts that do not add up to 1"},
    {"n_group", "1", "experts chosen by groups"},
    {"topk_group", "1", "experts chosen by groups"},
};
/* The matmuls differ, so there is no price either. */
static const struct asked unknown_shapes[] = {
    {"num_local_experts", "0", "experts"},
    {"num_experts", "0", "experts"},
    {"n_routed_experts", "0", "experts"},
    {"n_shared_experts", "0", "experts"},
    {"num_shared_experts", "0", "experts"},
    {"moe_num_experts", "0", "experts"},
    {"num_experts_per_tok", "0", "experts"},
    {"moe_intermediate_size", "0", "experts"},
    {"q_lora_rank", NULL, "latent attention"},
    {"kv_lora_rank", NULL, "latent attention"},
    {"multi_query", "false", "one key/value head"},
    {"attention_head_type", "\"multihead\"", "another kind of heads"},
    {"num_nextn_predict_layers", "0", "heads for further tokens"},
    {"num_mtp_layers", "0", "heads for further tokens"},
    {"add_cross_attention", "false", "cross-attention"},
    {"is_encoder_decoder", "false", "an encoder"},
    {"per_layer_config", NULL, "layers of different shapes"},
    {"pruned_heads", NULL, "layers of different shapes"},
    {"text_config", NULL, "several models in one"},
    {"vision_config", NULL, "several models in one"},
    {"audio_config", NULL, "several models in one"},
    {"encoder", NULL, "several models in one"},
    {"decoder", NULL, "several models in one"},
};

/* Fields that config.c reads itself; read_rotary: only for families with rotary positions. */
static const char *const read_always[] = {"model_type",        "architectures",       "vocab_size",
                                          "initializer_range", "tie_word_embeddings", "layer_types"};
static const char *const read_rotary[] = {"rope_theta", "rope_scaling", "rope_parameters"};

static bool among(const char *key, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (names[i] && !strcmp(names[i], key)) return true;
    return false;
}
#define AMONG(key, names) among(key, names, sizeof names / sizeof *names)

/* The family's own keys. The first four are the sizes that define a model. */
enum { SIZES = 4, OWN = 15 };
static const model_key *own_key(const struct model_family *f, int i) {
    const model_key *const keys[OWN] = {&f->key_width,     &f->key_layers,     &f->key_heads,    &f->key_ffn,
                                        &f->key_positions, &f->key_kv_heads,   &f->key_head_dim, &f->key_window,
                                        &f->key_eps,       &f->key_activation, &f->key_experts,  &f->key_active,
                                        &f->key_balance,   &f->key_shared,     &f->key_scale};
    return keys[i];
}

static bool is_read(const struct model_family *f, const char *key) {
    for (int i = 0; i < OWN; i++)
        if (among(key, *own_key(f, i), MODEL_KEY_NAMES)) return true;
    if (f->unused && !strcmp(key, f->unused)) return true;
    return AMONG(key, read_always) || (f->position == MODEL_POSITION_ROTARY && AMONG(key, read_rotary));
}

static bool is_idle(const char *idle, const json_t *v) {
    const bool empty = (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
    if (json_is_null(v)) return !idle || strcmp(idle, "true") != 0; /* Python takes None for false */
    if (empty || !idle) return empty;
    json_t *wanted = json_loads(idle, JSON_DECODE_ANY, NULL);
    const bool numbers = json_is_number(v) && json_is_number(wanted);
    const bool same = numbers ? json_number_value(v) == json_number_value(wanted) : json_equal(v, wanted);
    json_decref(wanted);
    return same;
}

/* The row of a key; NULL: none. */
static const struct asked *row_of(const char *key, bool *priced) {
    for (size_t i = 0; i < sizeof untrained / sizeof *untrained; i++)
        if (!strcmp(untrained[i].key, key)) return *priced = true, &untrained[i];
    for (size_t i = 0; i < sizeof unknown_shapes / sizeof *unknown_shapes; i++)
        if (!strcmp(unknown_shapes[i].key, key)) return *priced = false, &unknown_shapes[i];
    return NULL;
}

static int refuse(const struct model_fields *in, const struct asked *r, bool priced, struct base_error *e) {
    char cure[64] = "leave it out";
    if (r->idle) snprintf(cure, sizeof cure, "set it to %s", r->idle);
    if (priced) return model_field_untrained(in, r->key, r->what, cure, e);
    return base_fail(e, BASE_USAGE, "%s: field \"%s\" asks for %s, which toise does not know; %s", in->where, r->key,
                     r->what, cure);
}

/* Edit distance, up to 3. */
static int distance(const char *a, const char *b, int most) {
    if (!*a || !*b) return (int)(strlen(a) + strlen(b)) > most ? most + 1 : (int)(strlen(a) + strlen(b));
    if (*a == *b) return distance(a + 1, b + 1, most);
    if (most == 0) return 1;
    int best = distance(a + 1, b + 1, most - 1);
    const int shorter = distance(a + 1, b, most - 1), longer = distance(a, b + 1, most - 1);
    if (shorter < best) best = shorter;
    if (longer < best) best = longer;
    return 1 + best;
}

/* A missing field of which `key` may be a misspelling. NULL: none. */
static const char *misspelt(const struct model_family *f, const struct model_fields *in, const char *key) {
    enum { SLIPS = 2, LONG = 6 };
    const char *const *lists[] = {read_always, read_rotary};
    const size_t counts[] = {sizeof read_always / sizeof *read_always, sizeof read_rotary / sizeof *read_rotary};
    if (strlen(key) < LONG) return NULL;
    for (int i = 0; i < OWN; i++)
        for (int n = 0; n < MODEL_KEY_NAMES && (*own_key(f, i))[n]; n++)
            if (model_field_absent(in, *own_key(f, i)) && distance(key, (*own_key(f, i))[n], SLIPS) <= SLIPS)
                return (*own_key(f, i))[n];
    for (int list = 0; list < (f->position == MODEL_POSITION_ROTARY ? 2 : 1); list++)
        for (size_t i = 0; i < counts[list]; i++)
            if (!json_object_get(in->json, lists[list][i]) && distance(key, lists[list][i], SLIPS) <= SLIPS)
                return lists[list][i];
    return NULL;
}

/* An unknown field is noted, unless it may stand for a missing one. */
static int unknown(struct model_config *c, const struct model_fields *in, const char *key, struct base_error *e) {
    const struct model_family *f = c->family;
    const char *slip = misspelt(f, in, key);
    char plain[MODEL_FIELD_PLAIN];
    model_field_plain(key, plain);
    if (slip)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is unknown; is \"%s\" meant? Rename it, or leave it out",
                         in->where, plain, slip);
    for (int i = 0; i < SIZES; i++) {
        const model_key *size = own_key(f, i);
        if (!model_field_absent(in, *size) || (size == &f->key_ffn && f->ffn_times)) continue;
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s\" is unknown to %s, and \"%s\" is missing; rename it, leave it out, or write "
                         "\"%s\"",
                         in->where, plain, f->type, (*size)[0], (*size)[0]);
    }
    model_field_note(c->unread, plain);
    return BASE_OK;
}

int model_field_check_all(struct model_config *c, const struct model_fields *in, struct base_error *e) {
    const char *key;
    json_t *value;
    int code = BASE_OK;
    json_object_foreach((json_t *)in->json, key, value) {
        bool priced = false;
        if (code) break;
        if (key[0] == '_' || is_read(c->family, key) || AMONG(key, harmless)) continue;
        const struct asked *r = row_of(key, &priced);
        if (r && !is_idle(r->idle, value)) code = refuse(in, r, priced, e);
        if (!r && !json_is_null(value)) code = unknown(c, in, key, e);
    }
    return code;
}
