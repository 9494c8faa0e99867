/* SPDX-License-Identifier: Apache-2.0
 *
 * Packs operands into panels of words, in the order in which a tile reads them. An operand is a set of rows of k
 * numbers (rows of op(A), columns of op(B)): contiguous along k, or strided, stored [k, rows]. Rows and k are padded
 * with zeros, so that tiles need no edge cases. BF16 is widened to FP32 words unless GEMM_PAIRS is defined. */
#ifndef TOISE_KERNELS_GEMM_PACK_INC_H
#define TOISE_KERNELS_GEMM_PACK_INC_H

#include "simd.inc.h"

#ifdef GEMM_PAIRS
enum { WORD_NUMBERS = 2 };
#else
enum { WORD_NUMBERS = 1 };
#endif

struct pack_operand {
    const void *data;
    int64_t ld, rows, k;
    bool strided; /* stored [k, rows] */
    enum kernel_dtype dtype;
};

SIMD_INLINE int64_t pack_words(int64_t k) {
    return (k + WORD_NUMBERS - 1) / WORD_NUMBERS;
}

SIMD_INLINE void pack_store(uint32_t *to, vu x) {
    vf_store((float *)(void *)to, (vf)x);
}

/* KERNEL_LANES words of one row from k = p, contiguous. `whole`: all of them exist. */
SIMD_INLINE vu pack_load_contiguous(const struct pack_operand *x, enum kernel_dtype t, bool whole, int64_t row,
                                    int64_t p) {
    const int64_t at = row * x->ld + p, left = x->k - p;
    if (!whole && (row >= x->rows || left <= 0)) return (vu){0};
#ifdef GEMM_PAIRS
    (void)t;
    vu pairs = {0};
    if (whole || left >= 2 * KERNEL_LANES) /* a separate case, since a copy of constant size is one load */
        memcpy(&pairs, (const kernel_bf16 *)x->data + at, sizeof pairs);
    else
        memcpy(&pairs, (const kernel_bf16 *)x->data + at, (size_t)left * sizeof(kernel_bf16));
    return pairs;
#else
    return (vu)(whole || left >= KERNEL_LANES ? vf_get(t, x->data, at) : vf_get_n(t, x->data, at, left));
#endif
}

/* The same word of KERNEL_LANES rows, strided. */
SIMD_INLINE vu pack_load_strided(const struct pack_operand *x, enum kernel_dtype t, bool whole, int64_t row,
                                 int64_t p) {
    const int64_t at = p * x->ld + row, left = x->rows - row;
    if (!whole && left <= 0) return (vu){0};
    whole = whole || left >= KERNEL_LANES;
    vf low = whole ? vf_get(t, x->data, at) : vf_get_n(t, x->data, at, left);
#ifdef GEMM_PAIRS
    vf high = {0};
    if (p + 1 < x->k) high = whole ? vf_get(t, x->data, at + x->ld) : vf_get_n(t, x->data, at + x->ld, left);
    return (vu)low >> 16 | (vu)high;
#else
    return (vu)low;
#endif
}

/* Prefetches element (p, row) of a strided operand; it may be beyond its end. */
SIMD_INLINE void pack_fetch(const struct pack_operand *x, enum kernel_dtype t, int64_t p, int64_t row) {
    const uintptr_t at = (uintptr_t)x->data + (uintptr_t)(p * x->ld + row) * kernel_dtype_bytes(t);
    __builtin_prefetch((const void *)at, 0, 2);
}

/* Packs a strided operand: `words` words from k = p of `panels` panels of `width` rows from `row`, as
 * [words][width], panels `panel_stride` words apart. Several panels are packed together, because each row of the
 * operand is on another page. The same row of the next panels is prefetched, because the hardware does not follow so
 * many streams. */
