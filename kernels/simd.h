/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of KERNEL_LANES floats by the compiler's vector extensions (gcc, clang): one source of an operation,
 * compiled once per instruction set. Everything is static, so no code of one set can be merged into another's
 * objects. Define KERNEL_LANES (8 for AVX2, 16 for AVX-512) before the include. */
#ifndef TOISE_KERNELS_SIMD_H
#define TOISE_KERNELS_SIMD_H

#include <stdint.h>
#include <string.h>

#include "kernels.h"

#ifndef KERNEL_LANES
#error "define KERNEL_LANES before including simd.h"
#endif
#define SIMD_INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(4 * KERNEL_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * KERNEL_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * KERNEL_LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * KERNEL_LANES)));
typedef float vf_any __attribute__((vector_size(4 * KERNEL_LANES), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * KERNEL_LANES), aligned(2), may_alias));

SIMD_INLINE vf vf_all(float x) {
    return x - (vf){0};
}
SIMD_INLINE vf vf_load(const float *p) {
    return *(const vf_any *)p;
}
SIMD_INLINE void vf_store(float *p, vf x) {
    *(vf_any *)p = x;
}
SIMD_INLINE vf vf_pick(vi mask, vf yes, vf no) {
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}
/* a > b ? a : b (so b where either is NaN); written by lane, since both compilers make that one instruction */
SIMD_INLINE vf vf_max(vf a, vf b) {
    vf y;
    for (int i = 0; i < KERNEL_LANES; i++) y[i] = a[i] > b[i] ? a[i] : b[i];
    return y;
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    vf y;
    for (int i = 0; i < KERNEL_LANES; i++) y[i] = a[i] < b[i] ? a[i] : b[i];
    return y;
}

SIMD_INLINE vf vf_widen(vh h) {
    return (vf)(__builtin_convertvector(h, vu) << 16);
}
/* nearest even; a NaN stays one (its quiet bit set) */
SIMD_INLINE vh vf_narrow(vf x) {
    vu u = (vu)x;
    vu rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    vu nan = (u >> 16) | 0x40;
    vu is_nan = (vu)(x != x);
    return __builtin_convertvector((nan & is_nan) | (rounded & ~is_nan), vh);
}
SIMD_INLINE vf vf_load_bf16(const kernel_bf16 *p) {
    return vf_widen(*(const vh_any *)p);
}
SIMD_INLINE void vf_store_bf16(kernel_bf16 *p, vf x) {
    *(vh_any *)p = vf_narrow(x);
}

/* element i of a buffer of either dtype: a full vector, or the first n lanes (the others read as 0) */
SIMD_INLINE vf vf_get(enum kernel_dtype t, const void *p, int64_t i) {
    return t == KERNEL_F32 ? vf_load((const float *)p + i) : vf_load_bf16((const kernel_bf16 *)p + i);
}
SIMD_INLINE void vf_put(enum kernel_dtype t, void *p, int64_t i, vf x) {
    if (t == KERNEL_F32)
        vf_store((float *)p + i, x);
    else
        vf_store_bf16((kernel_bf16 *)p + i, x);
}
SIMD_INLINE vf vf_get_n(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    if (t == KERNEL_F32) {
        float x[KERNEL_LANES] = {0};
        memcpy(x, (const float *)p + i, (size_t)n * sizeof *x);
        return vf_load(x);
    }
    kernel_bf16 x[KERNEL_LANES] = {0};
    memcpy(x, (const kernel_bf16 *)p + i, (size_t)n * sizeof *x);
    return vf_load_bf16(x);
}
SIMD_INLINE void vf_put_n(enum kernel_dtype t, void *p, int64_t i, int64_t n, vf v) {
    if (t == KERNEL_F32) {
        float x[KERNEL_LANES];
        vf_store(x, v);
        memcpy((float *)p + i, x, (size_t)n * sizeof *x);
        return;
    }
    kernel_bf16 x[KERNEL_LANES];
    vf_store_bf16(x, v);
    memcpy((kernel_bf16 *)p + i, x, (size_t)n * sizeof *x);
}

/* lanes added pairwise, in a fixed order */
SIMD_INLINE float vf_sum(vf v) {
    float x[KERNEL_LANES];
    vf_store(x, v);
    for (int w = KERNEL_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) x[i] += x[i + w];
    return x[0];
}
SIMD_INLINE float vf_highest(vf v) {
    float x[KERNEL_LANES];
    vf_store(x, v);
    for (int w = KERNEL_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) x[i] = x[i] > x[i + w] ? x[i] : x[i + w];
    return x[0];
}

/* sqrt of each lane; without errno the loop becomes one instruction */
SIMD_INLINE vf vf_sqrt(vf x) {
    vf y;
    for (int i = 0; i < KERNEL_LANES; i++) y[i] = __builtin_sqrtf(x[i]);
    return y;
}

/* e^x to about 1 ulp over [-87.3, 88.7]; below, 0; above, +infinity; NaN stays NaN. Reduction by n ln2 in two
 * parts (Cody & Waite 1980), then 1 + r + r^2 q(r) with q of degree 4, minimax in relative error (3e-9) on
 * |r| <= ln2/2. */
SIMD_INLINE vf vf_exp(vf x) {
    const float magic = 12582912.0f;                        /* 1.5 * 2^23: adding it rounds to an integer */
    const float lowest = -87.336540f, highest = 88.722832f; /* the last whose e^x is a normal, finite number */
    vf bounded = vf_max(vf_all(lowest), vf_min(vf_all(highest), x)); /* NaN stays */
    vf shifted = bounded * 1.44269504088896341f + magic;
    vf n = shifted - magic;
    vf r = bounded - n * 0.693145751953125f;
    r = r - n * 1.428606765330187e-06f;
    vf p = r * 1.38145979e-3f + 8.36871724e-3f;
    p = p * r + 4.16683881e-2f;
    p = p * r + 1.66665206e-1f;
    p = p * r + 4.99999934e-1f;
    p = (p * r * r + r) + 1.0f;
    /* the product with 2^n is normal and finite, so it is one addition to the exponent (of a NaN: of 0) */
    p = (vf)((vi)p + (__builtin_convertvector(n, vi) << 23));
    p = vf_pick(x < lowest, vf_all(0.0f), p);
    return vf_pick(x > highest, vf_all(__builtin_inff()), p);
}

#endif
