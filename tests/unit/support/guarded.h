/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for kernels under test. Each buffer is between two inaccessible pages and touches one of them, so that the
 * first access outside it faults and is named. The rest of its pages holds 0xff, which guarded_check() verifies and
 * ASan watches. */
#ifndef TOISE_TESTS_GUARDED_H
#define TOISE_TESTS_GUARDED_H

#include <stddef.h>

/* Where buffers are placed from now on. END: at the end of their pages, with whatever alignment results. BEGIN: at
 * the start. SKEWED: off the start by the requested skew, for a chosen misalignment. */
enum guarded_place { GUARDED_END, GUARDED_BEGIN, GUARDED_SKEWED, GUARDED_PLACES };
extern enum guarded_place guarded_place;
/* What is running, for the message of a fault. */
extern const char *guarded_what;

/* Filled with 0xff, a NaN in either dtype. */
void *guarded_bytes(size_t bytes, size_t skew);
/* The same with 64-byte alignment, so only near the guard at its end: for scratch and packed operands. */
void *guarded_scratch(size_t bytes);
/* Fails if a byte between a buffer and its guards has changed. */
void guarded_check(void);
/* Checks one buffer, or all, and frees. */
void guarded_release(void *buffer);
void guarded_free(void);

#endif
