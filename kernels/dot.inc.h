/* SPDX-License-Identifier: Apache-2.0
 *
 * The dot of BF16 pairs of AVX512_BF16 (VDPBF16PS): each lane of the sum gains the products of two pairs.
 * Intel's manual (Software Developer's Manual, volume 2) defines it as two multiply-adds, the upper pair first, each
 * rounded to nearest even. Denormal operands and results become zeros of their sign, whatever the floating-point
 * state. */
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
/* The same in plain C. A NaN stays a NaN; its bits may differ. */
SIMD_INLINE vf dot_plain(vf sum, vf a, vf b) {
    const vf upper = dot_half(sum, (vf)((vu)a & 0xffff0000), (vf)((vu)b & 0xffff0000));
    return dot_half(upper, (vf)((vu)a << 16), (vf)((vu)b << 16));
}

/* sum + a . b */
#ifdef SIMD_AVX512
/* In assembly as in gemm/tile.inc.h: clang spills the sums of an unrolled loop. */
SIMD_INLINE vf vf_dot_bf16(vf sum, vf a, vf b) {
    __asm__ volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#else
SIMD_INLINE vf vf_dot_bf16(vf sum, vf a, vf b) {
    return dot_plain(sum, a, b);
}
#endif

#endif
