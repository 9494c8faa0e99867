/* SPDX-License-Identifier: Apache-2.0
 *
 * How much a test is to do: less with the address sanitizer or on an emulated CPU, more in make check-full. */
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

/* Whether the CPU is emulated, as in scripts/check.sh, and some fifty times slower. Then plain C and libraries are left
 * out, operands have one placement, and a problem of attention one dtype. */
static inline bool effort_emulator(void) {
    const char *emulator = getenv("CHECK_EMULATOR");
    return emulator && *emulator;
}

#endif
