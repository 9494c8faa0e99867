/* SPDX-License-Identifier: Apache-2.0
 *
 * The families as data: architecture and parameters. To add a family, add a row. Names are those of Hugging Face's
 * modeling_*.py. Weight decay applies to matrices but not to gains and biases, as in nanoGPT and llm.c. */
#include <string.h>

#include "base/text.h"
#include "config/config.h"

#define GAIN(role, name)                                                                                               \
    { role, name, MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ONE, MODEL_SHARD_NONE, false, false, false, false }
#define BIAS(role, name, dim, shard)                                                                                   \
    { role, name, MODEL_ONE, dim, MODEL_INIT_ZERO, shard, false, false, false, false }
#define WEIGHT(role, name, rows, cols, init, shard)                                                                    \
    { role, name, rows, cols, init, shard, true, false, false, false }
#define GLUED(role, name, rows, cols)                                                                                  \
    { role, name, rows, cols, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS, true, true, false, false }
#define CONV1D(role, name, rows, cols, init, shard)                                                                    \
    { role, name, rows, cols, init, shard, true, false, true, false }
#define EXPERT(role, name, rows, cols, shard)                                                                          \
    { role, "layers.%d." name, rows, cols, MODEL_INIT_NORMAL, shard, true, false, false, true }
#define EXPERTS(of, gate, value, down)                                                                                 \
    EXPERT(MODEL_UP_WEIGHT, of ".experts.%d." gate, MODEL_FFN, MODEL_WIDTH, MODEL_SHARD_ROWS),                         \
        EXPERT(MODEL_UP_VALUE_WEIGHT, of ".experts.%d." value, MODEL_FFN, MODEL_WIDTH, MODEL_SHARD_ROWS),              \
        EXPERT(MODEL_DOWN_WEIGHT, of ".experts.%d." down, MODEL_WIDTH, MODEL_FFN, MODEL_SHARD_COLS)

