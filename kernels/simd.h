/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of KERNEL_LANES floats by the compiler's vector extensions (gcc, clang): one source of an operation,
 * compiled once per instruction set. Everything is static, so no code of one set can be merged into another's
 * objects. Define KERNEL_LANES (8 for AVX2, 16 for AVX-512) before the include. */
#ifndef TOISE_KERNELS_SIMD_H
#define TOISE_KERNELS_SIMD_H

#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

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
/* yes where mask is -1, no where it is 0 */
SIMD_INLINE vf vf_pick(vi mask, vf yes, vf no) {
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}
/* Stores past the caches: p aligned to the vector; simd_stream_end() before other threads may read. */
SIMD_INLINE void vf_stream(float *p, vf x) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
    _mm512_stream_ps(p, (__m512)x);
#elif KERNEL_LANES == 8 && defined(__AVX2__)
    _mm256_stream_ps(p, (__m256)x);
#else
    vf_store(p, x);
#endif
}
SIMD_INLINE void simd_stream_end(void) {
#ifdef __x86_64__
    _mm_sfence();
#endif
}
/* The few operations that gcc 12 makes several instructions of: maximum and minimum (b where either is NaN), and
 * the steps between 16 and 32 bits. */
#if KERNEL_LANES == 16 && defined(__AVX512F__)
SIMD_INLINE vf vf_max(vf a, vf b) {
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}
SIMD_INLINE vu vu_from_half(vh h) {
    return (vu)_mm512_cvtepu16_epi32((__m256i)h);
}
SIMD_INLINE vh vu_to_half(vu u) {
    return (vh)_mm512_cvtepi32_epi16((__m512i)u);
}
#elif KERNEL_LANES == 8 && defined(__AVX2__)
SIMD_INLINE vf vf_max(vf a, vf b) {
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
SIMD_INLINE vu vu_from_half(vh h) {
    return (vu)_mm256_cvtepu16_epi32((__m128i)h);
}
SIMD_INLINE vh vu_to_half(vu u) { /* of values below 2^16, which saturation keeps */
    const __m256i v = (__m256i)u;
    return (vh)_mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}
#else
SIMD_INLINE vf vf_max(vf a, vf b) {
    return vf_pick(a > b, a, b);
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    return vf_pick(a < b, a, b);
}
SIMD_INLINE vu vu_from_half(vh h) {
    return __builtin_convertvector(h, vu);
}
SIMD_INLINE vh vu_to_half(vu u) {
    return __builtin_convertvector(u, vh);
}
#endif

SIMD_INLINE vf vf_widen(vh h) {
    return (vf)(vu_from_half(h) << 16);
}
/* nearest even; a NaN stays one (its quiet bit set) */
SIMD_INLINE vh vf_narrow(vf x) {
    const vu u = (vu)x, high = u >> 16, rounded = (u + 0x7fff + (high & 1)) >> 16;
    return vu_to_half((vu)vf_pick(x != x, (vf)(high | 0x40), (vf)rounded));
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

#if KERNEL_LANES == 16
#define SIMD_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SIMD_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif KERNEL_LANES == 8
#define SIMD_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define SIMD_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define SIMD_LOW 0, 4, 1, 5
#define SIMD_HIGH 2, 6, 3, 7
#endif
#ifdef __clang__
#define SIMD_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SIMD_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__}) /* gcc before 12 has only this one */
#endif

/* Transposes KERNEL_LANES vectors: log2(LANES) rounds, each of which interleaves the first half of the vectors with
 * the second and so rotates the bits of (vector, lane) by one place. */
SIMD_INLINE void vf_transpose(vf x[KERNEL_LANES]) {
#pragma GCC unroll 4
    for (int round = 1; round < KERNEL_LANES; round *= 2) {
        vf y[KERNEL_LANES];
#pragma GCC unroll 8
        for (int i = 0; i < KERNEL_LANES / 2; i++) {
            y[2 * i] = SIMD_SHUFFLE(x[i], x[i + KERNEL_LANES / 2], SIMD_LOW);
            y[2 * i + 1] = SIMD_SHUFFLE(x[i], x[i + KERNEL_LANES / 2], SIMD_HIGH);
        }
#pragma GCC unroll 16
        for (int i = 0; i < KERNEL_LANES; i++) x[i] = y[i];
    }
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
    const float magic = 12582912.0f;                                 /* 1.5 * 2^23: adding it rounds to an integer */
    const float lowest = -87.336540f, highest = 88.722832f;          /* the last whose e^x is a normal, finite number */
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
