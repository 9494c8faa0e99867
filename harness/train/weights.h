/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads weights from Hugging Face's files into an engine, and writes them. Maps between the file's form and the
 * engine's: names with or without the family's prefix, GPT-2's transposed matrices, tensors that the engine fuses,
 * which the file stores separately. data/ knows files and model/ knows names; only this room knows both. */
#ifndef TOISE_TRAIN_WEIGHTS_H
#define TOISE_TRAIN_WEIGHTS_H

#include "data/safetensors.h"
#include "parallel/collect.h"

struct train_weights {
    struct data_tensors *set;
    const char *prefix; /* of this file's names: the family's or "" */
};

/* Opens a .safetensors file or a folder of shards, and checks names, shapes and types against the model. Anything
 * missing, extra or of a wrong shape is BASE_USAGE with names and shapes. It ignores buffers that transformers stores
 * with weights (masks, rotary frequencies). It also ignores layers beyond a slice, and a tied head that equals the
 * token table. */
int train_weights_open(struct train_weights *weights, const char *path, const struct model_params *params,
                       const struct model_config *config, struct base_error *e);
/* Reads a tensor of the model into out[tensor->count], FP32, on `threads` threads. BASE_USAGE names a tensor with a
 * value that is not finite. */
int train_weights_values(const struct train_weights *weights, const struct model_tensor *tensor,
                         const struct model_config *config, int threads, float *out, struct base_error *e);
void train_weights_close(struct train_weights *weights);

/* Opens, reads into the engine's weights, and closes. Collective: all ranks must have read the same weights. Resets
 * moments and step count. */
int train_weights_load(struct parallel_engine *engine, const char *path, struct base_error *e);

/* Writes the engine's master weights or its gradients as a .safetensors file that transformers loads. Collective: rank
 * 0 writes, and all learn whether it worked. */
int train_weights_write(const char *path, struct parallel_engine *engine, enum parallel_what what,
                        struct base_error *e);
/* Checks that `folder` can be created: BASE_USAGE if it exists or its parent cannot be written. `make`: also creates
 * missing parents, and a folder that it removes at once. */
int train_weights_save_check(const char *folder, bool make, struct base_error *e);
/* Writes config.json and model.safetensors into `folder`. The folder appears complete or not at all: it is written as
 * FOLDER.part, synced and renamed. Collective, as above. BASE_BROKEN leaves nothing, except a FOLDER.part that could
 * not be renamed. */
int train_weights_save(struct parallel_engine *engine, const char *folder, struct base_error *e);

#endif
