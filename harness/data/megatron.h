/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron's indexed dataset: PREFIX.bin holds the tokens, PREFIX.idx says where each sequence lies. A path is
 * either of the two or PREFIX. */
#ifndef TOISE_DATA_MEGATRON_H
#define TOISE_DATA_MEGATRON_H

#include <stdbool.h>

#include "base/error.h"
#include "data/data.h"
#include "data/file.h"

/* Whether there is an index with Megatron's magic; a plain file without either suffix is what its name says. */
bool data_megatron_is(const char *path);
/* Maps PREFIX.bin once PREFIX.idx accounts for every byte of it (this rank looks at its share of the sequences);
 * tokens are then the sequences one after the other. */
int data_megatron_open(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