SIMD_INLINE void pack_strided_as(const struct pack_operand *x, enum kernel_dtype t, bool whole, int64_t row, int64_t p,
                                 int64_t words, int width, int64_t panels, int64_t panel_stride, uint32_t *to) {
    for (int64_t w = 0; w < words; w++, p += WORD_NUMBERS, to += width) {
        for (int64_t panel = 0; panel < panels; panel++) {
            pack_fetch(x, t, p, row + (panel + panels) * width);
            SIMD_UNROLL(4)
            for (int i = 0; i < width; i += KERNEL_LANES) {
                uint32_t *const at = to + panel * panel_stride + i;
                vu v = pack_load_strided(x, t, whole, row + panel * width + i, p);
                /* the next word overwrites what a vector stores beyond the width, except after the last word */
                if (i + KERNEL_LANES <= width || w + 1 < words)
                    pack_store(at, v);
                else
                    memcpy(at, &v, (size_t)(width - i) * sizeof *at);
            }
        }
    }
}
SIMD_INLINE void pack_strided(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                              int64_t panels, int64_t panel_stride, uint32_t *to) {
    const int64_t vectors = (width + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    if (row + (panels - 1) * width + vectors > x->rows)
        pack_strided_as(x, x->dtype, false, row, p, words, width, panels, panel_stride, to);
    else if (x->dtype == KERNEL_F32)
        pack_strided_as(x, KERNEL_F32, true, row, p, words, width, panels, panel_stride, to);
    else
        pack_strided_as(x, KERNEL_BF16, true, row, p, words, width, panels, panel_stride, to);
}

/* Packs one contiguous panel as [words / LANES][width][LANES], copying segments unchanged. */
SIMD_INLINE void pack_contiguous(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                                 uint32_t *to) {
    for (int64_t w = 0; w < words; w += KERNEL_LANES, p += WORD_NUMBERS * KERNEL_LANES) {
        const bool whole = row + width <= x->rows && p + WORD_NUMBERS * KERNEL_LANES <= x->k;
        for (int i = 0; i < width; i++, to += KERNEL_LANES)
            if (whole && x->dtype == KERNEL_F32)
                pack_store(to, pack_load_contiguous(x, KERNEL_F32, true, row + i, p));
            else if (whole)
                pack_store(to, pack_load_contiguous(x, KERNEL_BF16, true, row + i, p));
            else
                pack_store(to, pack_load_contiguous(x, x->dtype, false, row + i, p));
    }
}

/* Packs KERNEL_LANES words of KERNEL_LANES rows, transposed; `words` of them are needed. */
SIMD_INLINE void pack_square(const struct pack_operand *x, enum kernel_dtype t, bool whole, int64_t row, int64_t p,
                             int64_t words, int width, uint32_t *to) {
    vf v[KERNEL_LANES];
    SIMD_UNROLL(16)
    for (int r = 0; r < KERNEL_LANES; r++) v[r] = (vf)pack_load_contiguous(x, t, whole, row + r, p);
    vf_transpose(v);
    SIMD_UNROLL(16)
    for (int r = 0; r < KERNEL_LANES; r++)
        if (whole || r < words) pack_store(to + r * width, (vu)v[r]);
}

/* Packs one contiguous panel as [words][width]; width is whole vectors. It takes KERNEL_LANES rows over all words at
 * a time. More rows would conflict in one cache set if they are a power of two apart. */
SIMD_INLINE void pack_transposed(const struct pack_operand *x, int64_t row, int64_t p, int64_t words, int width,
                                 uint32_t *to) {
    for (int i = 0; i < width; i += KERNEL_LANES) {
        for (int64_t w = 0; w < words; w += KERNEL_LANES) {
            const int64_t q = p + WORD_NUMBERS * w, r = row + i;
            const bool whole =
                r + KERNEL_LANES <= x->rows && q + WORD_NUMBERS * KERNEL_LANES <= x->k && w + KERNEL_LANES <= words;
            if (whole && x->dtype == KERNEL_F32)
                pack_square(x, KERNEL_F32, true, r, q, words - w, width, to + w * width + i);
            else if (whole)
                pack_square(x, KERNEL_BF16, true, r, q, words - w, width, to + w * width + i);
            else
                pack_square(x, x->dtype, false, r, q, words - w, width, to + w * width + i);
        }
    }
}

#endif
