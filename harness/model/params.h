/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameter table: every tensor of a configuration with its name, shape and place in one contiguous buffer
 * (embeddings, layer 0, 1, ..., final norm), and its initial values. Weights, gradients, moments share it. */
#ifndef TOISE_MODEL_PARAMS_H
#define TOISE_MODEL_PARAMS_H

#include "model/config.h"

struct model_tensor {
    const struct model_parameter *kind;
    char name[64];
    int64_t layer; /* -1: belongs to none */
    int64_t rows, cols;
    int64_t offset, count; /* elements; offsets are multiples of 16 unless glued, the gaps stay zero */
};

struct model_params {
    struct model_tensor *tensors;
    int count;
    int64_t total;                    /* elements of a buffer that holds them all, gaps included */
    int64_t largest;                  /* elements of the largest tensor */
    int64_t layer0, layer_size;       /* layer l's tensors lie in [layer0 + l*layer_size, + layer_size) */
    int64_t role_offset[MODEL_ROLES]; /* of layer 0, or of the only one; -1: the family has none */
};

/* The number of parameters, nothing padded; of those that a token meets, experts that it does not pass left out. */
int64_t model_params_count(const struct model_config *config);
int64_t model_params_active(const struct model_config *config);
/* Sizes and places alone, without tensors and their count: allocates nothing, and is not to be closed. */
void model_params_size(struct model_params *params, const struct model_config *config);
int model_params_open(struct model_params *params, const struct model_config *config, struct base_error *e);
void model_params_close(struct model_params *params);
/* Offset of a role's tensor in layer `layer` (ignored where it belongs to none); -1 when the family has none. */
int64_t model_params_offset(const struct model_params *params, enum model_role role, int64_t layer);

/* Initial values into w[total], a function of seed and element only, hence of no layout. `hot`: gains near 1.5,
 * biases not 0, weights large enough that attention is far from uniform: what the gate trains, since at the
 * ordinary start most faults hide (a zero bias, a uniform softmax). Runs on `threads` OpenMP threads. */
void model_params_init(const struct model_params *params, const struct model_config *config, uint64_t seed, bool hot,
                       int threads, float *w);

#endif
