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

struct model_config;
/* "left_out" and "unread" of a record's config, where the config.json says what calls for them. */
void model_config_notes(json_t *config, const struct model_config *c);

/* A size of the model, by which tables of parameters and buffers are written. */
enum model_dim {
    MODEL_ONE,
    MODEL_WIDTH,
    MODEL_QKV,       /* (heads + 2 kv_heads) head_dim */
    MODEL_ATTENTION, /* heads head_dim */
    MODEL_KV,        /* kv_heads head_dim */
    MODEL_FFN_UP,    /* what the first matmul of the MLP gives: ffn, or 2 ffn where it is gated */
    MODEL_FFN,
    MODEL_VOCAB,
    MODEL_POSITIONS,
    MODEL_EXPERTS
};

/* What a parameter is for. A family that lacks one (no biases, say) has no row for it. Where a file holds several
 * tensors that one matmul takes together, the first has the role of the matmul and the others follow it, glued. */
enum model_role {
    MODEL_TOKEN_TABLE,
    MODEL_POSITION_TABLE,
    MODEL_EMBED_GAIN, /* of the norm after the embedding */
    MODEL_EMBED_BIAS,
    MODEL_NORM1_GAIN,
    MODEL_NORM1_BIAS,
    MODEL_QKV_WEIGHT,
    MODEL_KEY_WEIGHT, /* glued to the queries' */
    MODEL_VALUE_WEIGHT,
    MODEL_QKV_BIAS,
    MODEL_PROJ_WEIGHT,
    MODEL_PROJ_BIAS,
    MODEL_NORM2_GAIN,
    MODEL_NORM2_BIAS,
    MODEL_ROUTER_WEIGHT, /* of a mixture of experts: scores a token's experts */
    MODEL_UP_WEIGHT,
    MODEL_UP_VALUE_WEIGHT, /* glued to the gate's */
    MODEL_UP_BIAS,
    MODEL_DOWN_WEIGHT,
    MODEL_DOWN_BIAS,
    MODEL_FINAL_GAIN,
    MODEL_FINAL_BIAS,
    MODEL_HEAD_WEIGHT, /* of a head that is not tied to the token table */
    MODEL_ROLES
};

enum model_init { MODEL_INIT_ZERO, MODEL_INIT_ONE, MODEL_INIT_NORMAL, MODEL_INIT_RESIDUAL };
enum model_shard { MODEL_SHARD_NONE, MODEL_SHARD_ROWS, MODEL_SHARD_COLS };
enum model_position { MODEL_POSITION_LEARNED, MODEL_POSITION_ALIBI, MODEL_POSITION_ROTARY };

/* One kind of parameter: weights are [rows = out, cols = in], so y = x W^T. */
struct model_parameter {
    enum model_role role;
    const char *name; /* Hugging Face's, %d being the layer; without the family's prefix */
    enum model_dim rows, cols;
    enum model_init init;   /* normal: N(0, init_std); residual: N(0, init_std / sqrt(2 layers)) */
    enum model_shard shard; /* the axis that tensor parallelism cuts */
    bool decay;             /* weight decay applies */
    bool glued;             /* follows its predecessor without a gap */
    bool transposed;        /* files hold [in, out] (GPT-2's Conv1D) */
    bool expert;            /* there are config.experts of it, the second %d being which; else one */
};

/* Names of one field of config.json: the first is what transformers writes, the others are read too. */
typedef const char *model_key[3];

/* What an absent field means: the defaults that transformers documents for the type. 0: no default. */
struct model_defaults {
    int width, layers, heads, ffn, positions, vocab, experts, active;
    int kv_heads; /* 0: as many as heads */
    int window;   /* 0: none */
    double eps, theta;
};

