/* SPDX-License-Identifier: Apache-2.0
 *
 * How a tensor of the parameter table is called and stored in Hugging Face's files; for run/weights*.c alone. */
#ifndef TOISE_RUN_WEIGHTS_NAMES_H
#define TOISE_RUN_WEIGHTS_NAMES_H

#include "data/safetensors.h"
#include "model/params.h"

enum { RUN_NAME = 128 };

/* Name and shape in a file; the head has no prefix; vectors have one dimension. row->name is `name`. */
void run_weights_row(const struct model_tensor *tensor, const char *prefix, char name[RUN_NAME],
                     struct data_tensor_out *row);
/* Where element i of the file's tensor stands in ours, counted from its first. */
int64_t run_weights_place(const struct model_tensor *tensor, int64_t i);

#endif
