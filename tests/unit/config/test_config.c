/* SPDX-License-Identifier: Apache-2.0
 *
 * GPT-2's config.json: its fields are read. Whatever would be trained wrongly is refused with exit 2, names file and
 * field, and writes nothing to the caller's config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/config_json.h"

static const char good[] = "{\"model_type\":\"gpt2\",\"n_embd\":96,\"n_layer\":3,\"n_head\":4,\"n_positions\":50,"
                           "\"vocab_size\":101,\"activation_function\":\"gelu_new\"}";

static json_t *changed(const char *field, const char *value) {
    return config_json_changed(good, field, value);
}

static void test_reads(void **state) {
    (void)state;
    struct model_config c = config_json_accepted(config_json(good));
    assert_string_equal(c.name, "m");
    assert_string_equal(c.family->type, "gpt2");
    assert_int_equal(c.width, 96);
    assert_int_equal(c.layers, 3);
    assert_int_equal(c.full_layers, 3);
    assert_int_equal(c.heads, 4);
    assert_int_equal(c.kv_heads, 4);
    assert_int_equal(c.positions, 50);
    assert_int_equal(c.vocab, 101);
    assert_int_equal(c.ffn, 384); /* four times the width when n_inner is absent ... */
    assert_true(c.norm_eps == 1e-5 && c.init_std == 0.02);
    assert_int_equal(c.parameters, 101 * 96 + 50 * 96 + 3 * (12 * 96 * 96 + 13 * 96) + 2 * 96);
    assert_int_equal(config_json_accepted(changed("n_inner", "null")).ffn,
                     384); /* ... or null, as Hugging Face writes it */
    assert_int_equal(config_json_accepted(changed("n_inner", "100")).ffn, 100);
    assert_true(config_json_accepted(changed("layer_norm_epsilon", "1e-6")).norm_eps == 1e-6);
    assert_true(config_json_accepted(changed("initializer_range", "0.01")).init_std == 0.01);
    config_json_accepted(changed("tie_word_embeddings", "true"));
    config_json_accepted(changed("attn_pdrop", "0.1")); /* fields without effect on training are accepted */
    assert_int_equal(model_config_dim(&c, MODEL_QKV), 288);
    assert_int_equal(model_config_dim(&c, MODEL_ATTENTION), 96);
    assert_int_equal(c.head_dim, 24);
}

