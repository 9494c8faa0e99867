/* SPDX-License-Identifier: Apache-2.0
 *
 * Formats numbers as people read them in reports, and handles lists of words. Results go to the caller's buffer and are
 * cut to its size. Also says whether to use colour. */
#ifndef TOISE_BASE_TEXT_H
#define TOISE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* "512 B", "1.50 GiB": powers of 1024 */
void base_text_bytes(double bytes, char *text, int size);
/* "12,345,678" */
void base_text_count(long long count, char *text, int size);
/* "1.23 T": three digits and an SI prefix, to be followed by a unit; "0.00 " and "999 " have no prefix */
void base_text_si(double value, char *text, int size);
/* "850 ns", "850 ms", "12.3 s", "2 min 05 s", "2 h 03 min", "3 d 04 h" */
void base_text_duration(double seconds, char *text, int size);
/* A path that is too long loses its beginning: ".../folder/train.bin". A file name that is too long by itself loses its
 * middle. UTF-8 characters remain whole; control characters become "?". size >= 8. */
void base_text_path(const char *path, char *text, size_t size);
/* The index of `name` in names[count]; -1: not found, or NULL. */
int base_text_find(const char *name, const char *const *names, int count);
/* Adds a word to a list separated by ", ". text has `size` bytes and starts as "". False: no room, and the list is
 * unchanged. */
bool base_text_append(char *text, size_t size, const char *word);
/* Whether the list, with blanks or ", " between words, has this word. */
bool base_text_has_word(const char *list, const char *word);
/* Whether the text ends in `end`. */
bool base_text_ends(const char *text, const char *end);
/* Splits a list at commas and blanks: a copy in text[size], its words in words[most]. Returns their number; -1: too
 * many words, or too long. */
int base_text_words(const char *list, char *text, size_t size, const char *words[], int most);
/* Whether the stream is a terminal and NO_COLOR is unset or "". */
bool base_text_color_allowed(FILE *stream);

#endif
