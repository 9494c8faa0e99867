/* SPDX-License-Identifier: Apache-2.0
 *
 * The room config/ says what is trained, as data: a transformer's sizes and its family, its parameter table (params.h),
 * and the part of it that a rank holds (part.h). It needs base/. It computes nothing with weights.
 *
 * This file has sizes and family. A family is a row of a table (family.c): its architecture, its field names in a
 * Hugging Face config.json, and its parameters. The model's code reads the row, so no family has code of its own. */
#ifndef TOISE_CONFIG_CONFIG_H
#define TOISE_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct model_config;
/* Writes "left_out" and "unread" into a record's config, if the config.json has such fields. */
void model_config_notes(json_t *config, const struct model_config *c);

/* A size of the model, as tables of parameters and buffers name it. */
enum model_dim {
    MODEL_ONE,
    MODEL_WIDTH,
    MODEL_QKV,       /* elements of queries, keys and values, as attention takes them */
    MODEL_ATTENTION, /* elements of its result: heads x elements of a value */
    MODEL_KV,        /* kv_heads head_dim */
    MODEL_QUERIES,   /* heads head_dim */
    MODEL_QUERY_RANK,
    MODEL_KV_RANK,    /* of latent keys and values, with the rotary elements that all heads share */
    MODEL_KV_LATENT,  /* without those */
    MODEL_KV_FROM_IT, /* elements of keys and values that are made from it */
    MODEL_FFN_UP,     /* columns of the MLP's first matmul: ffn, or 2 ffn if gated */
    MODEL_FFN,
    MODEL_DENSE_UP, /* the same of the MLP of dense layers */
    MODEL_DENSE,
    MODEL_SHARED_UP, /* the same of the shared experts, which are one MLP */
    MODEL_SHARED,
    MODEL_VOCAB,
    MODEL_POSITIONS,
    MODEL_EXPERTS
};

/* What a parameter is for. A family without one (no biases, say) has no row for it. One matmul may use several tensors
 * of a file together: the first has the matmul's role, the others are glued to it. */
enum model_role {
    MODEL_TOKEN_TABLE, /* the embeddings' */
    MODEL_POSITION_TABLE,
    MODEL_EMBED_GAIN, /* of the norm after the embedding */
    MODEL_EMBED_BIAS,
    MODEL_NORM1_GAIN,
    MODEL_NORM1_BIAS,
    MODEL_QKV_WEIGHT,
    MODEL_KEY_WEIGHT, /* glued to the query weight */
    MODEL_VALUE_WEIGHT,
    MODEL_QUERY_DOWN_WEIGHT, /* latent attention: queries, keys and values come from few numbers */
    MODEL_QUERY_GAIN,
    MODEL_QUERY_UP_WEIGHT,
    MODEL_KV_DOWN_WEIGHT,
    MODEL_KV_GAIN,
    MODEL_KV_UP_WEIGHT,
    MODEL_QKV_BIAS,
    MODEL_PROJ_WEIGHT,
    MODEL_PROJ_BIAS,
    MODEL_NORM2_GAIN,
    MODEL_NORM2_BIAS,
    MODEL_ROUTER_WEIGHT, /* mixture of experts: scores the experts for a token */
    MODEL_ROUTER_BIAS,   /* added to scores where experts are chosen; moved by their loads (model/experts.h) */
    MODEL_SHARED_UP_WEIGHT,
    MODEL_SHARED_UP_VALUE_WEIGHT, /* glued to the gate weight */
    MODEL_SHARED_DOWN_WEIGHT,
    MODEL_UP_WEIGHT,
    MODEL_UP_VALUE_WEIGHT, /* glued to the gate weight */
    MODEL_UP_BIAS,
    MODEL_DOWN_WEIGHT,
    MODEL_DOWN_BIAS,
    MODEL_DENSE_UP_WEIGHT, /* of the first layers, which have no experts */
    MODEL_DENSE_UP_VALUE_WEIGHT,
    MODEL_DENSE_DOWN_WEIGHT,
    MODEL_FINAL_GAIN, /* of what follows the layers */
    MODEL_FINAL_BIAS,
    MODEL_HEAD_WEIGHT, /* a head that is not tied to the token table */
    MODEL_ROLES,
    MODEL_NO_ROLE = MODEL_ROLES /* of which no family has a parameter */
};

