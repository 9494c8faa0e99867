/* SPDX-License-Identifier: Apache-2.0
 *
 * config.json of every family. The catalogue's presets have the published parameter counts, every name of a field is
 * read, and a family's own fields are trained or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/config_json.h"

static const char bloom[] = "{\"model_type\":\"bloom\",\"hidden_size\":96,\"n_layer\":3,\"n_head\":6,"
                            "\"vocab_size\":101}";
static const char llama[] = "{\"model_type\":\"llama\",\"hidden_size\":96,\"num_hidden_layers\":3,"
                            "\"num_attention_heads\":6,\"num_key_value_heads\":2,\"intermediate_size\":200,"
                            "\"max_position_embeddings\":50,\"vocab_size\":101}";
static const char mistral[] = "{\"model_type\":\"mistral\",\"hidden_size\":96,\"num_hidden_layers\":3,"
                              "\"num_attention_heads\":8,\"intermediate_size\":200,"
                              "\"max_position_embeddings\":50,\"vocab_size\":101}";
static const char gpt2[] = "{\"model_type\":\"gpt2\",\"n_embd\":96,\"n_layer\":3,\"n_head\":4,\"n_positions\":50,"
                           "\"vocab_size\":101}";

static struct model_config with(const char *good, const char *field, const char *value) {
    return config_json_accepted(config_json_changed(good, field, value));
}
static void without(const char *good, const char *field, const char *value, const char *word) {
    config_json_refused(config_json_changed(good, field, value), word);
}

/* Counts of the released weights; of papers' tables if there are none (GPT-3). */
static void test_presets(void **state) {
    (void)state;
    const struct {
        const char *name, *family;
        int64_t count;
    } presets[] = {{"gpt2-124m", "gpt2", 124439808},
                   {"gpt2-355m", "gpt2", 354823168},
                   {"gpt2-774m", "gpt2", 774030080},
                   {"gpt2-1.5b", "gpt2", 1557611200},
                   {"gpt3-175b", "gpt2", 174604259328},
                   {"bloom-560m", "bloom", 559214592},
                   {"bloom-1b1", "bloom", 1065314304},
                   {"bloom-1b7", "bloom", 1722408960},
                   {"bloom-3b", "bloom", 3002557440},
                   {"bloom-7b1", "bloom", 7069016064},
                   {"bloom-176b", "bloom", 176247271424},
                   {"mistral-7b", "mistral", 7241732096},
                   {"llama-2-7b", "llama", 6738415616},
                   {"llama-2-70b", "llama", 68976648192},
                   {"llama-3-8b", "llama", 8030261248},
                   {"llama-3-405b", "llama", 405853388800},
                   {"tiny-gpt2", "gpt2", 124672},
                   {"tiny-bloom", "bloom", 248640},
                   {"tiny-llama", "llama", 125248},
                   {"tiny-mistral", "mistral", 125248},
                   {"mixtral-8x7b", "mixtral", 46702792704},
                   {"tiny-mixtral", "mixtral", 353600},
                   {"tiny-glm4_moe", "glm4_moe", 224592}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        json_t *json = config_json_preset(presets[i].name);
        const int64_t said = json_integer_value(json_object_get(json, "parameters"));
        const struct model_config c = config_json_accepted(json);
        if (c.parameters != presets[i].count || said != presets[i].count || strcmp(c.family->type, presets[i].family))
            fail_msg("%s: a %s of %lld parameters, said to have %lld; wanted %lld", presets[i].name, c.family->type,
                     (long long)c.parameters, (long long)said, (long long)presets[i].count);
    }
}

static void test_bloom(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json(bloom));
    assert_true(c.tied && c.norm_eps == 1e-5 && c.window == 0 && c.ffn == 384 && c.kv_heads == 6 && c.head_dim == 16);
    assert_true(c.positions >= 1 << 20);                                 /* ALiBi has no limit ... */
    assert_int_equal(with(bloom, "seq_length", "2048").positions, 2048); /* ... unless the file has one */
    /* embedding and its norm, 3 layers of 12 w^2 + 13 w, the last norm */
    assert_int_equal(c.parameters, 101 * 96 + 2 * 96 + 3 * (12 * 96 * 96 + 13 * 96) + 2 * 96);
    without(bloom, "apply_residual_connection_post_layernorm", "true", "apply_residual_connection_post_layernorm");
    without(bloom, "n_inner", "385", "n_inner");
    without(bloom, "tie_word_embeddings", "false", "tie_word_embeddings");
    assert_int_equal(with(bloom, "n_inner", "384").ffn, 384);
    assert_int_equal(with(bloom, "n_inner", "null").ffn, 384);
}

