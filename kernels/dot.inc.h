/* SPDX-License-Identifier: Apache-2.0
 *
 * AVX512_BF16, defined by Intel's manual (Software Developer's Manual, volume 2): the dot of BF16 pairs, and the
 * rounding of two vectors to BF16. Denormal operands and results become zeros of their sign, whatever the
 * floating-point state. */
#ifndef TOISE_KERNELS_DOT_INC_H
#define TOISE_KERNELS_DOT_INC_H

#include "simd.inc.h"

SIMD_INLINE vf dot_flush(vf x) {
    const vu u = (vu)x, normal = (vu)((u & 0x7f800000) != 0);
    return (vf)(u & (normal | 0x80000000));
}
SIMD_INLINE vf dot_half(vf sum, vf a, vf b) {
    return dot_flush(vf_fma(dot_flush(a), dot_flush(b), dot_flush(sum)));
}
/* VDPBF16PS: each lane of the sum gains the products of two pairs. These are two multiply-adds, the upper pair first,
 * each rounded to nearest even. A NaN stays a NaN; its bits may differ. */
SIMD_INLINE vf dot_plain(vf sum, vf a, vf b) {
    const vf upper = dot_half(sum, (vf)((vu)a & 0xffff0000), (vf)((vu)b & 0xffff0000));
    return dot_half(upper, (vf)((vu)a << 16), (vf)((vu)b << 16));
}
/* VCVTNE2PS2BF16 rounds to nearest even; a NaN becomes quiet. */
SIMD_INLINE vu round_plain(vf x) {
    return vu_round(dot_flush(x));
}

/* vf_dot_bf16: sum + a . b. Two vectors rounded to BF16: vf_join_bf16 puts all of `low` before all of `high`;
 * vf_pair_bf16 makes a pair of each lane's two numbers, that of `low` first. */
#ifdef SIMD_AVX512
SIMD_INLINE vf vf_join_bf16(vf low, vf high) {
    return (vf)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}
SIMD_INLINE vf vf_pair_bf16(vf low, vf high) {
    static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return (vf)_mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)vf_join_bf16(low, high));
}
/* In assembly as in gemm/tile.inc.h: clang spills the sums of an unrolled loop. */
SIMD_INLINE vf vf_dot_bf16(vf sum, vf a, vf b) {
    __asm__ volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#else
SIMD_INLINE vf vf_dot_bf16(vf sum, vf a, vf b) {
    return dot_plain(sum, a, b);
}
SIMD_INLINE vf vf_join_bf16(vf low, vf high) {
    return (vf)vu_join_upper(round_plain(low), round_plain(high));
}
SIMD_INLINE vf vf_pair_bf16(vf low, vf high) {
    return (vf)vu_zip_upper(round_plain(low), round_plain(high));
}
#endif

#endif
