/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of KERNEL_LANES floats by the compiler's vector extensions (gcc, clang): one source of an operation is
 * compiled once per instruction set. Everything is static, so that the linker cannot merge code of one set into
 * another's objects. Define KERNEL_LANES (4 for NEON, 8 for AVX2, 16 for AVX-512) before the include. */
#ifndef TOISE_KERNELS_SIMD_INC_H
#define TOISE_KERNELS_SIMD_INC_H

#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels.h"

#ifndef KERNEL_LANES
#error "define KERNEL_LANES before including simd.inc.h"
#endif
/* Whether an operation uses intrinsics or plain C. Plain C is for kernels_ref. If KERNEL_EMULATED is defined it is
 * for every variant: tests use this for instruction sets that the CPU lacks. */
#if !defined(KERNEL_EMULATED) && KERNEL_LANES == 16 && defined(__AVX512F__)
#define SIMD_AVX512
#elif !defined(KERNEL_EMULATED) && KERNEL_LANES == 8 && defined(__AVX2__) && defined(__FMA__)
#define SIMD_AVX2
#elif !defined(KERNEL_EMULATED) && KERNEL_LANES == 4 && defined(__aarch64__)
#define SIMD_NEON
#endif
/* Fully unrolls a loop over a tile's registers. Not if they are emulated: compilers would take minutes. */
#ifdef KERNEL_EMULATED
#define SIMD_UNROLL(n)
#else
#define SIMD_PRAGMA(text) _Pragma(#text)
#define SIMD_UNROLL(n) SIMD_PRAGMA(GCC unroll n)
#endif
#define SIMD_INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(4 * KERNEL_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * KERNEL_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * KERNEL_LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * KERNEL_LANES)));
typedef float vf_any __attribute__((vector_size(4 * KERNEL_LANES), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * KERNEL_LANES), aligned(2), may_alias));
typedef uint32_t vu_any __attribute__((vector_size(4 * KERNEL_LANES), aligned(2), may_alias));

SIMD_INLINE vf vf_all(float x) {
    return x - (vf){0};
}
SIMD_INLINE vf vf_load(const float *p) {
    return *(const vf_any *)p;
}
SIMD_INLINE void vf_store(float *p, vf x) {
    *(vf_any *)p = x;
}
/* yes if mask is -1, no if it is 0 */
SIMD_INLINE vf vf_pick(vi mask, vf yes, vf no) {
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}
/* Streaming stores: p is aligned to the vector. Call simd_stream_end() before other threads may read. Arm's cores
 * notice by themselves that lines are written whole. */
SIMD_INLINE void vu_stream(void *p, vu x) {
#ifdef SIMD_AVX512
    _mm512_stream_si512((__m512i *)p, (__m512i)x);
#elif defined(SIMD_AVX2)
    _mm256_stream_si256((__m256i *)p, (__m256i)x);
#else
    *(vu_any *)p = x;
#endif
}
SIMD_INLINE void simd_stream_end(void) {
#ifdef __x86_64__
    _mm_sfence();
#endif
}
/* The few operations that gcc 12 compiles to several instructions. Maximum and minimum give b if either is NaN.
 * Others convert between 16 and 32 bits, or tell whether any lane of a or b is NaN. Two combine the upper halves of
 * two vectors. Zipped: `even` and `odd` alternate lane by lane. Joined: all of `low` comes before all of `high`. */
