/* SPDX-License-Identifier: Apache-2.0
 *
 * A token file: mapped, its format recognised (format.h), its tokens checked. Knows nothing of the built-in source. */
#ifndef TOISE_DATA_FILE_H
#define TOISE_DATA_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/data.h"
#include "data/map.h"

struct data_file {
    struct data_map map; /* the whole file */
    const void *tokens;  /* within the map, aligned to `width` */
    int64_t count;
    int width;            /* bytes a token: 1, 2, 4 or 8 */
    bool is_signed;       /* negative tokens can be written, and are refused */
    bool is_text, stated; /* text, by the user's word and not by what it looks like */
    const char *title;    /* of the format: "llm.c tokens" */
};

/* first .. end-1 of `count` things are this rank's to check: contiguous shares in rank order, so that the lowest
 * rank that fails has the file's first fault. */
void data_file_share(const struct data_options *options, int64_t count, int64_t *first, int64_t *end);

int data_file_open(struct data_file *file, const struct data_options *options, struct base_error *e);
void data_file_close(struct data_file *file);
/* One sample: a window of seq + 1 tokens whose start is uniform over all count - seq places. */
void data_file_sample(const struct data_file *file, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets);

#endif