static void test_llama(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json(llama));
    assert_true(!c.tied && c.norm_eps == 1e-6 && c.window == 0 && c.kv_heads == 2 && c.head_dim == 16);
    assert_int_equal(model_config_dim(&c, MODEL_QKV), 160);
    assert_int_equal(model_config_dim(&c, MODEL_KV), 32);
    assert_int_equal(model_config_dim(&c, MODEL_FFN_UP), 400);
    const int64_t layer = 96 * 160 + 96 * 96 + 3 * 96 * 200 + 2 * 96;
    assert_int_equal(c.parameters, 2 * 101 * 96 + 3 * layer + 96);
    assert_true(model_config_has(&c, MODEL_HEAD_WEIGHT));
    const struct model_config tied = with(llama, "tie_word_embeddings", "true");
    assert_true(tied.tied && !model_config_has(&tied, MODEL_HEAD_WEIGHT));
    assert_int_equal(tied.parameters, c.parameters - 101 * 96);
    without(gpt2, "tie_word_embeddings", "false", "tie_word_embeddings");

    assert_int_equal(with(llama, "num_key_value_heads", NULL).kv_heads, 6);
    assert_int_equal(with(llama, "num_key_value_heads", "null").kv_heads, 6);
    without(llama, "num_key_value_heads", "4", "num_key_value_heads");
    without(llama, "num_key_value_heads", "12", "num_key_value_heads");
    without(llama, "num_attention_heads", "32", "3 elements"); /* an odd head */
    without(llama, "head_dim", "15", "15 elements");
    without(llama, "head_dim", "258", "258");
    without(llama, "intermediate_size", "null", "intermediate_size");
    without(llama, "attention_bias", "true", "attention_bias");
    without(llama, "mlp_bias", "true", "mlp_bias");
    without(llama, "mlp_bias", "1", "mlp_bias");
    without(llama, "hidden_act", "\"gelu\"", "hidden_act");
    with(llama, "hidden_act", "\"silu\"");
    assert_true(with(llama, "rms_norm_eps", "1e-5").norm_eps == 1e-5);
    assert_int_equal(with(llama, "sliding_window", "8").window, 0); /* Llama has no such field */
}

static void test_mistral(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json(mistral));
    assert_int_equal(c.window, 4096); /* transformers' default */
    assert_int_equal(c.kv_heads, 8);
    assert_int_equal(with(mistral, "num_attention_heads", "16").kv_heads, 8);
    assert_int_equal(with(mistral, "sliding_window", "null").window, 0);
    assert_int_equal(with(mistral, "sliding_window", "7").window, 7);
    without(mistral, "sliding_window", "0", "sliding_window");
    without(mistral, "sliding_window", "\"all\"", "sliding_window");
    without(mistral, "hidden_act", "\"relu\"", "hidden_act");
}

/* Mistral-Nemo-Base-2407: heads narrower than width / heads, 12,247,782,400 parameters. */
static void test_narrow_heads(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json(
        "{\"model_type\":\"mistral\",\"hidden_size\":5120,\"num_hidden_layers\":40,\"num_attention_heads\":32,"
        "\"num_key_value_heads\":8,\"head_dim\":128,\"intermediate_size\":14336,\"max_position_embeddings\":1024000,"
        "\"vocab_size\":131072,\"rope_theta\":1000000.0,\"sliding_window\":null,\"rms_norm_eps\":1e-05}"));
    assert_int_equal(c.head_dim, 128);
    assert_int_equal(model_config_dim(&c, MODEL_ATTENTION), 4096);
    assert_int_equal(model_config_dim(&c, MODEL_QKV), 6144);
    assert_int_equal(c.parameters, 12247782400);
}

static void assert_same(struct model_config a, struct model_config b) {
    assert_true(a.width == b.width && a.layers == b.layers && a.heads == b.heads && a.kv_heads == b.kv_heads);
    assert_true(a.positions == b.positions && a.parameters == b.parameters);
}

