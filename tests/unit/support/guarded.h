/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for what kernels read and write in tests: each buffer between two pages that nobody can touch, flush against
 * one of them, so that the first byte read or written outside faults and is named. What a page leaves over holds 0xff,
 * which guarded_check() wants to find again and ASan watches. */
#ifndef TOISE_TESTS_GUARDED_H
#define TOISE_TESTS_GUARDED_H

#include <stddef.h>

/* Where buffers stand from now on: at the end of their pages, whatever alignment that gives; at the begin; or off the
 * begin by the skew asked for, so that the alignment is as wanted. */
enum guarded_place { GUARDED_END, GUARDED_BEGIN, GUARDED_SKEWED, GUARDED_PLACES };
extern enum guarded_place guarded_place;
/* What runs, for the message of a fault. */
extern const char *guarded_what;

/* Filled with 0xff, a NaN in either dtype. */
void *guarded_bytes(size_t bytes, size_t skew);
/* The same beginning at 64 bytes, and so near a guard at its end: scratch, packed operands. */
void *guarded_scratch(size_t bytes);
/* Fails if a byte between a buffer and its guards has changed. */
void guarded_check(void);
/* Checks one, or all, and frees. */
void guarded_release(void *buffer);
void guarded_free(void);

#endif
