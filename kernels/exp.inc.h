/* SPDX-License-Identifier: Apache-2.0
 *
 * Exponentials of vectors. The functions differ in range and accuracy; each caller takes the cheapest that suffices. */
#ifndef TOISE_KERNELS_EXP_INC_H
#define TOISE_KERNELS_EXP_INC_H

#include "simd.inc.h"

#define SIMD_LOG2E 1.44269504088896341f
#define SIMD_LN2 0.69314718055994531f
/* 1.5 * 2^23 + 127. Adding it to a float rounds to an integer n and leaves n + 127 in the lowest bits of the sum. */
#define SIMD_MAGIC 12583039.0f

/* 2^n from the sum of n and SIMD_MAGIC, for -126 <= n <= 127: the shift drops the bits above n + 127. For a NaN it
 * gives any number, and p times it is still a NaN. As a factor it often becomes part of a multiply-add. */
SIMD_INLINE vf vf_power(vf sum) {
    return (vf)((vu)sum << 23);
}
/* 2^f for |f| <= 1/2. The polynomial is minimax in relative error (1.03e-7) among those that are 1 at 0. A softmax
 * with one large probability has that e^0 in every row, so an error there would add up over the rows. */
SIMD_INLINE vf vf_exp2_fraction(vf f) {
    vf p = f * 1.32647273e-3f + 9.67151299e-3f;
    p = p * f + 5.55073321e-2f;
    p = p * f + 2.40222439e-1f;
    p = p * f + 6.93147004e-1f;
    return p * f + 1.0f;
}
/* 2^x to 4 roundoffs for -126 <= x <= 127. A NaN stays NaN. */
SIMD_INLINE vf vf_exp2_bounded(vf x) {
    const vf sum = x + SIMD_MAGIC;
    return vf_exp2_fraction(x - (sum - SIMD_MAGIC)) * vf_power(sum);
}
/* e^x to 4 + |x|/3 roundoffs for -87 <= x <= 88. A NaN stays NaN. */
SIMD_INLINE vf vf_exp_bounded(vf x) {
    const vf sum = x * SIMD_LOG2E + SIMD_MAGIC;
    /* fused whatever the compiler does: a rounded product would cost as many roundoffs again */
    return vf_exp2_fraction(vf_fma(x, vf_all(SIMD_LOG2E), vf_all(SIMD_MAGIC) - sum)) * vf_power(sum);
}
/* 2^x to 4 roundoffs for x <= 127, but 0 below -126.5: a softmax weight. A NaN stays NaN. */
SIMD_INLINE vf vf_exp2_weight(vf x) {
    return vf_exp2_bounded(vf_max(vf_all(-127), x));
}
/* e^x to 4 + |x|/3 roundoffs for x <= 88, but 0 below -87.7: another. */
SIMD_INLINE vf vf_exp_weight(vf x) {
    return vf_exp_bounded(vf_max(vf_all(-88), x));
}

/* The same, but 0 below -60: a probability of which products with gradients follow. Smaller ones would make these
 * denormal, and multiplying denormals costs over a hundred cycles. */
SIMD_INLINE vf vf_exp_probability(vf x) {
    return (vf)((vi)vf_exp_bounded(vf_max(vf_all(-60), x)) & ~(x < vf_all(-60)));
}

/* e^(x - n ln2) to about 1 ulp, n being the integer nearest to x / ln2. n ln2 is subtracted in two parts (Cody &
 * Waite 1980). The rest is 1 + r + r^2 q(r), with q of degree 4 and minimax in relative error (3e-9) on |r| <=
 * ln2/2. Neighbouring terms are added first (Estrin 1960), which has less latency at no cost. */
SIMD_INLINE vf vf_exp_fraction(vf x, vf n) {
    const vf r = x - n * 0.693145751953125f - n * 1.428606765330187e-06f;
    const vf square = r * r, low = r * 1.66665206e-1f + 4.99999934e-1f, high = r * 8.36871724e-3f + 4.16683881e-2f;
    const vf q = (square * 1.38145979e-3f + high) * square + low;
    return (q * square + r) + 1.0f;
}
/* e^x to about 1 ulp for -88 <= x <= 88, but 0 below -87.7: 2^-127 is the next exponent below. A NaN stays NaN. */
SIMD_INLINE vf vf_exp_below(vf x) {
    const vf sum = x * SIMD_LOG2E + SIMD_MAGIC;
    return vf_exp_fraction(x, sum - SIMD_MAGIC) * vf_power(sum);
}
/* The same for any x <= 88. */
SIMD_INLINE vf vf_exp(vf x) {
    return vf_exp_below(vf_max(vf_all(-88), x));
}

#endif
