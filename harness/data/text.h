/* SPDX-License-Identifier: Apache-2.0
 *
 * What counts as text: UTF-8 as Unicode defines it (no overlong forms, no surrogates, nothing above U+10FFFF). If the
 * user says that it is text, any 8-bit encoding does. Control characters are not text, except those that file(1)
 * accepts: BEL, BS, HT, LF, VT, FF, CR and ESC. */
#ifndef TOISE_DATA_TEXT_H
#define TOISE_DATA_TEXT_H

#include <stdbool.h>

#include "base/error.h"
#include "data/file.h"

/* Whether the first 4 KiB are UTF-8 text. */
bool data_text_looks(const struct data_map *map);
/* Makes each byte a token; data_text_check checks them. `stated`: the user says it is text. */
void data_text_read(struct data_file *file, bool stated);
/* Refuses this rank's share of the file if a byte of it is not text, and names its offset. A byte-order mark of UTF-16
 * or UTF-32 is named too. */
int data_text_check(const struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