#ifdef SIMD_AVX512
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
SIMD_INLINE bool vf_any_nan(vf a, vf b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q) != 0;
}
SIMD_INLINE vu vu_zip_upper(vu even, vu odd) {
    return (vu)_mm512_mask_blend_epi16(0xaaaaaaaa, (__m512i)(even >> 16), (__m512i)odd);
}
SIMD_INLINE vu vu_join_upper(vu low, vu high) {
    const __m256i h = _mm512_cvtepi32_epi16((__m512i)(high >> 16));
    return (vu)_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16((__m512i)(low >> 16))), h, 1);
}
#elif defined(SIMD_AVX2)
SIMD_INLINE vf vf_max(vf a, vf b) {
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
SIMD_INLINE vu vu_from_half(vh h) {
    return (vu)_mm256_cvtepu16_epi32((__m128i)h);
}
SIMD_INLINE vh vu_to_half(vu u) { /* values below 2^16, which saturation keeps */
    const __m256i v = (__m256i)u;
    return (vh)_mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}
SIMD_INLINE bool vf_any_nan(vf a, vf b) {
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q)) != 0;
}
SIMD_INLINE vu vu_zip_upper(vu even, vu odd) {
    return (vu)_mm256_blend_epi16((__m256i)(even >> 16), (__m256i)odd, 0xaa);
}
SIMD_INLINE vu vu_join_upper(vu low, vu high) {
    const __m256i pairs = _mm256_packus_epi32((__m256i)(low >> 16), (__m256i)(high >> 16));
    return (vu)_mm256_permute4x64_epi64(pairs, 0xd8);
}
#else /* NEON has these as a comparison and a choice: its own maximum is NaN if either is */
SIMD_INLINE vf vf_max(vf a, vf b) {
    return vf_pick(a > b, a, b);
}
SIMD_INLINE vf vf_min(vf a, vf b) {
    return vf_pick(a < b, a, b);
}
#ifdef SIMD_NEON
SIMD_INLINE vu vu_from_half(vh h) {
    return (vu)vmovl_u16((uint16x4_t)h);
}
SIMD_INLINE vh vu_to_half(vu u) {
    return (vh)vmovn_u32((uint32x4_t)u);
}
SIMD_INLINE bool vf_any_nan(vf a, vf b) { /* the maximum of all lanes is NaN if one is */
    const float highest = vmaxvq_f32(vmaxq_f32((float32x4_t)a, (float32x4_t)b));
    return highest != highest;
}
SIMD_INLINE vu vu_zip_upper(vu even, vu odd) {
    return (vu)vsriq_n_u32((uint32x4_t)odd, (uint32x4_t)even, 16);
}
SIMD_INLINE vu vu_join_upper(vu low, vu high) {
    return (vu)vuzp2q_u16((uint16x8_t)low, (uint16x8_t)high);
}
#else
SIMD_INLINE vu vu_from_half(vh h) {
    return __builtin_convertvector(h, vu);
}
SIMD_INLINE vh vu_to_half(vu u) {
    return __builtin_convertvector(u, vh);
}
SIMD_INLINE bool vf_any_nan(vf a, vf b) {
    const vi nan = (a != a) | (b != b);
    int any = 0;
    for (int i = 0; i < KERNEL_LANES; i++) any |= nan[i];
    return any != 0;
}
SIMD_INLINE vu vu_zip_upper(vu even, vu odd) {
    return (even >> 16) | (odd & 0xffff0000);
}
SIMD_INLINE vu vu_join_upper(vu low, vu high) {
    const vh halves[2] = {vu_to_half(low >> 16), vu_to_half(high >> 16)};
    vu joined;
    memcpy(&joined, halves, sizeof joined);
    return joined;
}
#endif
#endif

SIMD_INLINE vf vf_widen(vh h) {
#ifdef SIMD_NEON
    return (vf)vshll_n_u16((uint16x4_t)h, 16);
#else
    return (vf)(vu_from_half(h) << 16);
#endif
}
/* Two vectors of floats from BF16 at p, in order, starting at vector i. */
SIMD_INLINE void vf_widen_two(const void *p, int64_t i, vf x[2]) {
#ifdef SIMD_AVX2
    const __m256i h = _mm256_permute4x64_epi64((__m256i)((const vu_any *)p)[i], 0xd8), zero = _mm256_setzero_si256();
    x[0] = (vf)_mm256_unpacklo_epi16(zero, h);
    x[1] = (vf)_mm256_unpackhi_epi16(zero, h);
#elif defined(SIMD_NEON)
    const uint16x8_t h = (uint16x8_t)((const vu_any *)p)[i];
    x[0] = (vf)vshll_n_u16(vget_low_u16(h), 16);
    x[1] = (vf)vshll_high_n_u16(h, 16);
#else
    for (int k = 0; k < 2; k++) x[k] = vf_widen(((const vh_any *)p)[2 * i + k]);
#endif
}

/* BF16 in the upper half of each lane, the lower half to be dropped. Rounds to nearest even; a NaN may be lost. */
SIMD_INLINE vu vu_round_number(vf x) {
    const vu u = (vu)x;
    return u + 0x7fff + (u >> 16 & 1);
}
/* The same, but a NaN stays one (its quiet bit set). */
SIMD_INLINE vu vu_round(vf x) {
    return (vu)vf_pick(x != x, (vf)((vu)x | 0x400000), (vf)vu_round_number(x));
}
/* BF16 of two vectors, zipped or joined; a NaN may be lost. AVX-512 rounds all upper halves at once. One gains 1 if its
 * lower half exceeds 0x8000, or if that is a tie and the upper half is odd. With the odd bit or-ed into the lower half
 * this is one comparison. It takes 7 instructions for two vectors, where the sums above take 10. */
