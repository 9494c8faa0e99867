/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a text file line by line, whatever it holds: the file may be larger than memory, and a line too long to be
 * meant is refused without being kept. */
#ifndef TOISE_RECORDS_LINES_H
#define TOISE_RECORDS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "records/hash.h"

enum { RECORD_LINE_MOST = 64 << 20 }; /* bytes; a record of 4,096 ranks has about 1 MB */

struct record_lines {
    const char *path;
    FILE *file;
    char *text;    /* the line without its end ("\n" or "\r\n"), with a NUL behind it; it may hold other NULs */
    size_t length; /* of text */
    long number;   /* of the line, from 1; 0 before the first */
    bool whole;    /* it had an end */
    struct record_hash hash; /* of all bytes read so far */
    size_t room, at, filled;
    char block[1 << 16];
};

/* Opens a plain file. `wanted` ends the message: "a file of records". BASE_USAGE: no such file, a folder, a FIFO, a
 * device, or UTF-16. A UTF-8 byte-order mark is skipped. Close it also after an error. */
int record_lines_open(struct record_lines *l, const char *path, const char *wanted, struct base_error *e);
/* Reads the next line. *more is false after the last. BASE_USAGE with file and line: longer than RECORD_LINE_MOST (the
 * next call goes on behind it), or a read error. */
int record_lines_next(struct record_lines *l, bool *more, struct base_error *e);
void record_lines_close(struct record_lines *l);
/* For reading anything else than lines. A FIFO would block for ever, and /dev/zero would never end. NULL: as above. */
FILE *record_open_plain(const char *path, const char *wanted, struct base_error *e);
/* Skips the UTF-8 byte-order mark that editors write. False: the text is UTF-16. */
bool record_skip_mark(FILE *file);

#endif