/* Either name, or both if they agree. */
static void test_aliases(void **state) {
    (void)state;
    const struct {
        const char *good, *written, *other, *same, *not_same;
    } pairs[] = {
        {gpt2, "n_embd", "hidden_size", "96", "128"},      {gpt2, "n_layer", "num_hidden_layers", "3", "4"},
        {gpt2, "n_head", "num_attention_heads", "4", "8"}, {gpt2, "n_positions", "max_position_embeddings", "50", "51"},
        {bloom, "hidden_size", "n_embed", "96", "192"},    {bloom, "n_layer", "num_hidden_layers", "3", "4"},
        {bloom, "n_head", "num_attention_heads", "6", "4"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct model_config plain = config_json_accepted(config_json(pairs[i].good));
        json_t *alone = config_json_changed(pairs[i].good, pairs[i].other, pairs[i].same);
        json_object_del(alone, pairs[i].written);
        assert_same(config_json_accepted(alone), plain);
        assert_same(with(pairs[i].good, pairs[i].other, pairs[i].same), plain);
        without(pairs[i].good, pairs[i].other, pairs[i].not_same, pairs[i].written);
        without(pairs[i].good, pairs[i].other, pairs[i].not_same, pairs[i].other);
    }
}

static void test_architectures(void **state) {
    (void)state;
    const struct {
        const char *good, *architecture, *bare;
    } families[] = {{gpt2, "[\"GPT2LMHeadModel\"]", "[\"GPT2Model\"]"},
                    {bloom, "[\"BloomForCausalLM\"]", "[\"BloomModel\"]"},
                    {llama, "[\"LlamaForCausalLM\"]", "[\"LlamaModel\"]"},
                    {mistral, "[\"MistralForCausalLM\"]", "[\"MistralModel\"]"}};
    for (int i = 0; i < 4; i++) {
        with(families[i].good, "architectures", families[i].bare);
        with(families[i].good, "architectures", "[]");
        with(families[i].good, "architectures", "null");
        without(families[i].good, "architectures", families[(i + 1) % 4].bare, "architectures");
        without(families[i].good, "architectures", "\"GPT2LMHeadModel\"", "architectures");
        without(families[i].good, "architectures", "[7]", "architectures");
        with(families[i].good, "architectures", families[i].architecture);
        without(families[i].good, "architectures", families[(i + 1) % 4].architecture, "architectures");
        without(families[i].good, "model_type", "\"opt\"", "known: gpt2, bloom, llama, mistral");
    }
}

#define LLAMA3                                                                                                         \
    "\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"                        \
    "\"original_max_position_embeddings\":8192"

static void assert_llama3(struct model_config c, double theta) {
    assert_true(c.rotary.theta == theta && c.rotary.factor == 8 && c.rotary.low == 1 && c.rotary.high == 4);
    assert_int_equal(c.rotary.original, 8192);
}

static void test_rotary(void **state) {
    (void)state;
    assert_true(config_json_accepted(config_json(llama)).rotary.theta == 10000);
    assert_true(with(llama, "rope_theta", "5e5").rotary.theta == 5e5);
    const char *const none[] = {"null", "{\"rope_type\":\"default\"}", "{\"type\":\"default\"}"};
    for (int i = 0; i < 3; i++) assert_true(with(llama, "rope_scaling", none[i]).rotary.factor == 0);
    assert_llama3(with(llama, "rope_scaling", "{" LLAMA3 "}"), 10000);
    /* as transformers 5 writes: both in one object */
    assert_llama3(with(llama, "rope_parameters", "{\"rope_theta\":500000.0," LLAMA3 "}"), 5e5);
    const struct model_config plain = with(llama, "rope_parameters", "{\"rope_theta\":5e5,\"rope_type\":\"default\"}");
    assert_true(plain.rotary.theta == 5e5 && plain.rotary.factor == 0);

    json_t *twice = config_json_changed(llama, "rope_parameters", "{\"rope_theta\":5e5,\"rope_type\":\"default\"}");
    json_object_set_new(twice, "rope_theta", json_real(1e4));
    config_json_refused(twice, "rope_theta");
    json_t *beside = config_json_changed(llama, "rope_parameters", "{\"rope_theta\":5e5,\"rope_type\":\"default\"}");
    json_object_set_new(beside, "rope_scaling", config_json("{" LLAMA3 "}"));
    config_json_refused(beside, "rope_scaling");

    without(llama, "rope_parameters", "7", "rope_parameters");
    without(llama, "rope_theta", "0", "rope_theta");
    without(llama, "rope_theta", "\"1e4\"", "rope_theta");
    /* transformers 5 also reads the older object like the newer one */
    assert_true(with(llama, "rope_scaling", "{\"rope_theta\":5e5,\"rope_type\":\"default\"}").rotary.theta == 5e5);
    assert_true(with(llama, "rope_parameters", "{\"rope_theta\":5e5}").rotary.theta == 5e5);
    assert_true(with(llama, "rope_parameters", "null").rotary.theta == 10000);
    without(llama, "layer_types", "[\"full_attention\", \"linear_attention\"]", "layer_types");
    without(llama, "partial_rotary_factor", "0.5", "partial_rotary_factor");
    without(llama, "quantization_config", "{\"bits\":4}", "quantization_config");
    const char *const kinds[] = {"yarn", "longrope", "su", "mrope", "proportional", "ntk"};
    for (int i = 0; i < 6; i++) {
        json_t *json = config_json(llama);
        json_object_set_new(json, "rope_scaling", json_pack("{s:s, s:f}", "rope_type", kinds[i], "factor", 2.0));
        config_json_refused(json, kinds[i]);
    }
    without(llama, "rope_scaling", "{\"factor\":2.0}", "rope_type");
}

/* Linear scaling, under both names of the object and of the kind; dynamic scaling, which starts beyond the positions.
 */
static void test_scaling(void **state) {
    (void)state;
    const char *const linear[] = {"{\"type\":\"linear\",\"factor\":4.0}", "{\"rope_type\":\"linear\",\"factor\":4}",
                                  "{\"type\":\"linear\",\"rope_type\":\"linear\",\"factor\":4.0,\"rope_theta\":null}",
                                  "{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":4.0}}"};
    for (int i = 0; i < 4; i++)
        for (int old = 0; old < 2; old++) {
            const struct model_rotary r = with(llama, old ? "rope_scaling" : "rope_parameters", linear[i]).rotary;
            assert_true(r.theta == 10000 && r.factor == 4 && r.high == 0 && r.dynamic == 0);
        }
    const struct model_rotary both =
        with(llama, "rope_parameters", "{\"rope_type\":\"linear\",\"factor\":8.0,\"rope_theta\":5e5}").rotary;
    assert_true(both.theta == 5e5 && both.factor == 8 && both.high == 0);
    const struct model_rotary dynamic = with(llama, "rope_scaling", "{\"type\":\"dynamic\",\"factor\":2.0}").rotary;
    assert_true(dynamic.factor == 0 && dynamic.dynamic == 2);
    const char *const kinds[] = {"linear", "dynamic", "llama3"}, *const factors[] = {NULL,    "null", "0",   "-2",
                                                                                     "\"4\"", "true", "[4]", "1e300"};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 8; j++) {
            json_t *json = config_json(llama), *rope = json_pack("{s:s}", "type", kinds[i]);
            if (factors[j]) json_object_set_new(rope, "factor", config_json(factors[j]));
            json_object_set_new(json, "rope_scaling", rope);
            config_json_refused(json, "rope_scaling.factor");
        }
    without(llama, "rope_scaling", "{\"type\":\"linear\",\"rope_type\":\"default\",\"factor\":4.0}",
            "rope_scaling.type");
    without(llama, "rope_scaling", "{\"type\":7,\"factor\":4.0}", "rope_scaling.rope_type");
}

