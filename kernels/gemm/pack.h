/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands into panels of words, in the order in which a tile reads them. An operand is seen as rows of k numbers
 * (rows of op(A), columns of op(B)), stored along k or across it. Beyond the last row and the last k: zeros, so
 * that tiles need no edges. BF16 is widened to FP32 words unless GEMM_PAIRS is defined. */
#ifndef TOISE_KERNELS_GEMM_PACK_H
#define TOISE_KERNELS_GEMM_PACK_H

#include "../simd.h"

#ifdef GEMM_PAIRS
enum { WORD_NUMBERS = 2 };
#else
enum { WORD_NUMBERS = 1 };
#endif

struct pack_operand {
    const void *data;
    int64_t ld, rows, k;
    bool across; /* stored [k, rows] */
    enum kernel_dtype dtype;
};

SIMD_INLINE int64_t pack_words(int64_t k) {
    return (k + WORD_NUMBERS - 1) / WORD_NUMBERS;
}

/* KERNEL_LANES words of one row from k = p on; stored along k */
SIMD_INLINE vu pack_load_along(const struct pack_operand *x, int64_t row, int64_t p) {
    const int64_t at = row * x->ld + p, left = x->k - p;
    if (row >= x->rows || left <= 0) return (vu){0};
#ifdef GEMM_PAIRS
    vu pairs = {0};
    if (left >= 2 * KERNEL_LANES) /* apart, since the copy of a known size is one load */
        memcpy(&pairs, (const kernel_bf16 *)x->data + at, sizeof pairs);
    else
        memcpy(&pairs, (const kernel_bf16 *)x->data + at, (size_t)left * sizeof(kernel_bf16));
    return pairs;
#else
    return (vu)(left >= KERNEL_LANES ? vf_get(x->dtype, x->data, at) : vf_get_n(x->dtype, x->data, at, left));
#endif
}

/* the same word of KERNEL_LANES rows; stored across k */
SIMD_INLINE vu pack_load_across(const struct pack_operand *x, int64_t row, int64_t p) {
    const int64_t at = p * x->ld + row, left = x->rows - row;
    const bool whole = left >= KERNEL_LANES;
    if (left <= 0) return (vu){0};
    vf low = whole ? vf_get(x->dtype, x->data, at) : vf_get_n(x->dtype, x->data, at, left);
#ifdef GEMM_PAIRS
    vf high = {0};
    if (p + 1 < x->k)
        high = whole ? vf_get(x->dtype, x->data, at + x->ld) : vf_get_n(x->dtype, x->data, at + x->ld, left);
    return (vu)low >> 16 | (vu)high;
#else
    return (vu)low;
#endif
}

SIMD_INLINE void pack_store(uint32_t *to, vu x) {
    vf_store((float *)(void *)to, (vf)x);
}

/* Transposes KERNEL_LANES vectors: log2(LANES) rounds, each of which interleaves the first half of the vectors with
 * the second and so rotates the bits of (vector, lane) by one place. */
#if KERNEL_LANES == 16
#define PACK_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define PACK_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#else
#define PACK_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define PACK_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#endif
SIMD_INLINE void pack_transpose(vu x[KERNEL_LANES]) {
#pragma GCC unroll 4
    for (int round = 1; round < KERNEL_LANES; round *= 2) {
        vu y[KERNEL_LANES];
#pragma GCC unroll 8
        for (int i = 0; i < KERNEL_LANES / 2; i++) {
            y[2 * i] = PACK_LOW(x[i], x[i + KERNEL_LANES / 2]);
            y[2 * i + 1] = PACK_HIGH(x[i], x[i + KERNEL_LANES / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < KERNEL_LANES; i++) x[i] = y[i];
    }
}

/* `words` words from k = p on of rows row .. row + width - 1, as [words][width]; stored across k */
SIMD_INLINE void pack_across(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                             uint32_t *to) {
    for (int64_t w = 0; w < words; w++, p += WORD_NUMBERS, to += width) {
#pragma GCC unroll 4
        for (int i = 0; i < width; i += KERNEL_LANES) {
            vu v = pack_load_across(x, row + i, p);
            /* what a whole vector writes beyond the width is written again with the next word, but for the last */
            if (i + KERNEL_LANES <= width || w + 1 < words)
                pack_store(to + i, v);
            else
                memcpy(to + i, &v, (size_t)(width - i) * sizeof *to);
        }
    }
}

/* The same stored along k, as [words / LANES][width][LANES]: segments are copied as they are. */
SIMD_INLINE void pack_along(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                            uint32_t *to) {
    for (int64_t w = 0; w < words; w += KERNEL_LANES, p += WORD_NUMBERS * KERNEL_LANES)
        for (int i = 0; i < width; i++, to += KERNEL_LANES) pack_store(to, pack_load_along(x, row + i, p));
}

/* The same stored along k, as [words][width]; width in whole vectors. */
SIMD_INLINE void pack_turned(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                             uint32_t *to) {
    for (int64_t w = 0; w < words; w += KERNEL_LANES, p += WORD_NUMBERS * KERNEL_LANES) {
        for (int i = 0; i < width; i += KERNEL_LANES) {
            vu v[KERNEL_LANES];
#pragma GCC unroll 16
            for (int r = 0; r < KERNEL_LANES; r++) v[r] = pack_load_along(x, row + i + r, p);
            pack_transpose(v);
#pragma GCC unroll 16
            for (int r = 0; r < KERNEL_LANES; r++)
                if (w + r < words) pack_store(to + (w + r) * width + i, v[r]);
        }
    }
}

#endif