#ifdef SIMD_AVX512
SIMD_INLINE vu vu_zip_round(vf even, vf odd) {
    const __m512i upper = (__m512i)vu_zip_upper((vu)even, (vu)odd), one = _mm512_set1_epi16(1);
    const __m512i lower = _mm512_mask_blend_epi16(0xaaaaaaaa, (__m512i)even, (__m512i)((vu)odd << 16));
    const __m512i sticky = _mm512_ternarylogic_epi32(lower, upper, one, 0xf8); /* lower | (upper & one) */
    const __mmask32 up = _mm512_cmpgt_epu16_mask(sticky, _mm512_set1_epi16(-0x8000));
    return (vu)_mm512_mask_add_epi16(upper, up, upper, one);
}
SIMD_INLINE vu vu_join_round(vf low, vf high) {
    static const uint16_t order[32] = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
                                       1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
    return (vu)_mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)vu_zip_round(low, high));
}
#else
SIMD_INLINE vu vu_zip_round(vf even, vf odd) {
    return vu_zip_upper(vu_round_number(even), vu_round_number(odd));
}
SIMD_INLINE vu vu_join_round(vf low, vf high) {
    return vu_join_upper(vu_round_number(low), vu_round_number(high));
}
#endif
SIMD_INLINE vh vf_narrow(vf x) {
    return vu_to_half(vu_round(x) >> 16);
}
SIMD_INLINE vf vf_load_bf16(const kernel_bf16 *p) {
    return vf_widen(*(const vh_any *)p);
}
SIMD_INLINE void vf_store_bf16(kernel_bf16 *p, vf x) {
    *(vh_any *)p = vf_narrow(x);
}

/* Element i of a buffer of either dtype: a full vector, or the first n lanes (the others read as 0). */
SIMD_INLINE vf vf_get(enum kernel_dtype t, const void *p, int64_t i) {
    return t == KERNEL_F32 ? vf_load((const float *)p + i) : vf_load_bf16((const kernel_bf16 *)p + i);
}
SIMD_INLINE void vf_put(enum kernel_dtype t, void *p, int64_t i, vf x) {
    if (t == KERNEL_F32)
        vf_store((float *)p + i, x);
    else
        vf_store_bf16((kernel_bf16 *)p + i, x);
}
/* The first n floats, 0 in the other lanes; never reads beyond them. */
SIMD_INLINE vf vf_load_n(const float *p, int64_t n) {
#ifdef SIMD_AVX512
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(SIMD_AVX2)
    static const int32_t first[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return (vf)_mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(const void *)(first + 8 - n)));
#else
    float x[KERNEL_LANES] = {0};
    memcpy(x, p, (size_t)n * sizeof *x);
    return vf_load(x);
#endif
}
SIMD_INLINE vf vf_get_n(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    if (t == KERNEL_F32) return vf_load_n((const float *)p + i, n);
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

/* A full vector if `left` allows, otherwise the elements left. */
SIMD_INLINE vf vf_get_left(enum kernel_dtype t, const void *p, int64_t i, int64_t left) {
    return left >= KERNEL_LANES ? vf_get(t, p, i) : vf_get_n(t, p, i, left);
}
SIMD_INLINE void vf_put_left(enum kernel_dtype t, void *p, int64_t i, int64_t left, vf x) {
    if (left >= KERNEL_LANES)
        vf_put(t, p, i, x);
    else
        vf_put_n(t, p, i, left, x);
}

/* Adds lanes pairwise, in a fixed order. */
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
#define SIMD_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__}) /* gcc before 12 has only this builtin */
#endif

/* Transposes KERNEL_LANES vectors in log2(LANES) rounds. Each round interleaves the first half of the vectors with
 * the second, which rotates the bits of (vector, lane) by one. */
SIMD_INLINE void vf_transpose(vf x[KERNEL_LANES]) {
    SIMD_UNROLL(4)
    for (int round = 1; round < KERNEL_LANES; round *= 2) {
        vf y[KERNEL_LANES];
        SIMD_UNROLL(8)
        for (int i = 0; i < KERNEL_LANES / 2; i++) {
            y[2 * i] = SIMD_SHUFFLE(x[i], x[i + KERNEL_LANES / 2], SIMD_LOW);
            y[2 * i + 1] = SIMD_SHUFFLE(x[i], x[i + KERNEL_LANES / 2], SIMD_HIGH);
        }
        SIMD_UNROLL(16)
        for (int i = 0; i < KERNEL_LANES; i++) x[i] = y[i];
    }
}

/* a b + c, rounded once. Elsewhere compilers may make one of such an expression, or round twice. */
SIMD_INLINE vf vf_fma(vf a, vf b, vf c) {
#if defined(SIMD_AVX512)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(SIMD_AVX2)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(SIMD_NEON)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return a * b + c;
#else
    vf y;
    for (int i = 0; i < KERNEL_LANES; i++) y[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return y;
#endif
}
/* A factor of every lane: NEON multiplies by a lane of a register, so that a number need not be copied to all lanes. */
#ifdef SIMD_NEON
typedef float vf_factor;
#else
typedef vf vf_factor;
#endif
SIMD_INLINE vf_factor vf_factor_of(float x) {
#ifdef SIMD_NEON
    return x;
#else
    return vf_all(x);
#endif
}

/* sqrt of each lane; without errno the loop becomes one instruction. */
SIMD_INLINE vf vf_sqrt(vf x) {
    vf y;
    for (int i = 0; i < KERNEL_LANES; i++) y[i] = __builtin_sqrtf(x[i]);
    return y;
}

#endif
