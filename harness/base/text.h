/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as people read them in reports, each into the caller's buffer and cut to its size; words among others; and
 * whether to colour. */
#ifndef TOISE_BASE_TEXT_H
#define TOISE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* "512 B", "1.50 GiB": powers of 1024 */
void base_text_bytes(double bytes, char *text, int size);
/* "12,345,678" */
void base_text_count(long long count, char *text, int size);
/* "1.23 T": three digits and an SI prefix, so that a unit can follow; "0.00 " and "999 " have none */
void base_text_si(double value, char *text, int size);
/* "850 ns", "850 ms", "12.3 s", "2 min 05 s", "2 h 03 min", "3 d 04 h" */
void base_text_duration(double seconds, char *text, int size);
/* A path that is too long loses its beginning: ".../folder/train.bin"; a name that is too long by itself, its middle.
 * Characters of UTF-8 stay whole. size >= 8 */
void base_text_path(const char *path, char *text, size_t size);
/* Which of names[count] it is; -1: none. NULL is none. */
int base_text_find(const char *name, const char *const *names, int count);
/* Adds a word to a list joined by ", "; text holds `size` and begins as "". false: no room, and the list is as it was.
 */
bool base_text_append(char *text, size_t size, const char *word);
/* The words of a list apart by commas or blanks, into words[most], cut from text[size]; -1: more, or longer. */
int base_text_words(const char *list, char *text, size_t size, const char *words[], int most);
/* A terminal, and the user did not set NO_COLOR (to anything but "") */
bool base_text_color_allowed(FILE *stream);

#endif
