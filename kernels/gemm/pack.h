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
            vf v[KERNEL_LANES];
#pragma GCC unroll 16
            for (int r = 0; r < KERNEL_LANES; r++) v[r] = (vf)pack_load_along(x, row + i + r, p);
            vf_transpose(v);
#pragma GCC unroll 16
            for (int r = 0; r < KERNEL_LANES; r++)
                if (w + r < words) pack_store(to + (w + r) * width + i, (vu)v[r]);
        }
    }
}

#endif
