/* SPDX-License-Identifier: Apache-2.0
 *
 * The families: architecture choices and parameters as data. Another family is another row. */
#include <string.h>

#include "model/config.h"

/* Radford et al. 2019; names and the residual scaling as in Hugging Face's modeling_gpt2 and OpenAI's
 * release; decay on matrices and not on gains and biases, as nanoGPT and llm.c train it. */
static const struct model_parameter gpt2_parameters[] = {
    {MODEL_TOKEN_TABLE, "wte.weight", MODEL_VOCAB, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS, true},
    {MODEL_POSITION_TABLE, "wpe.weight", MODEL_POSITIONS, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_NONE, true},
    {MODEL_NORM1_GAIN, "h.%d.ln_1.weight", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ONE, MODEL_SHARD_NONE, false},
    {MODEL_NORM1_BIAS, "h.%d.ln_1.bias", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ZERO, MODEL_SHARD_NONE, false},
    {MODEL_QKV_WEIGHT, "h.%d.attn.c_attn.weight", MODEL_QKV, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS, true},
    {MODEL_QKV_BIAS, "h.%d.attn.c_attn.bias", MODEL_ONE, MODEL_QKV, MODEL_INIT_ZERO, MODEL_SHARD_COLS, false},
    {MODEL_PROJ_WEIGHT, "h.%d.attn.c_proj.weight", MODEL_WIDTH, MODEL_ATTENTION, MODEL_INIT_RESIDUAL, MODEL_SHARD_COLS,
     true},
    {MODEL_PROJ_BIAS, "h.%d.attn.c_proj.bias", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ZERO, MODEL_SHARD_NONE, false},
    {MODEL_NORM2_GAIN, "h.%d.ln_2.weight", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ONE, MODEL_SHARD_NONE, false},
    {MODEL_NORM2_BIAS, "h.%d.ln_2.bias", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ZERO, MODEL_SHARD_NONE, false},
    {MODEL_UP_WEIGHT, "h.%d.mlp.c_fc.weight", MODEL_FFN, MODEL_WIDTH, MODEL_INIT_NORMAL, MODEL_SHARD_ROWS, true},
    {MODEL_UP_BIAS, "h.%d.mlp.c_fc.bias", MODEL_ONE, MODEL_FFN, MODEL_INIT_ZERO, MODEL_SHARD_COLS, false},
    {MODEL_DOWN_WEIGHT, "h.%d.mlp.c_proj.weight", MODEL_WIDTH, MODEL_FFN, MODEL_INIT_RESIDUAL, MODEL_SHARD_COLS, true},
    {MODEL_DOWN_BIAS, "h.%d.mlp.c_proj.bias", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ZERO, MODEL_SHARD_NONE, false},
    {MODEL_FINAL_GAIN, "ln_f.weight", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ONE, MODEL_SHARD_NONE, false},
    {MODEL_FINAL_BIAS, "ln_f.bias", MODEL_ONE, MODEL_WIDTH, MODEL_INIT_ZERO, MODEL_SHARD_NONE, false},
};

static const struct model_family families[] = {
    {.type = "gpt2",
     .activation = "gelu_new",
     .key_width = "n_embd",
     .key_layers = "n_layer",
     .key_heads = "n_head",
     .key_ffn = "n_inner",
     .key_positions = "n_positions",
     .key_vocab = "vocab_size",
     .key_eps = "layer_norm_epsilon",
     .key_activation = "activation_function",
     .ffn_default = 4,
     .parameters = gpt2_parameters,
     .parameter_count = sizeof gpt2_parameters / sizeof *gpt2_parameters},
};

const struct model_family *model_family_find(const char *type) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].type, type)) return &families[i];
    return NULL;
}

const char *model_family_list(void) {
    return "gpt2";
}