enum model_init { MODEL_INIT_ZERO, MODEL_INIT_ONE, MODEL_INIT_NORMAL, MODEL_INIT_RESIDUAL };
enum model_shard { MODEL_SHARD_NONE, MODEL_SHARD_ROWS, MODEL_SHARD_COLS };
enum model_position { MODEL_POSITION_LEARNED, MODEL_POSITION_ALIBI, MODEL_POSITION_ROTARY };

/* One kind of parameter. Weights are [rows = out, cols = in], so y = x W^T. */
struct model_parameter {
    enum model_role role;
    const char *name; /* Hugging Face's, with %d for the layer, without the family's prefix */
    enum model_dim rows, cols;
    enum model_init init;   /* normal: N(0, init_std); residual: N(0, init_std / sqrt(2 layers)) */
    enum model_shard shard; /* the axis that tensor parallelism splits */
    bool decay;             /* weight decay applies */
    bool glued;             /* follows its predecessor without a gap */
    bool transposed;        /* files hold [in, out] (GPT-2's Conv1D) */
    bool expert;            /* one per expert, the second %d being which */
};

/* Names of one field of config.json. transformers writes the first; the others are read too. */
typedef const char *model_key[3];

/* Values of absent fields: the defaults that transformers documents for the type. 0: no default. */
struct model_defaults {
    int width, layers, heads, ffn, positions, vocab, experts, active, shared;
    int kv_heads; /* 0: as many as heads */
    int window;   /* 0: none */
    double eps, theta, balance;
};

/* A field that may only have the value `trained`. An absent one means `absent` to transformers. */
struct model_needed {
    const char *key, *trained, *absent, *what;
    bool rope; /* transformers 5 writes it into "rope_parameters" */
};

struct model_family {
    const char *type;             /* model_type of config.json */
    const char *architectures[3]; /* classes that transformers loads it as; all have the same weights */
    const char *activations[5];   /* values of key_activation, all names of one function */
    const char *prefix;           /* of tensor names in files saved with a head: "transformer."; lm_head has none */
    model_key key_width, key_layers, key_heads, key_kv_heads, key_head_dim, key_ffn, key_positions, key_window, key_eps,
        key_activation, key_experts, key_active, key_balance, key_shared,
        key_scale; /* no name: the family lacks the field */
    struct model_defaults defaults;
    struct model_needed needed[2]; /* those that are not trained when absent */
    const char *unused;            /* a size of what the trained layers do not have */
    int ffn_times;                 /* ffn over width when key_ffn is absent or null; 0: use defaults.ffn when absent */
    bool ffn_fixed;                /* any other ffn is an error */
    enum model_position position;
    bool rms;                                 /* RMSNorm, else LayerNorm */
    bool gated;                               /* SwiGLU, else GELU */
    bool sigmoid;                             /* experts' scores are sigmoids, else a softmax */
    bool interleaved;                         /* queries, keys, values head by head, else in three blocks */
    bool tied;                                /* the default of tie_word_embeddings */
    bool priced;                              /* published runs of it are priced; its config.json is not read */
    const struct model_parameter *parameters; /* the embeddings', then one layer's, then the final ones */
    int parameter_count;
};

/* The angle of plane i at position p is p theta^(-2i / head_dim). A factor slows all planes (position interpolation,
 * Chen et al. 2023; transformers' rope_type "linear"). Llama 3.1 slows only long wavelengths (Grattafiori et al. 2024;
 * "llama3"). */
struct model_rotary {
    double theta;
    double factor;    /* 0: no scaling */
    double low, high; /* of Llama 3.1; high 0: all planes scale alike */
    int64_t original; /* Llama 3.1: positions of the first training */
    double dynamic;   /* NTK ("dynamic"): factor beyond the model's positions, which training never reaches; 0: none */
};

