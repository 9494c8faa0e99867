/* SPDX-License-Identifier: Apache-2.0
 *
 * A tensor's name, shape and element order in Hugging Face's files. Only for this room. */
#ifndef TOISE_CHECKPOINT_NAMES_H
#define TOISE_CHECKPOINT_NAMES_H

#include "config/params.h"
#include "data/safetensors.h"

enum { CHECKPOINT_NAME = 128 };

/* Sets name and shape in a file, and row->name to `name`: ARRAY PREFIX TENSOR. The head has no prefix; vectors have one
 * dimension. array: "" for weights. */
void checkpoint_row(const struct model_tensor *tensor, const char *array, const char *prefix,
                    char name[CHECKPOINT_NAME], struct data_tensor_out *row);
/* The offset in our tensor of element i of the file's tensor. */
int64_t checkpoint_element(const struct model_tensor *tensor, int64_t i);

#endif
