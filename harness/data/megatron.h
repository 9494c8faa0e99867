/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron's indexed dataset, which DeepSpeed and fairseq also write. PREFIX.bin holds tokens, PREFIX.idx each
 * sequence's offset and size. A path is either file or PREFIX. */
#ifndef TOISE_DATA_MEGATRON_H
#define TOISE_DATA_MEGATRON_H

#include <stdbool.h>

#include "base/error.h"
#include "data/data.h"
#include "data/file.h"

/* The index that belongs to a path. A plain file without either suffix has none. */
struct data_index {
    bool found; /* its name exists, readable or not */
    bool known; /* it has the magic MMIDIDX (read) or TNTIDX (refused by name) */
    int width;  /* bytes per token; 0: unknown */
};
void data_index_look(struct data_index *index, const char *path);
/* Maps PREFIX.bin if PREFIX.idx accounts for every byte of it. This rank checks its share of the sequences. The tokens
 * are then the sequences in order. */
int data_megatron_open(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