/* Multi-head latent attention (DeepSeek-AI 2024): queries, keys and values are made from a token's few numbers. */
struct model_latent {
    int64_t query, kv; /* their number for queries, and for keys and values; kv 0: attention is plain */
    int64_t rotary;    /* elements of a query and of a key with rotary positions; all heads share that of keys */
    int64_t value;     /* elements of a head's values */
};

enum { MODEL_NOTE = 512 };

struct model_config {
    char name[64];
    const struct model_family *family;
    int64_t layers, full_layers; /* layers < full_layers: the first layers at full width */
    int64_t width, heads, kv_heads, head_dim, ffn, positions, vocab;
    int64_t vocab_room;   /* rows of the vocabulary that have room in memory; 0: vocab */
    bool lacks_embedding; /* a part (part.h) without the embeddings, or without what follows the layers */
    bool lacks_head;
    int64_t window;          /* keys that a query attends to; 0: all before it */
    int64_t window_every;    /* every so many layers have the window, the others none; 0 or 1: all layers */
    int64_t experts, active; /* experts of a layer, and those that a token passes; 0: one MLP without router */
    int64_t full_experts;    /* experts < full_experts: the first experts at full width */
    int64_t own_experts;     /* of those of a layer, in this part */
    int64_t shared;          /* experts that all tokens pass */
    int64_t dense_layers;    /* the first layers that have an MLP in place of experts, */
    int64_t dense_ffn;       /* and its width */
    struct model_latent latent;
    int64_t predicted;   /* further tokens that are predicted: a layer and a head's matmul each */
    double balance;      /* weight of the load-balancing loss (model/experts.h) */
    double expert_scale; /* of the weights of experts */
    bool biased;         /* experts' matmuls have biases, which passes add */
    bool tied;
    struct model_rotary rotary;
    double norm_eps, init_std;
    int64_t parameters;        /* of these layers, without padding */
    char left_out[MODEL_NOTE]; /* fields that a price ignores, each with its meaning; "": none */
    char unread[MODEL_NOTE];   /* unknown fields, which were ignored; "": none */
};

const struct model_family *model_family_find(const char *type); /* NULL when unknown */
/* The family of an architecture, as a config.json names it. NULL when none matches. */
const struct model_family *model_family_of(const char *architecture);
/* All families, for messages: "gpt2, bloom". */
enum { MODEL_FAMILY_LIST = 128 };
void model_family_list(char text[MODEL_FAMILY_LIST]);
/* positions of a model without a limit (ALiBi), unless its config has one; no published size is larger */
enum { MODEL_ENDLESS = 1 << 24 };

/* Reads a parsed config.json; `where` names it in messages. BASE_USAGE names the field and the fix. */
int model_config_parse(struct model_config *config, const char *name, const json_t *json, const char *where,
                       struct base_error *e);
/* The same for pricing. Fields that training refuses go into left_out. */
int model_config_parse_priced(struct model_config *config, const char *name, const json_t *json, const char *where,
                              struct base_error *e);
/* The config.json that transformers reads, for the layers kept. Returns a new reference. */
json_t *model_config_json(const struct model_config *config);
/* Keeps the first `layers` layers. BASE_USAGE outside 1..full_layers. */
int model_config_slice(struct model_config *config, int64_t layers, struct base_error *e);
/* Keeps the first `experts` experts of each layer. BASE_USAGE: fewer than a token passes, more than there are, or the
 * model is dense. */
int model_config_slice_experts(struct model_config *config, int64_t experts, struct base_error *e);
int64_t model_config_dim(const struct model_config *config, enum model_dim dim);
/* Whether layers or experts of the model are left out. */
bool model_config_is_slice(const struct model_config *config);
/* Elements that the token table, or the head, takes in memory. */
int64_t model_config_table(const struct model_config *config);
/* Layers that have a parameter of this kind: all, or those with experts, or those without. */
int64_t model_config_layers(const struct model_config *config, const struct model_parameter *parameter);
/* MLPs that a token passes in a layer: its active experts, or the only one. */
int64_t model_config_mlps(const struct model_config *config);
/* Whether the family has a parameter of this role, and this part of the model too. */
bool model_config_has(const struct model_config *config, enum model_role role);

#endif