/* Radford et al. 2019. Residual weights are scaled as in OpenAI's release. */
static const struct model_parameter gpt2_parameters[] = {
    WEIGHT(MODEL_TOKEN_TABLE, "wte.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    WEIGHT(MODEL_POSITION_TABLE, "wpe.weight", MODEL_POSITIONS, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_NONE),
    GAIN(MODEL_NORM1_GAIN, "h.%d.ln_1.weight"),
    BIAS(MODEL_NORM1_BIAS, "h.%d.ln_1.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    CONV1D(MODEL_QKV_WEIGHT, "h.%d.attn.c_attn.weight", MODEL_QKV, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    BIAS(MODEL_QKV_BIAS, "h.%d.attn.c_attn.bias", MODEL_QKV, MODEL_SHARD_COLS),
    CONV1D(MODEL_PROJ_WEIGHT, "h.%d.attn.c_proj.weight", MODEL_WIDTH, MODEL_ATTENTION, MODEL_INIT_RESIDUAL,
           MODEL_SHARD_COLS),
    BIAS(MODEL_PROJ_BIAS, "h.%d.attn.c_proj.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    GAIN(MODEL_NORM2_GAIN, "h.%d.ln_2.weight"),
    BIAS(MODEL_NORM2_BIAS, "h.%d.ln_2.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    CONV1D(MODEL_UP_WEIGHT, "h.%d.mlp.c_fc.weight", MODEL_FFN, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    BIAS(MODEL_UP_BIAS, "h.%d.mlp.c_fc.bias", MODEL_FFN, MODEL_SHARD_COLS),
    CONV1D(MODEL_DOWN_WEIGHT, "h.%d.mlp.c_proj.weight", MODEL_WIDTH, MODEL_FFN, MODEL_INIT_RESIDUAL, MODEL_SHARD_COLS),
    BIAS(MODEL_DOWN_BIAS, "h.%d.mlp.c_proj.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    GAIN(MODEL_FINAL_GAIN, "ln_f.weight"),
    BIAS(MODEL_FINAL_BIAS, "ln_f.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
};

/* Le Scao et al. 2022 (BLOOM). Residual weights start scaled as in Megatron-DeepSpeed, which trained it.
 * query_key_value holds queries, keys and values head by head. */
static const struct model_parameter bloom_parameters[] = {
    WEIGHT(MODEL_TOKEN_TABLE, "word_embeddings.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    GAIN(MODEL_EMBED_GAIN, "word_embeddings_layernorm.weight"),
    BIAS(MODEL_EMBED_BIAS, "word_embeddings_layernorm.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    GAIN(MODEL_NORM1_GAIN, "h.%d.input_layernorm.weight"),
    BIAS(MODEL_NORM1_BIAS, "h.%d.input_layernorm.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    WEIGHT(MODEL_QKV_WEIGHT, "h.%d.self_attention.query_key_value.weight", MODEL_QKV, MODEL_WIDTH, MODEL_INIT_NORMAL,
           MODEL_SHARD_ROWS),
    BIAS(MODEL_QKV_BIAS, "h.%d.self_attention.query_key_value.bias", MODEL_QKV, MODEL_SHARD_COLS),
    WEIGHT(MODEL_PROJ_WEIGHT, "h.%d.self_attention.dense.weight", MODEL_WIDTH, MODEL_ATTENTION, MODEL_INIT_RESIDUAL,
           MODEL_SHARD_COLS),
    BIAS(MODEL_PROJ_BIAS, "h.%d.self_attention.dense.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    GAIN(MODEL_NORM2_GAIN, "h.%d.post_attention_layernorm.weight"),
    BIAS(MODEL_NORM2_BIAS, "h.%d.post_attention_layernorm.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    WEIGHT(MODEL_UP_WEIGHT, "h.%d.mlp.dense_h_to_4h.weight", MODEL_FFN, MODEL_WIDTH, MODEL_INIT_NORMAL,
           MODEL_SHARD_ROWS),
    BIAS(MODEL_UP_BIAS, "h.%d.mlp.dense_h_to_4h.bias", MODEL_FFN, MODEL_SHARD_COLS),
    WEIGHT(MODEL_DOWN_WEIGHT, "h.%d.mlp.dense_4h_to_h.weight", MODEL_WIDTH, MODEL_FFN, MODEL_INIT_RESIDUAL,
           MODEL_SHARD_COLS),
    BIAS(MODEL_DOWN_BIAS, "h.%d.mlp.dense_4h_to_h.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
    GAIN(MODEL_FINAL_GAIN, "ln_f.weight"),
    BIAS(MODEL_FINAL_BIAS, "ln_f.bias", MODEL_WIDTH, MODEL_SHARD_NONE),
};

/* What Llama and similar models have before a layer's MLP and after the last one. */
#define LLAMA_TO_MLP                                                                                                   \
    WEIGHT(MODEL_TOKEN_TABLE, "embed_tokens.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),   \
        GAIN(MODEL_NORM1_GAIN, "layers.%d.input_layernorm.weight"),                                                    \
        WEIGHT(MODEL_QKV_WEIGHT, "layers.%d.self_attn.q_proj.weight", MODEL_ATTENTION, MODEL_WIDTH, MODEL_INIT_NORMAL, \
               MODEL_SHARD_ROWS),                                                                                      \
        GLUED(MODEL_KEY_WEIGHT, "layers.%d.self_attn.k_proj.weight", MODEL_KV, MODEL_WIDTH),                           \
        GLUED(MODEL_VALUE_WEIGHT, "layers.%d.self_attn.v_proj.weight", MODEL_KV, MODEL_WIDTH),                         \
        WEIGHT(MODEL_PROJ_WEIGHT, "layers.%d.self_attn.o_proj.weight", MODEL_WIDTH, MODEL_ATTENTION,                   \
               MODEL_INIT_NORMAL, MODEL_SHARD_COLS),                                                                   \
        GAIN(MODEL_NORM2_GAIN, "layers.%d.post_attention_layernorm.weight")
#define LLAMA_FROM_MLP                                                                                                 \
    GAIN(MODEL_FINAL_GAIN, "norm.weight"),                                                                             \
        WEIGHT(MODEL_HEAD_WEIGHT, "lm_head.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS)

/* Touvron et al. 2023. Mistral (Jiang et al. 2023) has the same tensors. */
static const struct model_parameter llama_parameters[] = {
    LLAMA_TO_MLP,
    WEIGHT(MODEL_UP_WEIGHT, "layers.%d.mlp.gate_proj.weight", MODEL_FFN, MODEL_WIDTH, MODEL_INIT_NORMAL,
           MODEL_SHARD_ROWS),
    GLUED(MODEL_UP_VALUE_WEIGHT, "layers.%d.mlp.up_proj.weight", MODEL_FFN, MODEL_WIDTH),
    WEIGHT(MODEL_DOWN_WEIGHT, "layers.%d.mlp.down_proj.weight", MODEL_WIDTH, MODEL_FFN, MODEL_INIT_NORMAL,
           MODEL_SHARD_COLS),
    LLAMA_FROM_MLP,
};

/* Jiang et al. 2024: Mistral's layers with a router and experts in place of the MLP. */
static const struct model_parameter mixtral_parameters[] = {
    LLAMA_TO_MLP,
    WEIGHT(MODEL_ROUTER_WEIGHT, "layers.%d.block_sparse_moe.gate.weight", MODEL_EXPERTS, MODEL_WIDTH, MODEL_INIT_NORMAL,
           MODEL_SHARD_NONE),
    EXPERTS("block_sparse_moe", "w1.weight", "w3.weight", "w2.weight"),
    LLAMA_FROM_MLP,
};

/* GLM-4.5 team 2025: DeepSeek-V3's router and shared experts (DeepSeek-AI 2024) with grouped queries. */
#define DEEPSEEK_EXPERTS                                                                                               \
    WEIGHT(MODEL_ROUTER_WEIGHT, "layers.%d.mlp.gate.weight", MODEL_EXPERTS, MODEL_WIDTH, MODEL_INIT_NORMAL,            \
           MODEL_SHARD_NONE),                                                                                          \
        BIAS(MODEL_ROUTER_BIAS, "layers.%d.mlp.gate.e_score_correction_bias", MODEL_EXPERTS, MODEL_SHARD_NONE),        \
        WEIGHT(MODEL_SHARED_UP_WEIGHT, "layers.%d.mlp.shared_experts.gate_proj.weight", MODEL_SHARED, MODEL_WIDTH,     \
               MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),                                                                   \
        GLUED(MODEL_SHARED_UP_VALUE_WEIGHT, "layers.%d.mlp.shared_experts.up_proj.weight", MODEL_SHARED, MODEL_WIDTH), \
        WEIGHT(MODEL_SHARED_DOWN_WEIGHT, "layers.%d.mlp.shared_experts.down_proj.weight", MODEL_WIDTH, MODEL_SHARED,   \
               MODEL_INIT_NORMAL, MODEL_SHARD_COLS),                                                                   \
        EXPERTS("mlp", "gate_proj.weight", "up_proj.weight", "down_proj.weight")

static const struct model_parameter glm4_moe_parameters[] = {LLAMA_TO_MLP, DEEPSEEK_EXPERTS, LLAMA_FROM_MLP};

/* DeepSeek-AI 2024 (DeepSeek-V3): latent attention, and an MLP in the first layers. */
static const struct model_parameter deepseek_v3_parameters[] = {
    WEIGHT(MODEL_TOKEN_TABLE, "embed_tokens.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    GAIN(MODEL_NORM1_GAIN, "layers.%d.input_layernorm.weight"),
    WEIGHT(MODEL_QUERY_DOWN_WEIGHT, "layers.%d.self_attn.q_a_proj.weight", MODEL_QUERY_RANK, MODEL_WIDTH,
           MODEL_INIT_NORMAL, MODEL_SHARD_NONE),
    BIAS(MODEL_QUERY_GAIN, "layers.%d.self_attn.q_a_layernorm.weight", MODEL_QUERY_RANK, MODEL_SHARD_NONE),
    WEIGHT(MODEL_QUERY_UP_WEIGHT, "layers.%d.self_attn.q_b_proj.weight", MODEL_QUERIES, MODEL_QUERY_RANK,
           MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    WEIGHT(MODEL_KV_DOWN_WEIGHT, "layers.%d.self_attn.kv_a_proj_with_mqa.weight", MODEL_KV_RANK, MODEL_WIDTH,
           MODEL_INIT_NORMAL, MODEL_SHARD_NONE),
    BIAS(MODEL_KV_GAIN, "layers.%d.self_attn.kv_a_layernorm.weight", MODEL_KV_LATENT, MODEL_SHARD_NONE),
    WEIGHT(MODEL_KV_UP_WEIGHT, "layers.%d.self_attn.kv_b_proj.weight", MODEL_KV_FROM_IT, MODEL_KV_LATENT,
           MODEL_INIT_NORMAL, MODEL_SHARD_ROWS),
    WEIGHT(MODEL_PROJ_WEIGHT, "layers.%d.self_attn.o_proj.weight", MODEL_WIDTH, MODEL_ATTENTION, MODEL_INIT_NORMAL,
           MODEL_SHARD_COLS),
    GAIN(MODEL_NORM2_GAIN, "layers.%d.post_attention_layernorm.weight"),
    WEIGHT(MODEL_DENSE_UP_WEIGHT, "layers.%d.mlp.gate_proj.weight", MODEL_DENSE, MODEL_WIDTH, MODEL_INIT_NORMAL,
           MODEL_SHARD_ROWS),
    GLUED(MODEL_DENSE_UP_VALUE_WEIGHT, "layers.%d.mlp.up_proj.weight", MODEL_DENSE, MODEL_WIDTH),
    WEIGHT(MODEL_DENSE_DOWN_WEIGHT, "layers.%d.mlp.down_proj.weight", MODEL_WIDTH, MODEL_DENSE, MODEL_INIT_NORMAL,
           MODEL_SHARD_COLS),
    DEEPSEEK_EXPERTS,
    LLAMA_FROM_MLP,
};

#define PARAMETERS(table) .parameters = table, .parameter_count = sizeof table / sizeof *table
#define SIZES_7B .width = 4096, .layers = 32, .heads = 32, .vocab = 32000
#define LLAMA LLAMA_FIELDS, .key_ffn = {"intermediate_size"}, PARAMETERS(llama_parameters)
#define LLAMA_FIELDS                                                                                                   \
    .activations = {"silu", "swish"}, .prefix = "model.", .key_width = {"hidden_size"},                                \
    .key_layers = {"num_hidden_layers"}, .key_heads = {"num_attention_heads"},                                         \
    .key_kv_heads = {"num_key_value_heads"}, .key_head_dim = {"head_dim"},                                             \
    .key_positions = {"max_position_embeddings"}, .key_eps = {"rms_norm_eps"}, .key_activation = {"hidden_act"},       \
    .position = MODEL_POSITION_ROTARY, .rms = true, .gated = true

/* Defaults: configuration_*.py of transformers 4.57 and 5.24, which agree. The names of GELU by tanh differ only in
 * rounding (activations.py there). */
static const struct model_family families[] = {
    {.type = "gpt2",
     .architectures = {"GPT2LMHeadModel", "GPT2Model"},
     .activations = {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"},
     .prefix = "transformer.",
     .key_width = {"n_embd", "hidden_size"},
     .key_layers = {"n_layer", "num_hidden_layers"},
     .key_heads = {"n_head", "num_attention_heads"},
     .key_ffn = {"n_inner"},
     .key_positions = {"n_positions", "max_position_embeddings"},
     .key_eps = {"layer_norm_epsilon"},
     .key_activation = {"activation_function"},
     .defaults = {.width = 768, .layers = 12, .heads = 12, .positions = 1024, .vocab = 50257, .eps = 1e-5},
     .ffn_times = 4,
     .position = MODEL_POSITION_LEARNED,
     .tied = true,
     PARAMETERS(gpt2_parameters)},
    {.type = "bloom",
     .architectures = {"BloomForCausalLM", "BloomModel"},
     .prefix = "transformer.",
     .key_width = {"hidden_size", "n_embed"},
     .key_layers = {"n_layer", "num_hidden_layers"},
     .key_heads = {"n_head", "num_attention_heads"},
     .key_ffn = {"n_inner"},
     .key_positions = {"seq_length"},
     .key_eps = {"layer_norm_epsilon"},
     .defaults = {.width = 64, .layers = 2, .heads = 8, .positions = MODEL_ENDLESS, .vocab = 250880, .eps = 1e-5},
     .ffn_times = 4,
     .ffn_fixed = true,
     .position = MODEL_POSITION_ALIBI,
     .interleaved = true,
     .tied = true,
     PARAMETERS(bloom_parameters)},
    {.type = "llama",
     .architectures = {"LlamaForCausalLM", "LlamaModel", "LLaMAForCausalLM"},
     .defaults = {SIZES_7B, .ffn = 11008, .positions = 2048, .eps = 1e-6, .theta = 1e4},
     LLAMA},
    {.type = "mistral",
     .architectures = {"MistralForCausalLM", "MistralModel"},
     .key_window = {"sliding_window"},
     .defaults = {SIZES_7B, .kv_heads = 8, .ffn = 14336, .positions = 131072, .window = 4096, .eps = 1e-6,
                  .theta = 1e4},
     LLAMA},
    {.type = "mixtral",
     .architectures = {"MixtralForCausalLM", "MixtralModel"},
     .key_window = {"sliding_window"},
     .key_experts = {"num_local_experts", "num_experts"},
     .key_active = {"num_experts_per_tok"},
     .key_balance = {"router_aux_loss_coef"},
     .defaults = {SIZES_7B, .kv_heads = 8, .ffn = 14336, .positions = 131072, .experts = 8, .active = 2, .eps = 1e-5,
                  .theta = 1e6, .balance = 1e-3},
     LLAMA_FIELDS,
     .key_ffn = {"intermediate_size"},
     PARAMETERS(mixtral_parameters)},
    {.type = "glm4_moe",
     .architectures = {"Glm4MoeForCausalLM", "Glm4MoeModel"},
     .key_ffn = {"moe_intermediate_size"},
     .key_experts = {"n_routed_experts", "num_local_experts"},
     .key_active = {"num_experts_per_tok"},
     .key_shared = {"n_shared_experts"},
     .key_scale = {"routed_scaling_factor"},
     .defaults = {.width = 4096,
                  .layers = 46,
                  .heads = 96,
                  .kv_heads = 8,
                  .ffn = 1408,
                  .positions = 131072,
                  .vocab = 151552,
                  .experts = 128,
                  .active = 8,
                  .shared = 1,
                  .eps = 1e-5,
                  .theta = 1e4},
     .needed = {{"first_k_dense_replace", "0", "1", "first layers that are dense"},
                {"partial_rotary_factor", "1", "0.5", "rotary positions of a part of each head", true}},
     .unused = "intermediate_size",
     .sigmoid = true,
     LLAMA_FIELDS,
     PARAMETERS(glm4_moe_parameters)},
    {.type = "deepseek_v3",
     .architectures = {"DeepseekV3ForCausalLM", "DeepseekV3Model"},
     .key_ffn = {"moe_intermediate_size"},
     .key_experts = {"n_routed_experts", "num_local_experts"},
     .key_active = {"num_experts_per_tok"},
     .key_shared = {"n_shared_experts"},
     .key_scale = {"routed_scaling_factor"},
     .sigmoid = true,
     .priced = true,
     LLAMA_FIELDS,
     PARAMETERS(deepseek_v3_parameters)},
};

const struct model_family *model_family_find(const char *type) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].type, type)) return &families[i];
    return NULL;
}

const struct model_family *model_family_of(const char *architecture) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (size_t k = 0; k < sizeof families[i].architectures / sizeof *families[i].architectures; k++) {
            const char *name = families[i].architectures[k];
            if (name && !strcmp(name, architecture)) return &families[i];
        }
    return NULL;
}

void model_family_list(char text[MODEL_FAMILY_LIST]) {
    text[0] = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!families[i].priced) base_text_append(text, MODEL_FAMILY_LIST, families[i].type);
}
