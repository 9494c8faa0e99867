/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives Hugging Face's names, shapes and element order from the parameter table. */
#include "checkpoint/names.h"

#include <stdio.h>

void checkpoint_row(const struct model_tensor *t, const char *array, const char *prefix, char name[CHECKPOINT_NAME],
                    struct data_tensor_out *row) {
    const bool transposed = t->kind->transposed, vector = t->kind->rows == MODEL_ONE;
    snprintf(name, CHECKPOINT_NAME, "%s%s%s", array, t->kind->role == MODEL_HEAD_WEIGHT ? "" : prefix, t->name);
    *row = (struct data_tensor_out){.name = name, .dims = vector ? 1 : 2};
    row->shape[0] = vector || transposed ? t->cols : t->rows;
    if (!vector) row->shape[1] = transposed ? t->rows : t->cols;
}

int64_t checkpoint_element(const struct model_tensor *t, int64_t i) {
    return t->kind->transposed ? i % t->rows * t->cols + i / t->rows : i;
}
