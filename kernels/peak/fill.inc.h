/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands of the loops that measure a peak: FP32 numbers, or BF16 pairs with PEAK_DOT. */
#ifndef TOISE_KERNELS_PEAK_FILL_INC_H
#define TOISE_KERNELS_PEAK_FILL_INC_H

#include <stdint.h>

#ifdef PEAK_DOT
enum { PEAK_FLOP = 4 }; /* operations per 32-bit lane */
static const uint32_t peak_sign = 0x80008000u, peak_keep = 0x807f807fu, peak_half = 0x3f003f00u;
#else
enum { PEAK_FLOP = 2 };
static const uint32_t peak_sign = 0x80000000u, peak_keep = 0x807fffffu, peak_half = 0x3f000000u;
#endif

/* Makes the compiler assume that x changes here. */
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+m"(x))

/* Random signs and mantissas in +-[0.5, 1): as many bits toggle as with real data. */
static void peak_fill(uint32_t *word, int count) {
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        word[i] = ((uint32_t)(state >> 32) & peak_keep) | peak_half;
    }
}

#endif
