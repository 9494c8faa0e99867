/* SPDX-License-Identifier: Apache-2.0
 *
 * What text is: UTF-8 as Unicode defines it (no overlong forms, no surrogates, nothing above U+10FFFF), or, where the
 * user says that it is text, any 8-bit encoding; and no control characters but BEL, BS, HT, LF, VT, FF, CR and ESC
 * (those that file(1) takes for text). */
#ifndef TOISE_DATA_TEXT_H
#define TOISE_DATA_TEXT_H

#include <stdbool.h>

#include "base/error.h"
#include "data/file.h"

/* Whether the first 4 KiB are UTF-8 text. */
bool data_text_looks(const struct data_map *map);
/* Any bytes as tokens; what they are is data_text_check's to say. `stated`: the user says it is text. */
void data_text_read(struct data_file *file, bool stated);
/* Refuses this rank's share of the file if a byte of it is no text, with its offset; a byte-order mark of UTF-16 or
 * UTF-32 by its name. */
int data_text_check(const struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
