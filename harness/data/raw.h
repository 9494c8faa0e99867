/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens without a header, as nanoGPT's prepare.py and numpy's tofile write them: nothing in the file says what it is,
 * so everything that speaks against it is looked at. */
#ifndef TOISE_DATA_RAW_H
#define TOISE_DATA_RAW_H

#include "base/error.h"
#include "data/file.h"

/* Tokens of `width` bytes. Refused: a size that is no multiple, 16 bits for a vocabulary that needs more, the bytes of
 * a big-endian machine; and of a file that is so read by its name alone (stated false), what looks like text or like
 * wider tokens. All ranks look at the same first bytes. */
int data_raw_read(struct data_file *file, const struct data_options *options, int width, const char *title, bool stated,
                  struct base_error *e);

#endif
