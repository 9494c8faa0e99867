/* SPDX-License-Identifier: Apache-2.0
 *
 * A token file: mapped, its format recognised, its tokens checked. Knows nothing of the built-in source. */
#ifndef TOISE_DATA_FILE_H
#define TOISE_DATA_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/data.h"

struct data_file {
    void *map; /* the whole file, read only */
    size_t bytes;
    const void *tokens; /* within the map, aligned to `width` */
    int64_t count;
    int width;         /* bytes a token: 1, 2 or 4 */
    const char *title; /* of the format: "llm.c tokens" */
};

int data_file_open(struct data_file *file, const struct data_options *options, struct base_error *e);
void data_file_close(struct data_file *file);
/* One sample: a window of seq + 1 tokens whose start is uniform over all count - seq places. */
void data_file_sample(const struct data_file *file, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets);

#endif
