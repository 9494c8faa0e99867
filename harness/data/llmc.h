/* SPDX-License-Identifier: Apache-2.0
 *
 * llm.c's token files (dev/data/data_common.py), which modded-nanogpt also writes: 256 int32 of header, then tokens. */
#ifndef TOISE_DATA_LLMC_H
#define TOISE_DATA_LLMC_H

#include <stdbool.h>

#include "base/error.h"
#include "data/file.h"

/* Whether the file begins with one of the two magics. */
bool data_llmc_is(const struct data_map *map);
/* Finds the tokens if magic, version, count and size agree. */
int data_llmc_read(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
