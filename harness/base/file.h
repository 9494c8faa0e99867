/* SPDX-License-Identifier: Apache-2.0
 *
 * Small text files of /proc and /sys: one line, one number, or the value behind a key; whole files; and the folders
 * above a file. */
#ifndef TOISE_BASE_FILE_H
#define TOISE_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* The first line, without spaces at its ends; false and "" when unreadable. text holds `size`. */
bool base_file_line(const char *path, char *text, int size);
/* The number the file starts with; -1 when unreadable or no number ("max"). */
long long base_file_number(const char *path);
/* What follows `key` and its blanks and colon on the first line that starts with `key`; false and "" when none. */
bool base_file_field(const char *path, const char *key, char *text, int size);
/* The same as a number; -1 when none. */
long long base_file_field_number(const char *path, const char *key);
/* The whole file, with a NUL behind its *size bytes, for the caller to free. BASE_USAGE with its name when unreadable.
 */
int base_file_read(const char *path, char **bytes, size_t *size, struct base_error *e);
/* Writes beside (PATH.part), syncs and renames: `path` holds all that `fill` wrote, or what it held before. One process
 * at a time. `fill` gives false with errno when it could not write. BASE_BROKEN with the name and the reason. */
typedef bool base_file_fill(FILE *file, void *context);
int base_file_make(const char *path, base_file_fill *fill, void *context, struct base_error *e);
/* The same of bytes that are at hand. */
int base_file_replace(const char *path, const void *bytes, size_t size, struct base_error *e);
/* Makes the folders above the last '/' of path, which become `parent`; false with errno when one cannot be made. */
bool base_file_parents(const char *path, char parent[PATH_MAX]);
/* Whether `path`, which is not there, and the folders above it could be made, though nothing is; false with errno.
 * `above`: the lowest folder that is there. Asked where a file system does not let it be tried without a trace. */
bool base_file_could_be_made(const char *path, char above[PATH_MAX]);

#endif
