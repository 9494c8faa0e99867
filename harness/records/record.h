/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of records, one JSON object on each line. An append is whole or not at all: the line counts only once it is
 * written and synced. A torn last line (a crash, a full disk) never counts, and the next append repairs it.
 *
 * The room records/ reads and writes what toise stores. It promises appends that survive crashes, values by paths of
 * keys (get.h), and the common start of a record (set.h). It also reads CSV tables as people write them (csv.h) and
 * finds the catalogue's files (catalog.h). Its errors name file, line and field. It needs base/ and jansson. It does
 * not know what a key means. */
#ifndef TOISE_RECORDS_RECORD_H
#define TOISE_RECORDS_RECORD_H

#include <jansson.h>

#include "records/get.h"

/* Whether `path` can be appended to. It must be a writable file whose first line is a record, or absent and possible to
 * create with its folders. Creates nothing. BASE_USAGE with the cure: it cannot. In all these functions NULL means no
 * file: BASE_OK. */
int record_check(const char *path, struct base_error *e);
/* The same for a file that will be replaced, whatever it holds. `flag`: the option that named it. */
int record_check_anew(const char *path, const char *flag, struct base_error *e);
/* Appends the record as one line under an exclusive lock, and syncs it. Creates missing folders. BASE_BROKEN: the write
 * failed (the file is cut back to its old length), or its unfinished last line is not a record. */
int record_append(const char *path, const json_t *record, struct base_error *e);
/* Calls `each` for every record in order; stops at the first nonzero code and returns it. Skips a torn last line.
 * BASE_USAGE: no such file, or another line that is not a JSON object or has an unknown schema (named by its number).
 * All readers of records go through here, so none takes a later major version for this one. */
int record_read(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                struct base_error *e);
/* Lines that are not records, when they are skipped. */
struct record_skipped {
    long lines;
    char first[1024]; /* why the first one was skipped, with file and line; "": none was */
};
/* The same, but the last line must be whole: of what was torn nobody knows whether it was FAILED. Lines that are not
 * records of this schema are skipped and added to *skipped. NULL: they are refused. */
int record_read_whole(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                      struct record_skipped *skipped, struct base_error *e);
/* Reads the file as one JSON value; skips a byte-order mark. BASE_USAGE with file, line and column: unreadable or not
 * JSON. */
int record_json_load(const char *path, json_t **value, struct base_error *e);

#endif
