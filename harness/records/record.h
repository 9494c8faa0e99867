/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: one JSON object a line. Appending is all or nothing: the line is written, fsynced, and only then
 * counts; a torn last line (a crash, a full disk) is repaired by the next append and skipped by readers. */
#ifndef TOISE_RECORDS_RECORD_H
#define TOISE_RECORDS_RECORD_H

#include <jansson.h>

#include "records/get.h"

/* Whether `path` can be appended to (writable, a plain file of records or absent; missing folders could be made):
 * BASE_USAGE with the fix in the text when not. Makes nothing. Here and below NULL is no file at all: BASE_OK. */
int record_ask(const char *path, struct base_error *e);
/* As record_ask, but missing folders are made: before a run that takes long. */
int record_check(const char *path, struct base_error *e);
/* The same of a file that is made anew, whatever it holds; `flag` named it. */
int record_check_anew(const char *path, const char *flag, struct base_error *e);
/* Appends the record as one line under an exclusive lock, and syncs it. Makes missing folders. BASE_BROKEN when the
 * disk refuses, with the file cut back to what it was, or when its last line is unfinished and none of ours. */
int record_append(const char *path, const json_t *record, struct base_error *e);
/* Calls `each` for every record of the file in order; stops when it returns nonzero and returns that. A missing
 * file, or a line that is not a JSON object (named by number; a torn last line is skipped), is BASE_USAGE. */
int record_read(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                struct base_error *e);
/* The file as one JSON value, a byte-order mark before it passed over: BASE_USAGE with file, line and column when
 * unreadable or not JSON. */
int record_json_load(const char *path, json_t **value, struct base_error *e);

#endif
