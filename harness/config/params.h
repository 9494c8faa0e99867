/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameter table: each tensor's name, shape and offset in one contiguous buffer, and its initial values. The order
 * is embeddings, layer 0, 1, ..., final norm, and the experts of layer 0, 1, ..., which other ranks hold and sum.
 * Weights, gradients and moments share the table. */
#ifndef TOISE_CONFIG_PARAMS_H
#define TOISE_CONFIG_PARAMS_H

#include "config/part.h"

struct model_tensor {
    const struct model_parameter *kind;
    char name[64];
    int64_t layer;  /* of the whole model; -1: in no layer */
    int64_t expert; /* of the whole layer; -1: of none */
    int whole;      /* its number in the whole model's table */
    int64_t rows, cols;
    int64_t offset, count; /* elements; offsets are multiples of 16 unless glued, and gaps stay zero */
};

struct model_params {
    struct model_tensor *tensors;
    int count;
    int64_t total;   /* elements of the whole buffer, gaps included */
    int64_t largest; /* elements of the largest tensor */
    int64_t layers;
    int64_t layer0, layer_size;   /* layer l's tensors are in [layer0 + l*layer_size, + layer_size) */
    int64_t expert0, expert_size; /* this part's experts of layer l are in [expert0 + l*expert_size, + expert_size), */
    int64_t expert_each;          /* each of them of so many elements */
    int64_t role_offset[MODEL_ROLES]; /* in layer 0, or of the only one; -1: the family has none */
};

/* The number of parameters without padding. Active: those that one token passes, so only its own experts. */
int64_t model_params_count(const struct model_config *config);
int64_t model_params_active(const struct model_config *config);
/* Fills in sizes and offsets but no tensors. It allocates nothing, so the result must not be closed. */
void model_params_size(struct model_params *params, const struct model_config *config);
int model_params_open(struct model_params *params, const struct model_config *config, struct base_error *e);
/* Those of a part, whose tensors have the names and numbers that they have in the whole model. */
int model_params_open_part(struct model_params *params, const struct model_part *part, const struct model_params *whole,
                           struct base_error *e);
void model_params_close(struct model_params *params);
/* Whether the "gradient" is the number of rows that each expert got, by which its own rule moves it
 * (model/experts.h). It is none of the loss. */
static inline bool model_tensor_counts_rows(const struct model_tensor *t) {
    return t->kind->role == MODEL_ROUTER_BIAS;
}
/* Offset of a role's tensor in layer `layer`, of its first expert; -1 when the family has none. Tensors in no layer
 * ignore `layer`. */
int64_t model_params_offset(const struct model_params *params, enum model_role role, int64_t layer);

/* The buffer's ranges are used and sent as a whole: the embeddings are range 0, layer l is range l + 1, what follows
 * the layers is range layers + 1, and if there are experts those of layer l are range layers + 2 + l. _ranges: how many
 * there are. A range starts at _start and ends at the next one's; the last one's end is total. _range_of: the range
 * that an element is in. */
int64_t model_params_ranges(const struct model_params *params);
static inline bool model_params_is_experts(const struct model_params *params, int64_t range) {
    return range > params->layers + 1;
}
int64_t model_params_start(const struct model_params *params, int64_t range);
int64_t model_params_range_of(const struct model_params *params, int64_t element);

/* Writes the initial values of elements [first, first + n) of a part into w[n], on `threads` OpenMP threads. They
 * depend on seed and element only, so on no layout. `hot` is for the gate: gains near 1.5, biases not 0, and weights so
 * large that attention is far from uniform. At the ordinary start a zero bias or a uniform softmax would hide most
 * faults. */
void model_params_init(const struct model_params *params, const struct model_part *part, uint64_t seed, bool hot,
                       int threads, int64_t first, int64_t n, float *w);

#endif
