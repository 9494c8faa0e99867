/* SPDX-License-Identifier: Apache-2.0
 *
 * The register-only multiply-add loop of every kernel_peak variant. Needs KERNEL_LANES, PEAK_SUMS (independent
 * accumulators) and PEAK_OTHERS (multiplicands); together with two more operands they must fit into the register file.
 * With PEAK_DOT, operands are BF16 pairs and the including file defines peak_step(), which adds their dot. Otherwise
 * peak_step() is one FMA, in the form that overwrites the sum: x86 can overwrite any operand, Arm only the addend. */
#ifndef TOISE_KERNELS_PEAK_PEAK_INC_H
#define TOISE_KERNELS_PEAK_PEAK_INC_H

#include "declare.h"
#include "peak/fill.inc.h"
#include "simd.inc.h"

#ifndef PEAK_DOT
SIMD_INLINE vf peak_step(vf sum, vf a, vf b) {
#ifdef SIMD_NEON
    return vf_fma(a, b, sum);
#else
    return sum * a + b;
#endif
}
#endif

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
