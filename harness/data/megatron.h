/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron's indexed dataset, as DeepSpeed and fairseq write it too: PREFIX.bin holds the tokens, PREFIX.idx says where
 * each sequence lies. A path is either of the two or PREFIX. */
#ifndef TOISE_DATA_MEGATRON_H
#define TOISE_DATA_MEGATRON_H

#include <stdbool.h>

#include "base/error.h"
#include "data/data.h"
#include "data/file.h"

/* The index that a path leads to; a plain file without either suffix has none. */
struct data_index {
    bool found; /* there is something of its name, readable or not */
    bool known; /* it has the magic MMIDIDX, which is read, or TNTIDX, which is refused by that name */
    int width;  /* bytes a token by it; 0: it does not say */
};
void data_index_look(struct data_index *index, const char *path);
/* Maps PREFIX.bin once PREFIX.idx accounts for every byte of it (this rank looks at its share of the sequences);
 * tokens are then the sequences one after the other. */
int data_megatron_open(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
