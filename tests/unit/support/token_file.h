/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of a token file at `folder_path`: opened, refused, read back. Also builds a Megatron index in memory. */
#ifndef TOISE_TESTS_TOKEN_FILE_H
#define TOISE_TESTS_TOKEN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/data.h"

int token_file_opened(struct data_source **s, const char *format, int64_t vocab, int64_t seq, struct base_error *e);
/* The file at `folder_path` is refused with its name and `words` in one line. */
void token_file_refused(const char *format, int64_t vocab, int64_t seq, const char *words);
/* Opens the file at `folder_path`, whose token i is `first + i` for all `count`, and checks windows and description. */
void token_file_reads_back(const char *format, int64_t vocab, int count, int first, const char *title);
/* Opens the file at `folder_path`, which has few tokens and starts with this one. */
void token_file_reads_back_first(const char *format, int64_t vocab, int32_t token);
/* Writes the index of sequences of these sizes, of dtype `code` and this width, all documents 0. Returns its length
 * in bytes. */
size_t token_file_index(unsigned char *bytes, int code, int width, const int32_t *sizes, int sequences, int documents);

#endif
