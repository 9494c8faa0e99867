/* SPDX-License-Identifier: Apache-2.0
 *
 * How much a test is to do: less with the address sanitizer, more in make check-full. */
#ifndef TOISE_TESTS_EFFORT_H
#define TOISE_TESTS_EFFORT_H

#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static inline bool effort_full(void) {
    const char *full = getenv("CHECK_FULL");
    return full && *full;
}

#endif