static void test_sizes(void **state) {
    (void)state;
    const char *const fields[] = {"n_embd", "n_layer", "n_head", "n_positions", "vocab_size"};
    const char *const values[] = {"null", "0",    "-4",  "16777217", "9223372036854775807", "3.5", "\"96\"",
                                  "true", "[96]", "1e3", "{}"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            config_json_refused(changed(fields[i], values[j]), fields[i]);
    for (size_t j = 1; j < sizeof values / sizeof *values; j++)
        config_json_refused(changed("n_inner", values[j]), "n_inner");
}

/* The documented defaults of transformers: gpt2's 124M, each size by itself. */
static void test_defaults(void **state) {
    (void)state;
    struct model_config c = config_json_accepted(config_json("{\"model_type\":\"gpt2\"}"));
    assert_true(c.width == 768 && c.layers == 12 && c.heads == 12 && c.positions == 1024 && c.vocab == 50257);
    assert_true(c.norm_eps == 1e-5 && c.tied && c.ffn == 3072 && c.parameters == 124439808);
    assert_int_equal(config_json_accepted(changed("n_embd", NULL)).width, 768);
    assert_int_equal(config_json_accepted(changed("n_layer", NULL)).layers, 12);
    assert_int_equal(config_json_accepted(changed("n_head", NULL)).heads, 12);
    assert_int_equal(config_json_accepted(changed("n_positions", NULL)).positions, 1024);
    assert_int_equal(config_json_accepted(changed("vocab_size", NULL)).vocab, 50257);
    assert_int_equal(config_json_accepted(changed("activation_function", NULL)).width, 96);
}

/* GELU by tanh is accepted under all its names. GELU by erf and others are refused. */
static void test_activations(void **state) {
    (void)state;
    const char *const tanh_form[] = {"\"gelu_new\"", "\"gelu_pytorch_tanh\"", "\"gelu_python_tanh\"", "\"gelu_fast\"",
                                     "\"gelu_accurate\""};
    const char *const others[] = {"\"gelu\"", "\"gelu_python\"", "\"gelu_10\"", "\"quick_gelu\"", "\"silu\"", "\"\"",
                                  "null"};
    for (size_t i = 0; i < sizeof tanh_form / sizeof *tanh_form; i++)
        config_json_accepted(changed("activation_function", tanh_form[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        config_json_refused(changed("activation_function", others[i]), "activation_function");
}

static void test_numbers(void **state) {
    (void)state;
    const char *const fields[] = {"layer_norm_epsilon", "initializer_range"};
    const char *const values[] = {"0", "-1e-5", "1", "7.5", "\"1e-5\"", "null", "true", "[]"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            config_json_refused(changed(fields[i], values[j]), fields[i]);
}

static void test_architecture(void **state) {
    (void)state;
    config_json_refused(changed("model_type", NULL), "model_type");
    config_json_refused(changed("model_type", "\"opt\""), "gpt2, bloom, llama, mistral");
    config_json_refused(changed("model_type", "\"llama\""), "hidden_size"); /* llama has other field names */
    config_json_refused(changed("model_type", "\"\""), "model_type");
    config_json_refused(changed("model_type", "7"), "model_type");
    config_json_refused(changed("activation_function", "\"relu\""), "activation_function");
    config_json_refused(changed("activation_function", "\"gelu\""), "activation_function"); /* by erf, not tanh */
    config_json_refused(changed("activation_function", "7"), "activation_function");
    config_json_refused(changed("tie_word_embeddings", "false"), "tie_word_embeddings");
    config_json_refused(changed("tie_word_embeddings", "0"), "tie_word_embeddings");
    config_json_refused(changed("scale_attn_weights", "false"), "scale_attn_weights");
    config_json_refused(changed("scale_attn_by_inverse_layer_idx", "true"), "scale_attn_by_inverse_layer_idx");
    config_json_refused(changed("add_cross_attention", "true"), "add_cross_attention");
    config_json_refused(changed("n_head", "5"), "n_head");
    config_json_refused(changed("n_head", "97"), "n_head");
    json_t *wide = changed("n_embd", "1028"); /* heads of 257 */
    config_json_refused(wide, "257");
}

static void test_not_an_object(void **state) {
    (void)state;
    config_json_refused(config_json("[]"), "object");
    config_json_refused(config_json("7"), "object");
    config_json_refused(config_json("null"), "object");
    config_json_refused(config_json("{}"), "model_type");
}

static void test_slice(void **state) {
    (void)state;
    struct model_config c = config_json_accepted(config_json(good));
    struct base_error e = {0};
    const int64_t layer = 12 * 96 * 96 + 13 * 96, whole = c.parameters;
    const int64_t wrong[] = {0, -1, 4, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(model_config_slice(&c, wrong[i], &e), BASE_USAGE);
        assert_non_null(strstr(e.text, "--layers"));
        assert_int_equal(c.layers, 3);
    }
    assert_int_equal(model_config_slice(&c, 1, &e), BASE_OK);
    assert_int_equal(c.layers, 1);
    assert_int_equal(c.full_layers, 3);
    assert_int_equal(c.parameters, whole - 2 * layer);
    assert_int_equal(model_config_slice(&c, 3, &e), BASE_OK); /* and back */
    assert_int_equal(c.parameters, whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_architecture), cmocka_unit_test(test_not_an_object), cmocka_unit_test(test_slice),
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_activations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
