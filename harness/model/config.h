/* SPDX-License-Identifier: Apache-2.0
 *
 * What is trained: the sizes of a transformer and the family it belongs to. A family is a row of a table
 * (family.c): the architecture's choices, the names of its fields in a Hugging Face config.json, and its
 * parameters. The model's code asks the row; it holds no copy per family. */
#ifndef TOISE_MODEL_CONFIG_H
#define TOISE_MODEL_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A size of the model, by which tables of parameters and buffers are written. */
enum model_dim { MODEL_ONE, MODEL_WIDTH, MODEL_QKV, MODEL_ATTENTION, MODEL_FFN, MODEL_VOCAB, MODEL_POSITIONS };

/* What a parameter is for. A family that lacks one (no biases, say) has no row for it. */
enum model_role {
    MODEL_TOKEN_TABLE,
    MODEL_POSITION_TABLE,
    MODEL_NORM1_GAIN,
    MODEL_NORM1_BIAS,
    MODEL_QKV_WEIGHT,
    MODEL_QKV_BIAS,
    MODEL_PROJ_WEIGHT,
    MODEL_PROJ_BIAS,
    MODEL_NORM2_GAIN,
    MODEL_NORM2_BIAS,
    MODEL_UP_WEIGHT,
    MODEL_UP_BIAS,
    MODEL_DOWN_WEIGHT,
    MODEL_DOWN_BIAS,
    MODEL_FINAL_GAIN,
    MODEL_FINAL_BIAS,
    MODEL_ROLES
};

enum model_init { MODEL_INIT_ZERO, MODEL_INIT_ONE, MODEL_INIT_NORMAL, MODEL_INIT_RESIDUAL };
enum model_shard { MODEL_SHARD_NONE, MODEL_SHARD_ROWS, MODEL_SHARD_COLS };

/* One kind of parameter: weights are [rows = out, cols = in], so y = x W^T. */
struct model_parameter {
    enum model_role role;
    const char *name; /* Hugging Face's, %d being the layer */
    enum model_dim rows, cols;
    enum model_init init;   /* normal: N(0, init_std); residual: N(0, init_std / sqrt(2 layers)) */
    enum model_shard shard; /* the axis that tensor parallelism cuts */
    bool decay;             /* weight decay applies */
};

struct model_family {
    const char *type;       /* model_type of config.json */
    const char *activation; /* the value of key_activation that the kernels compute */
    const char *key_width, *key_layers, *key_heads, *key_ffn, *key_positions, *key_vocab, *key_eps, *key_activation;
    int ffn_default;                          /* times the width, when key_ffn is absent or null */
    const struct model_parameter *parameters; /* embeddings, then one layer's, then the final ones */
    int parameter_count;
};

struct model_config {
    char name[64];
    const struct model_family *family;
    int64_t layers, full_layers; /* layers < full_layers: a slice of true width */
    int64_t width, heads, kv_heads, ffn, positions, vocab;
    double norm_eps, init_std;
    int64_t parameters; /* of these layers, nothing padded */
};

const struct model_family *model_family_find(const char *type); /* NULL when unknown */
const char *model_family_list(void);                            /* "gpt2" for messages */

/* From a config.json already read; `where` names it in messages. BASE_USAGE names the field and the fix. */
int model_config_parse(struct model_config *config, const char *name, const json_t *json, const char *where,
                       struct base_error *e);
/* Keeps the first `layers` layers; BASE_USAGE outside 1..full_layers. */
int model_config_slice(struct model_config *config, int64_t layers, struct base_error *e);
int64_t model_config_dim(const struct model_config *config, enum model_dim dim);
int64_t model_config_head_dim(const struct model_config *config);

#endif
