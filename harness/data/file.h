/* SPDX-License-Identifier: Apache-2.0
 *
 * A token file: maps it, finds its format (format.h) and checks its tokens. Knows nothing of the built-in source. */
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
    int width;            /* bytes per token: 1, 2, 4 or 8 */
    bool is_signed;       /* the type has negative values; they are refused */
    bool is_text, stated; /* is_text: bytes of text; stated: because the user said so */
    const char *title;    /* the format's: "llm.c tokens" */
};

/* Sets first and end: this rank checks items first .. end-1 of `count`. Shares are contiguous and in rank order, so the
 * lowest failing rank has the file's first fault. */
void data_file_share(const struct data_options *options, int64_t count, int64_t *first, int64_t *end);

int data_file_open(struct data_file *file, const struct data_options *options, struct base_error *e);
void data_file_close(struct data_file *file);
/* One sample: seq + 1 tokens from a start that is uniform over all count - seq positions. */
void data_file_sample(const struct data_file *file, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets);

#endif