struct model_family {
    const char *type;             /* model_type of config.json */
    const char *architectures[3]; /* what transformers loads it as; the others' weights are the same */
    const char *refusal;          /* why it cannot be trained, though it may be priced; NULL: it can */
    const char *activations[5];   /* values of key_activation: names of one function, which the kernels compute */
    const char *prefix;           /* of the names in files saved with a head: "transformer."; lm_head has none */
    model_key key_width, key_layers, key_heads, key_kv_heads, key_head_dim, key_ffn, key_positions, key_window, key_eps,
        key_activation, key_experts, key_active; /* no name: the family has no such field */
    struct model_defaults defaults;
    int ffn_times;  /* the width, when key_ffn is absent or null; 0: defaults.ffn when it is absent */
    bool ffn_fixed; /* no other ffn than that */
    enum model_position position;
    bool rms;                                 /* RMSNorm, else LayerNorm */
    bool gated;                               /* SwiGLU, else GELU */
    bool interleaved;                         /* queries, keys, values head by head, else three blocks */
    bool tied;                                /* the head, unless tie_word_embeddings says otherwise */
    const struct model_parameter *parameters; /* embeddings, then one layer's, then the final ones */
    int parameter_count;
};

/* Angle of plane i of a head at position p: p theta^(-2i / head_dim). With a factor, all planes turn slower by it
 * (position interpolation, Chen et al. 2023; transformers' rope_type "linear"), or those of long wavelength, as Llama
 * 3.1 has it (Grattafiori et al. 2024; "llama3"). */
struct model_rotary {
    double theta;
    double factor;    /* 0: no scaling */
    double low, high; /* of Llama 3.1; high 0: all planes alike */
    int64_t original; /* positions of Llama 3.1's first training */
    double dynamic;   /* factor beyond the model's positions, which no training sees (NTK, "dynamic"); 0: none */
};

enum { MODEL_NOTE = 512 };

struct model_config {
    char name[64];
    const struct model_family *family;
    int64_t layers, full_layers; /* layers < full_layers: a slice of true width */
    int64_t width, heads, kv_heads, head_dim, ffn, positions, vocab;
    int64_t window;          /* keys that a query sees; 0: all before it */
    int64_t experts, active; /* MLPs of a layer, and those that a token passes; 0: one MLP, and no router */
    bool tied;
    struct model_rotary rotary;
    double norm_eps, init_std;
    int64_t parameters;        /* of these layers, nothing padded */
    char left_out[MODEL_NOTE]; /* fields whose effect a priced config lacks, each with what it is; "": none */
    char unread[MODEL_NOTE];   /* fields that nobody knows, and that were not read; "": none */
};

const struct model_family *model_family_find(const char *type); /* NULL when unknown */
/* Whose architecture it is, as a config.json names them; NULL when none's. */
const struct model_family *model_family_of(const char *architecture);
/* Those that can be trained, for messages: "gpt2, bloom". */
enum { MODEL_FAMILY_LIST = 128 };
void model_family_list(char text[MODEL_FAMILY_LIST]);
/* positions of a model that ends nowhere (ALiBi), unless its config says otherwise; no published size is larger. */
enum { MODEL_ENDLESS = 1 << 24 };

/* From a config.json already read; `where` names it in messages. BASE_USAGE names the field and the fix. */
int model_config_parse(struct model_config *config, const char *name, const json_t *json, const char *where,
                       struct base_error *e);
/* The same for who asks what a training costs: of families that cannot be trained, too (no parameter table opens on
 * those), and of fields that training refuses, which left_out names. */
int model_config_parse_priced(struct model_config *config, const char *name, const json_t *json, const char *where,
                              struct base_error *e);
/* The config.json that transformers reads, of the layers kept; a new reference. */
json_t *model_config_json(const struct model_config *config);
/* Keeps the first `layers` layers; BASE_USAGE outside 1..full_layers. */
int model_config_slice(struct model_config *config, int64_t layers, struct base_error *e);
int64_t model_config_dim(const struct model_config *config, enum model_dim dim);
/* MLPs that a token passes in a layer: its experts, or the only one. */
int64_t model_config_mlps(const struct model_config *config);
/* Whether the family has a parameter of this role. */
bool model_config_has(const struct model_config *config, enum model_role role);

#endif
