/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads small text files such as those of /proc and /sys: one line, one number, or a key's value. Reads whole files.
 * Replaces files atomically, and creates the folders above them. */
#ifndef TOISE_BASE_FILE_H
#define TOISE_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* The first line without surrounding blanks. False and "": unreadable. text has `size` bytes. */
bool base_file_line(const char *path, char *text, int size);
/* The number at the start of the file. -1: unreadable, or not a number ("max"). */
long long base_file_number(const char *path);
/* The value on the first line that starts with `key`, after blanks and a colon. False and "": not found. */
bool base_file_field(const char *path, const char *key, char *text, int size);
/* The same as a number; -1: not found. */
long long base_file_field_number(const char *path, const char *key);
/* Reads the whole file. A NUL follows its *size bytes; the caller frees them. BASE_USAGE with the name: unreadable. */
int base_file_read(const char *path, char **bytes, size_t *size, struct base_error *e);
/* Writes PATH.part, syncs it and renames it, so `path` holds either the new content or the old
 * one. For one process at a time. `fill` returns false with errno if it cannot write.
 * BASE_BROKEN with the name and the reason. */
typedef bool base_file_fill(FILE *file, void *context);
int base_file_make(const char *path, base_file_fill *fill, void *context, struct base_error *e);
/* The same, but creates missing folders first. */
int base_file_make_below(const char *path, base_file_fill *fill, void *context, struct base_error *e);
/* The same for bytes in memory. */
int base_file_replace(const char *path, const void *bytes, size_t size, struct base_error *e);
/* Creates the folders above the last '/' of path and copies their path to `parent`. False with errno: one cannot be
 * created. */
bool base_file_parents(const char *path, char parent[PATH_MAX]);
/* Whether `path` and its missing folders could be created; creates nothing. False with errno. `path` does not exist.
 * `above`: the lowest existing folder above it. Tries it with an unnamed file; file systems without such files are only
 * asked for permissions. */
bool base_file_could_be_made(const char *path, char above[PATH_MAX]);

#endif