/* A null has no effect next to the same field elsewhere or under another name. */
static void test_null(void **state) {
    (void)state;
    json_t *json = config_json_changed(llama, "rope_theta", "null");
    json_object_set_new(json, "rope_parameters", config_json("{\"rope_theta\":5e5,\"rope_type\":\"default\"}"));
    assert_true(config_json_accepted(json).rotary.theta == 5e5);
    assert_true(with(llama, "rope_theta", "null").rotary.theta == 1e4);
    assert_true(
        with(llama, "rope_parameters", "{\"rope_theta\":null,\"factor\":null,\"rope_type\":null}").rotary.theta == 1e4);
    assert_int_equal(with(gpt2, "hidden_size", "null").width, 96);
    json = config_json_changed(gpt2, "n_embd", "null");
    json_object_set_new(json, "hidden_size", json_integer(64));
    assert_int_equal(config_json_accepted(json).width, 64);
    assert_int_equal(with(mistral, "num_key_value_heads", "null").kv_heads, 8);
    assert_int_equal(with(llama, "head_dim", "null").head_dim, 16);
    without(llama, "tie_word_embeddings", "null", "tie_word_embeddings");
}

/* The documented defaults of transformers; counts are those of its models (5.24). */
static void test_defaults(void **state) {
    (void)state;
    const struct {
        const char *type;
        int64_t parameters, positions, window, kv_heads;
        double eps, theta;
    } rows[] = {{"gpt2", 124439808, 1024, 0, 12, 1e-5, 0},
                {"bloom", 16156544, MODEL_ENDLESS, 0, 8, 1e-5, 0},
                {"llama", 6738415616, 2048, 0, 32, 1e-6, 1e4},
                {"mistral", 7241732096, 131072, 4096, 8, 1e-6, 1e4},
                {"mixtral", 46702792704, 131072, 0, 8, 1e-5, 1e6}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *json = json_pack("{s:s}", "model_type", rows[i].type);
        const struct model_config c = config_json_priced(json);
        assert_int_equal(c.parameters, rows[i].parameters);
        assert_int_equal(c.positions, rows[i].positions);
        assert_true(c.window == rows[i].window && c.kv_heads == rows[i].kv_heads);
        assert_true(c.norm_eps == rows[i].eps && c.rotary.theta == rows[i].theta && c.init_std == 0.02);
    }
}

