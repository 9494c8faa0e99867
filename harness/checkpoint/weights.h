/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads weights from Hugging Face's files into an engine, and writes them. Maps between the file's form and the
 * engine's: names with or without the family's prefix, GPT-2's transposed matrices, tensors that the engine fuses,
 * which the file stores separately. data/ knows files and model/ knows names; only this room knows both. */
#ifndef TOISE_CHECKPOINT_WEIGHTS_H
#define TOISE_CHECKPOINT_WEIGHTS_H

#include "data/safetensors.h"
#include "parallel/collect.h"

struct checkpoint_weights {
    struct data_tensors *set;
    const char *flag, *path; /* for messages: "--init" and what it names */
    const char *prefix;      /* of this file's names: the family's or "" */
};

/* Opens a .safetensors file or a folder of shards, and checks names, shapes and types against the model. Anything
 * missing, extra or of a wrong shape is BASE_USAGE with names and shapes. It ignores buffers that transformers stores
 * with weights (masks, rotary frequencies). It also ignores layers beyond a slice, and a tied head that equals the
 * token table. A slice of experts has a router of its own size, so it reads no weights of the whole model. */
int checkpoint_weights_open(struct checkpoint_weights *weights, const char *path, const struct model_params *params,
                            const struct model_config *config, struct base_error *e);
/* Reads a tensor of the model into out[tensor->count], FP32, on `threads` threads. array: what stands before its name;
 * "" for weights. BASE_USAGE names a tensor with a value that is not finite. */
int checkpoint_weights_values(const struct checkpoint_weights *weights, const struct model_tensor *tensor,
                              const char *array, int threads, float *out, struct base_error *e);
void checkpoint_weights_close(struct checkpoint_weights *weights);

/* Opens, reads into the engine's weights, and closes. Collective: all ranks must have read the same weights. Resets
 * moments and step count. */
int checkpoint_weights_load(struct parallel_engine *engine, const char *path, struct base_error *e);

#endif
