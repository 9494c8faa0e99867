/* SPDX-License-Identifier: Apache-2.0
 *
 * Every other field of a config.json. Fields of published files are accepted. Fields that ask for another model are
 * refused by name at every depth; a price says what it leaves out. A misspelt field does not silently become a default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/config_json.h"

static const char llama[] = "{\"model_type\":\"llama\",\"hidden_size\":96,\"num_hidden_layers\":3,"
                            "\"num_attention_heads\":6,\"num_key_value_heads\":2,\"intermediate_size\":200,"
                            "\"max_position_embeddings\":50,\"vocab_size\":101}";
static const char mistral[] = "{\"model_type\":\"mistral\",\"hidden_size\":96,\"num_hidden_layers\":3,"
                              "\"num_attention_heads\":8,\"intermediate_size\":200,"
                              "\"max_position_embeddings\":50,\"vocab_size\":101}";
static const char gpt2[] = "{\"model_type\":\"gpt2\",\"n_embd\":96,\"n_layer\":3,\"n_head\":4,\"n_positions\":50,"
                           "\"vocab_size\":101}";
static const char bloom[] = "{\"model_type\":\"bloom\",\"hidden_size\":96,\"n_layer\":3,\"n_head\":6,"
                            "\"vocab_size\":101}";

/* `good` plus the fields of `more`. */
static json_t *merged(const char *good, const char *more) {
    json_t *json = config_json(good), *fields = config_json(more);
    json_object_update(json, fields);
    json_decref(fields);
    return json;
}

