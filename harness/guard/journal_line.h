/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of a journal: {"key":value,...,"sum":"0123456789abcdef"}. The sum is the start of the SHA-256 of all bytes
 * before its comma. For this room. */
#ifndef TOISE_GUARD_JOURNAL_LINE_H
#define TOISE_GUARD_JOURNAL_LINE_H

#include <jansson.h>
#include <stddef.h>

/* The line with its end, to be freed; its length. NULL: memory ran out. */
char *guard_journal_line(const json_t *object, size_t *length);
/* The object of a line without its end, and without its sum. NULL: torn or damaged. */
json_t *guard_journal_parse(const char *line, size_t length);

#endif
