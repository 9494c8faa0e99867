/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens without a header, as nanoGPT's prepare.py and numpy's tofile write them. Such a file says nothing about
 * itself, so every sign against it is checked. */
#ifndef TOISE_DATA_RAW_H
#define TOISE_DATA_RAW_H

#include "base/error.h"
#include "data/file.h"

/* Reads tokens of `width` bytes. Refuses a size that is not a multiple, 16 bits for a vocabulary that needs more, and
 * bytes of a big-endian machine. If only the name says raw tokens (stated false), it also refuses what looks like text
 * or like wider tokens. All ranks check the same first bytes. */
int data_raw_read(struct data_file *file, const struct data_options *options, int width, const char *title, bool stated,
                  struct base_error *e);

#endif