/* The fields of each family's published files, without sizes. */
static void test_published(void **state) {
    (void)state;
    const struct {
        const char *good, *fields;
    } files[] = {
        /* openai-community/gpt2, distilgpt2, and what transformers 5 writes */
        {gpt2, "{\"_num_labels\":1,\"activation_function\":\"gelu_new\",\"architectures\":[\"GPT2LMHeadModel\"],"
               "\"attn_pdrop\":0.1,\"bos_token_id\":50256,\"embd_pdrop\":0.1,\"eos_token_id\":50256,\"n_ctx\":1024,"
               "\"id2label\":{\"0\":\"LABEL_0\"},\"label2id\":{\"LABEL_0\":0},\"initializer_range\":0.02,"
               "\"layer_norm_epsilon\":1e-05,\"resid_pdrop\":0.1,\"summary_activation\":null,"
               "\"summary_first_dropout\":0.1,\"summary_proj_to_labels\":true,\"summary_type\":\"cls_index\","
               "\"summary_use_proj\":true,\"task_specific_params\":{\"text-generation\":{\"do_sample\":true}}}"},
        {gpt2, "{\"add_cross_attention\":false,\"dtype\":\"float32\",\"n_inner\":null,\"pad_token_id\":null,"
               "\"reorder_and_upcast_attn\":false,\"scale_attn_by_inverse_layer_idx\":false,"
               "\"scale_attn_weights\":true,\"tie_word_embeddings\":true,\"transformers_version\":\"5.24.0\","
               "\"use_cache\":true,\"gradient_checkpointing\":false}"},
        /* bigscience/bloom */
        {bloom, "{\"apply_residual_connection_post_layernorm\":false,\"attention_dropout\":0.0,"
                "\"architectures\":[\"BloomForCausalLM\"],\"attention_softmax_in_fp32\":true,"
                "\"bias_dropout_fusion\":true,\"bos_token_id\":1,\"eos_token_id\":2,\"pad_token_id\":3,"
                "\"unk_token_id\":0,\"hidden_dropout\":0.0,\"masked_softmax_fusion\":true,\"n_inner\":null,"
                "\"offset_alibi\":100,\"pretraining_tp\":4,\"seq_length\":2048,\"skip_bias_add\":true,"
                "\"skip_bias_add_qkv\":false,\"slow_but_exact\":false,\"use_cache\":true}"},
        /* SmolLM, Llama 3.2, a merge, a Vicuna, an old conversion */
        {llama, "{\"_name_or_path\":\"/a/path\",\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,"
                "\"attention_dropout\":0.0,\"mlp_bias\":false,\"is_llama_config\":true,\"rope_interleaved\":false,"
                "\"rope_scaling\":null,\"rope_theta\":100000,\"pretraining_tp\":1,\"torch_dtype\":\"bfloat16\","
                "\"transformers.js_config\":{\"kv_cache_dtype\":{\"fp16\":\"float16\"}},\"pad_token_id\":-1,"
                "\"eos_token_id\":[128001,128008],\"unsloth_fixed\":true,\"max_sequence_length\":2048,"
                "\"auto_map\":{\"AutoModel\":\"x.Y\"},\"quantization_config\":null,\"sliding_window\":4096}"},
        {llama, "{\"rope_parameters\":{\"rope_theta\":500000.0,\"rope_type\":\"llama3\",\"factor\":32.0,"
                "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192},"
                "\"dtype\":\"bfloat16\",\"head_dim\":16,\"temperature\":0.6,\"top_p\":0.9,\"do_sample\":true}"},
        {mistral, "{\"architectures\":[\"MistralForCausalLM\"],\"attention_dropout\":0.0,\"sliding_window\":null,"
                  "\"rope_theta\":1000000.0,\"hidden_act\":\"silu\",\"layer_types\":null}"},
        /* no effect */
        {llama, "{\"pruned_heads\":{},\"num_local_experts\":0,\"logit_scale\":1,\"partial_rotary_factor\":1,"
                "\"text_config\":null,\"attn_logit_softcapping\":null,\"no_rope_layers\":[],\"mlp_bias\":null}"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct model_config c = config_json_accepted(merged(files[i].good, files[i].fields));
        if (c.unread[0]) fail_msg("file %d: not read: %s", (int)i, c.unread);
        assert_string_equal(c.left_out, "");
    }
}

/* Training refuses them. Pricing ignores them and says so, or refuses them too. */
static void test_another_model(void **state) {
    (void)state;
    const struct {
        const char *good, *field, *value;
        bool priced;
    } rows[] = {{llama, "attention_bias", "true", true},
                {llama, "attention_bias", "\"no\"", true},
                {llama, "mlp_bias", "true", true},
                {llama, "quantization_config", "{\"quant_method\":\"awq\",\"bits\":4}", true},
                {llama, "partial_rotary_factor", "0.5", true},
                {llama, "rope_interleaved", "true", true},
                {llama, "final_logit_softcapping", "30.0", true},
                {llama, "hidden_act", "\"gelu\"", true},
                {llama, "use_qk_norm", "true", true},
                {llama, "architectures", "[\"LlamaForSequenceClassification\"]", true},
                {mistral, "sliding_window_pattern", "6", true},
                {gpt2, "activation_function", "\"gelu\"", true},
                {gpt2, "scale_attn_by_inverse_layer_idx", "true", true},
                {gpt2, "scale_attn_weights", "false", true},
                {gpt2, "scale_attn_weights", "null", true}, /* the same as false */
                {gpt2, "tie_word_embeddings", "false", true},
                {bloom, "apply_residual_connection_post_layernorm", "true", true},
                {llama, "architectures", "[\"GPT2LMHeadModel\"]", false}, /* names another family */
                {llama, "num_local_experts", "8", false},
                {llama, "kv_lora_rank", "512", false},
                {llama, "text_config", "{\"hidden_size\":8}", false},
                {llama, "vision_config", "{\"hidden_size\":8}", false},
                {llama, "per_layer_config", "{\"0\":{\"intermediate_size\":8}}", false},
                {gpt2, "pruned_heads", "{\"0\":[1]}", false},
                {gpt2, "add_cross_attention", "true", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config_json_refused(config_json_changed(rows[i].good, rows[i].field, rows[i].value), rows[i].field);
        json_t *json = config_json_changed(rows[i].good, rows[i].field, rows[i].value);
        if (rows[i].priced) {
            const struct model_config c = config_json_priced(json);
            if (strncmp(c.left_out, rows[i].field, strlen(rows[i].field)) != 0)
                fail_msg("%s: left out is \"%s\"", rows[i].field, c.left_out);
            continue;
        }
        struct model_config c;
        struct base_error e = {0};
        assert_int_equal(model_config_parse_priced(&c, "m", json, "x.json", &e), BASE_USAGE);
        assert_non_null(strstr(e.text, rows[i].field));
        json_decref(json);
    }
}

/* In rope_scaling and rope_parameters each kind has its own list of fields. */
static void test_nested(void **state) {
    (void)state;
    const struct {
        const char *value, *field; /* field: NULL: accepted */
    } rows[] = {{"{\"rope_type\":\"default\",\"partial_rotary_factor\":0.5}", "partial_rotary_factor"},
                {"{\"rope_type\":\"default\",\"partial_rotary_factor\":\"1\"}", "partial_rotary_factor"},
                {"{\"rope_type\":\"default\",\"partial_rotary_factor\":1.0}", NULL},
                {"{\"rope_type\":\"default\",\"partial_rotary_factor\":null}", NULL},
                {"{\"rope_type\":\"default\",\"factor\":4.0}", "factor"},
                {"{\"rope_type\":\"default\",\"thetta\":4.0}", "thetta"},
                {"{\"rope_type\":\"default\",\"mrope_section\":[4,2,2]}", "mrope_section"},
                {"{\"rope_type\":\"linear\",\"factor\":4.0,\"low_freq_factor\":1.0}", "low_freq_factor"},
                {"{\"rope_type\":\"linear\",\"factor\":4.0,\"attention_factor\":1.2}", "attention_factor"},
                {"{\"rope_type\":\"linear\",\"factor\":4.0,\"original_max_position_embeddings\":16}", NULL},
                {"{\"rope_type\":\"dynamic\",\"factor\":4.0,\"alpha\":1000}", "alpha"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int old = 0; old < 2; old++) {
            const char *object = old ? "rope_scaling" : "rope_parameters";
            char field[64];
            json_t *json = config_json_changed(llama, object, rows[i].value);
            if (!rows[i].field) {
                config_json_accepted(json);
                continue;
            }
            snprintf(field, sizeof field, "\"%s.%s\"", object, rows[i].field);
            config_json_refused(json, field);
            const struct model_config c = config_json_priced(config_json_changed(llama, object, rows[i].value));
            assert_non_null(strstr(c.left_out, rows[i].field));
        }
}

/* Position scaling that is not trained costs as much as none. */
static void test_priced_positions(void **state) {
    (void)state;
    const char *const kinds[] = {
        "{\"type\":\"yarn\",\"factor\":16.0,\"finetuned\":true,\"original_max_position_embeddings\":8192}",
        "{\"rope_type\":\"longrope\",\"short_factor\":[1.0],\"long_factor\":[1.0],\"factor\":2}",
        "{\"rope_type\":\"ntk\",\"factor\":2}",
        "{\"full_attention\":{\"rope_type\":\"default\"},\"sliding_attention\":{\"rope_type\":\"default\"}}"};
    for (int i = 0; i < 4; i++) {
        config_json_refused(config_json_changed(llama, "rope_scaling", kinds[i]), "rope_scaling");
        const struct model_config c = config_json_priced(config_json_changed(llama, "rope_scaling", kinds[i]));
        assert_true(!strncmp(c.left_out, "rope_scaling", 12) && c.rotary.factor == 0 && c.rotary.theta == 1e4);
    }
}

static void test_layer_types(void **state) {
    (void)state;
#define LIST(a, b, c) "{\"layer_types\":[\"" a "\",\"" b "\",\"" c "\"]"
#define FULL "full_attention"
#define SLIDING "sliding_attention"
    assert_int_equal(config_json_accepted(merged(llama, LIST(FULL, FULL, FULL) "}")).window, 0);
    assert_int_equal(config_json_accepted(merged(gpt2, LIST(FULL, FULL, FULL) "}")).window, 0);
    assert_int_equal(config_json_accepted(merged(mistral, LIST(FULL, FULL, FULL) ",\"sliding_window\":null}")).window,
                     0);
    assert_int_equal(
        config_json_accepted(merged(mistral, LIST(SLIDING, SLIDING, SLIDING) ",\"sliding_window\":7}")).window, 7);
    config_json_accepted(merged(mistral, LIST(FULL, FULL, FULL) "}")); /* its window exceeds its positions */
    config_json_refused(merged(mistral, LIST(FULL, FULL, FULL) ",\"sliding_window\":7}"), "sliding_window");
    config_json_refused(merged(mistral, LIST(SLIDING, SLIDING, SLIDING) ",\"sliding_window\":null}"), "layer_types");
    config_json_refused(merged(mistral, LIST(SLIDING, FULL, SLIDING) ",\"sliding_window\":7}"), "layer_types");
    config_json_refused(merged(llama, LIST(SLIDING, SLIDING, SLIDING) "}"), "layer_types");
    config_json_refused(merged(llama, "{\"layer_types\":[\"full_attention\"]}"), "3 kinds");
    config_json_refused(merged(llama, "{\"layer_types\":\"full_attention\"}"), "layer_types");
    config_json_refused(merged(llama, "{\"layer_types\":[1,1,1]}"), "layer_types");
    const struct model_config c = config_json_priced(merged(llama, LIST(SLIDING, FULL, SLIDING) "}"));
    assert_string_equal(c.left_out, "layer_types (layers of different kinds)");
}

/* An unknown field is noted. It is refused if it may stand for a missing one. */
static void test_unknown(void **state) {
    (void)state;
    const struct model_config c =
        config_json_accepted(merged(llama, "{\"my_setting\":7,\"_private\":7,\"other\":null,\"a\\nb\":{\"c\":1}}"));
    assert_string_equal(c.unread, "my_setting, a?b");
    config_json_refused(merged(llama, "{\"rope_thetta\":5e5}"), "\"rope_theta\"");
    config_json_refused(merged(llama, "{\"head_dims\":32}"), "\"head_dim\"");
    config_json_refused(merged(llama, "{\"rms_norm_epss\":1e-5}"), "\"rms_norm_eps\"");
    config_json_refused(merged(mistral, "{\"num_key_value_head\":2}"), "\"num_key_value_heads\"");
    config_json_refused(merged(gpt2, "{\"layer_norm_epsilon_\":2}"), "\"layer_norm_epsilon\"");
    config_json_refused(config_json("{\"model_type\":\"llama\",\"d_model\":64}"), "\"hidden_size\"");
    config_json_refused(config_json("{\"model_type\":\"gpt2\",\"intermediate_size\":64}"), "\"n_embd\"");
    json_t *json = config_json(llama);
    char key[32];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "something_%d", i);
        json_object_set_new(json, key, json_true());
    }
    const struct model_config many = config_json_accepted(json);
    assert_true(strlen(many.unread) < MODEL_NOTE);
    assert_string_equal(many.unread + strlen(many.unread) - 3, "...");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published),   cmocka_unit_test(test_another_model),
                                       cmocka_unit_test(test_nested),      cmocka_unit_test(test_priced_positions),
                                       cmocka_unit_test(test_layer_types), cmocka_unit_test(test_unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
