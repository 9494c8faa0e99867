/* SPDX-License-Identifier: Apache-2.0
 *
 * A tensor's name, shape and element order in Hugging Face's files. Only for weights*.c. */
#ifndef TOISE_TRAIN_WEIGHTS_NAMES_H
#define TOISE_TRAIN_WEIGHTS_NAMES_H

#include "data/safetensors.h"
#include "model/params.h"

enum { TRAIN_NAME = 128 };

/* Sets name and shape in a file, and row->name to `name`. The head has no prefix; vectors have one dimension. */
void train_weights_row(const struct model_tensor *tensor, const char *prefix, char name[TRAIN_NAME],
                       struct data_tensor_out *row);
/* The offset in our tensor of element i of the file's tensor. */
int64_t train_weights_place(const struct model_tensor *tensor, int64_t i);

#endif
