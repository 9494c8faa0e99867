/* SPDX-License-Identifier: Apache-2.0
 *
 * The register-only multiply-add loop of every kernel_peak variant. Needs KERNEL_LANES, PEAK_SUMS (independent
 * accumulators) and PEAK_OTHERS (multiplicands); together with two more operands they must fit into the register file.
 * With PEAK_DOT, operands are BF16 pairs and the including file defines peak_step(), which adds their dot. Otherwise
 * peak_step() is one FMA, in the form that overwrites the sum: x86 can overwrite any operand, Arm only the addend. */
#ifndef TOISE_KERNELS_PEAK_PEAK_INC_H
#define TOISE_KERNELS_PEAK_PEAK_INC_H

#include "declare.h"
#include "simd.inc.h"

#ifdef PEAK_DOT
enum { PEAK_FLOP = 4 }; /* operations per 32-bit lane */
static const uint32_t peak_sign = 0x80008000u, peak_keep = 0x807f807fu, peak_half = 0x3f003f00u;
#else
enum { PEAK_FLOP = 2 };
static const uint32_t peak_sign = 0x80000000u, peak_keep = 0x807fffffu, peak_half = 0x3f000000u;
SIMD_INLINE vf peak_step(vf sum, vf a, vf b) {
#ifdef SIMD_NEON
    return vf_fma(a, b, sum);
#else
    return sum * a + b;
#endif
}
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

/* Sums remain bounded: each product is subtracted again by the next, or each FMA scales the sum by |x| < 1. */
static double peak_run(int64_t rounds) {
    vu bits[1 + PEAK_OTHERS + PEAK_SUMS]; /* sums start with different values, or the compiler would merge equal ones */
    peak_fill((uint32_t *)bits, (1 + PEAK_OTHERS + PEAK_SUMS) * KERNEL_LANES);
    PEAK_OPAQUE(bits);
    vf x[2] = {(vf)bits[0], (vf)(bits[0] ^ peak_sign)}, y[PEAK_OTHERS], sum[PEAK_SUMS];
    for (int i = 0; i < PEAK_OTHERS; i++) y[i] = (vf)bits[1 + i];
    for (int i = 0; i < PEAK_SUMS; i++) sum[i] = (vf)bits[1 + PEAK_OTHERS + i];
    for (int64_t r = 0; r < rounds; r++) {
        SIMD_UNROLL(32)
        for (int i = 0; i < PEAK_SUMS; i++) sum[i] = peak_step(sum[i], x[i % 2], y[i % PEAK_OTHERS]);
        SIMD_UNROLL(32)
        for (int i = 0; i < PEAK_SUMS; i++) sum[i] = peak_step(sum[i], x[1 - i % 2], y[i % PEAK_OTHERS]);
    }
    SIMD_UNROLL(32)
    for (int i = 0; i < PEAK_SUMS; i++) bits[i] = (vu)sum[i];
    PEAK_OPAQUE(bits);
    return (double)rounds * 2 * PEAK_SUMS * KERNEL_LANES * PEAK_FLOP;
}

#endif