/* Its defaults, but for what is not trained. The count is that of transformers 5.24 with the routers' biases. */
static const char glm[] = "{\"model_type\": \"glm4_moe\", \"head_dim\": 42, \"first_k_dense_replace\": 0,"
                          "\"rope_parameters\": {\"rope_theta\": 10000.0, \"partial_rotary_factor\": 1.0}}";
static void test_glm(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json(glm));
    assert_int_equal(c.parameters, 105579144960);
    assert_true(c.experts == 128 && c.active == 8 && c.shared == 1 && c.expert_scale == 1 && c.balance == 0);
    assert_true(c.ffn == 1408 && c.kv_heads == 8 && c.norm_eps == 1e-5 && c.rotary.theta == 1e4 && !c.unread[0]);
    const struct model_config scaled = with(glm, "routed_scaling_factor", "2.5");
    assert_true(scaled.expert_scale == 2.5);
    const char *const rows[][3] = {{"first_k_dense_replace", NULL, "absent, it is 1"},
                                   {"first_k_dense_replace", "1", "first layers that are dense"},
                                   {"first_k_dense_replace", "null", "absent, it is 1"},
                                   {"rope_parameters", "{\"rope_theta\": 1e4}", "absent, it is 0.5"},
                                   {"n_shared_experts", "16777216", "n_shared_experts"},
                                   {"rope_parameters", NULL, "absent, it is 0.5"},
                                   {"n_group", "4", "experts chosen by groups"},
                                   {"norm_topk_prob", "false", "do not add up to 1"},
                                   {"num_nextn_predict_layers", "1", "heads for further tokens"},
                                   {"n_shared_experts", "0", "n_shared_experts"},
                                   {"num_experts_per_tok", "129", "cannot pass more experts"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *json = config_json(glm);
        if (rows[i][1])
            json_object_set_new(json, rows[i][0], json_loads(rows[i][1], JSON_DECODE_ANY, NULL));
        else
            json_object_del(json, rows[i][0]);
        config_json_refused(json, rows[i][2]);
    }
}

static void test_llama3_numbers(void **state) {
    (void)state;
    const char *const numbers[] = {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"};
    const char *const values[] = {NULL, "0", "-1", "null", "\"8\""};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 5; j++) {
            json_t *json = config_json(llama);
            json_object_set_new(json, "rope_scaling", config_json_changed("{" LLAMA3 "}", numbers[i], values[j]));
            config_json_refused(json, numbers[i]);
        }
    const char *const low[] = {"4.0", "5.0"};
    for (int i = 0; i < 2; i++) {
        json_t *json = config_json(llama);
        json_object_set_new(json, "rope_scaling", config_json_changed("{" LLAMA3 "}", "low_freq_factor", low[i]));
        config_json_refused(json, "high_freq_factor");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets),       cmocka_unit_test(test_bloom),          cmocka_unit_test(test_llama),
        cmocka_unit_test(test_mistral),       cmocka_unit_test(test_narrow_heads),   cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_architectures), cmocka_unit_test(test_rotary),         cmocka_unit_test(test_glm),
        cmocka_unit_test(test_glm),           cmocka_unit_test(test_llama3_numbers), cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_null),          cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
