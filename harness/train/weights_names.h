/* SPDX-License-Identifier: Apache-2.0
 *
 * How a tensor of the parameter table is called and stored in Hugging Face's files; for weights*.c alone. */
#ifndef TOISE_TRAIN_WEIGHTS_NAMES_H
#define TOISE_TRAIN_WEIGHTS_NAMES_H

#include "data/safetensors.h"
#include "model/params.h"

enum { TRAIN_NAME = 128 };

/* Name and shape in a file; the head has no prefix; vectors have one dimension. row->name is `name`. */
void train_weights_row(const struct model_tensor *tensor, const char *prefix, char name[TRAIN_NAME],
                       struct data_tensor_out *row);
/* Where element i of the file's tensor stands in ours, counted from its first. */
int64_t train_weights_place(const struct model_tensor *tensor, int64_t i);

#endif
