/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights in Hugging Face's files into an engine, and out: names with or without the family's prefix, GPT-2's
 * matrices transposed, glued tensors apart. data/ knows the files, model/ the names; they meet here. */
#ifndef TOISE_TRAIN_WEIGHTS_H
#define TOISE_TRAIN_WEIGHTS_H

#include "data/safetensors.h"
#include "parallel/step.h"

struct train_weights {
    struct data_tensors *set;
    const char *prefix; /* of this file's names: the family's, or none */
};

/* Opens a .safetensors file, or a folder of shards, and holds its names, shapes and types against the model's: what is
 * missing, extra or misshapen is BASE_USAGE with names and shapes. Buffers that transformers keeps beside weights
 * (masks, rotary frequencies) and, of a slice, the layers beyond it are passed over; so is a tied head's copy of the
 * token table, unless it differs from it. */
int train_weights_open(struct train_weights *weights, const char *path, const struct model_params *params,
                       const struct model_config *config, struct base_error *e);
/* Into out[params->total], FP32, on `threads` threads; gaps are not touched. BASE_USAGE names a value that is not
 * finite. */
int train_weights_values(const struct train_weights *weights, const struct model_params *params,
                         const struct model_config *config, int threads, float *out, struct base_error *e);
void train_weights_close(struct train_weights *weights);

/* Opens, reads into the engine's weights, closes. Collective: ranks agree, and must have read the same weights.
 * Moments and steps start anew. */
int train_weights_load(struct parallel_engine *engine, const char *path, struct base_error *e);

/* Writes values[params->total] (weights, or gradients) as a file of these tensors that transformers loads. */
int train_weights_write(const char *path, const struct model_params *params, const struct model_config *config,
                        const float *values, struct base_error *e);
/* Whether `folder` can be saved to: BASE_USAGE if something is there or its parent cannot be written. `make`: missing
 * parents are made, and a folder for a moment; else nothing is. */
int train_weights_save_check(const char *folder, bool make, struct base_error *e);
/* config.json and model.safetensors of the engine's weights into `folder`, which appears whole or not at all
 * (FOLDER.part beside it, synced, renamed); called by one rank. BASE_BROKEN: nothing is left, but for a FOLDER.part
 * that could not be renamed. */
int train_weights_save(const struct parallel_engine *engine, const char *folder, struct base_error *e);

#endif
