/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies from strided rows to blocks of words, and from FP32 blocks to strided rows; transposed if lanes are to hold
 * tokens. Needs KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_MOVE_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_MOVE_INC_H

#include "attention/attention.h"
#include "attention/attention_word.inc.h"

/* Rows of a strided operand: row r, column c is p[at + r * row + c]. */
struct strided {
    enum kernel_dtype dtype;
    int64_t at, row, rows, columns;
};
/* Byte address of its element (r, c); it may be beyond the end. */
SIMD_INLINE uintptr_t strided_byte(const struct strided *s, const void *p, int64_t r, int64_t c) {
    return (uintptr_t)p + (uintptr_t)((s->at + r * s->row + c) * (int64_t)kernel_dtype_bytes(s->dtype));
}

/* Prefetch distance in rows. Rows are copied in order and mostly come from memory, with a stride that the hardware
 * prefetcher does not follow. So the copies prefetch the source, and the destination, which was last used a head
 * ago. */
#define MOVE_PREFETCH_ROWS 8

/* A vector of row r from column c, or as much as the columns allow; `whole`: all of it. t is s->dtype. */
SIMD_INLINE vf strided_get(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p, int64_t r,
                           int64_t c) {
    const int64_t at = s->at + r * s->row + c;
    return whole ? vf_get(t, p, at) : vf_get_left(t, p, at, s->columns - c);
}
SIMD_INLINE void strided_put(const struct strided *s, enum kernel_dtype t, const bool whole, void *p, int64_t r,
                             int64_t c, vf x) {
    const int64_t at = s->at + r * s->row + c;
    if (whole)
        vf_put(t, p, at, x);
    else
        vf_put_left(t, p, at, s->columns - c, x);
}
/* A vector of words of row r from column c, likewise. */
SIMD_INLINE vf strided_words(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p, int64_t r,
                             int64_t c) {
#ifdef ATTENTION_PAIRS
    const kernel_bf16 *from = (const kernel_bf16 *)p + s->at + r * s->row + c;
    const int64_t left = s->columns - c;
    (void)t;
    vf pairs = {0};
    if (whole || left >= 2 * KERNEL_LANES) /* a separate case, since a copy of constant size is one load */
        memcpy(&pairs, from, sizeof pairs);
    else
        memcpy(&pairs, from, (size_t)left * sizeof *from);
    return pairs;
#else
    return strided_get(s, t, whole, p, r, c);
#endif
}
/* A vector of words, of which each has the numbers of one column from row r on; rows beyond the last are 0. */
SIMD_INLINE vf strided_words_down(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                                  int64_t r, int64_t c) {
#ifdef ATTENTION_PAIRS
    const vf low = strided_get(s, t, whole, p, r, c);
    const vf high = r + 1 < s->rows ? strided_get(s, t, whole, p, r + 1, c) : vf_all(0);
    return (vf)((vu)low >> 16 | (vu)high);
#else
    return strided_get(s, t, whole, p, r, c);
#endif
}
/* Runs BODY, a call, with constants t and `whole`. `whole`: rows of s are whole vectors and the condition `full`
 * holds. */
#define STRIDED(s, full, BODY)                                                                                         \
    do {                                                                                                               \
        const bool all = (full) && (s)->columns % KERNEL_LANES == 0;                                                   \
        if (all && WORD == 1 && (s)->dtype == KERNEL_F32) {                                                            \
            const enum kernel_dtype t = KERNEL_F32;                                                                    \
            const bool whole = true;                                                                                   \
            BODY;                                                                                                      \
        } else if (all) {                                                                                              \
            const enum kernel_dtype t = KERNEL_BF16;                                                                   \
            const bool whole = true;                                                                                   \
            BODY;                                                                                                      \
        } else {                                                                                                       \
            const enum kernel_dtype t = (s)->dtype;                                                                    \
            const bool whole = false;                                                                                  \
            BODY;                                                                                                      \
        }                                                                                                              \
    } while (0)

/* Whether rows of s are whole vectors of words. */
SIMD_INLINE bool strided_whole_words(const struct strided *s) {
    return s->columns % (WORD * KERNEL_LANES) == 0;
}

SIMD_INLINE void pack_rows_as(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                              float *block, int64_t width) {
    for (int64_t r = 0; r < s->rows; r++, block += width)
        for (int64_t c = 0; c < s->columns; c += WORD * KERNEL_LANES) {
            __builtin_prefetch((const void *)strided_byte(s, p, r + MOVE_PREFETCH_ROWS, c));
            __builtin_prefetch(block + MOVE_PREFETCH_ROWS * width + c / WORD, 1);
            vf_store(block + c / WORD, strided_words(s, t, whole, p, r, c));
        }
}
/* block[r][w] = word w of row r of p. Rows of the block are `width` apart and hold whole vectors. */
static void pack_rows(struct strided s, const void *p, float *block, int64_t width) {
    STRIDED(&s, strided_whole_words(&s), pack_rows_as(&s, t, whole, p, block, width));
}

SIMD_INLINE void pack_down_as(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                              float *block, int64_t width) {
    for (int64_t r = 0; r < s->rows; r += WORD, block += width)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            for (int i = 0; i < WORD; i++)
                __builtin_prefetch((const void *)strided_byte(s, p, r + i + MOVE_PREFETCH_ROWS, c));
            __builtin_prefetch(block + MOVE_PREFETCH_ROWS / WORD * width + c, 1);
            vf_store(block + c, strided_words_down(s, t, whole, p, r, c));
        }
}
/* block[w][c] = word w of column c of p. Rows of the block are `width` apart and hold whole vectors. */
static void pack_down(struct strided s, const void *p, float *block, int64_t width) {
    STRIDED(&s, true, pack_down_as(&s, t, whole, p, block, width));
}

SIMD_INLINE void unpack_rows_as(const struct strided *s, enum kernel_dtype t, const bool whole, const bool add, void *p,
                                float factor, const float *block, int64_t width) {
    for (int64_t r = 0; r < s->rows; r++, block += width)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            __builtin_prefetch((const void *)strided_byte(s, p, r + MOVE_PREFETCH_ROWS, c), 1);
            const vf x = vf_load(block + c) * factor;
            strided_put(s, t, whole, p, r, c, add ? x + strided_get(s, t, whole, p, r, c) : x);
        }
}
/* Element (r, c) of p = factor * block[r][c] */
static void unpack_rows(struct strided s, void *p, float factor, const float *block, int64_t width) {
    STRIDED(&s, true, unpack_rows_as(&s, t, whole, false, p, factor, block, width));
}
/* The same, added to FP32. */
static void add_rows(struct strided s, float *p, float factor, const float *block, int64_t width) {
    if (s.columns % KERNEL_LANES == 0)
        unpack_rows_as(&s, KERNEL_F32, true, true, p, factor, block, width);
    else
        unpack_rows_as(&s, KERNEL_F32, false, true, p, factor, block, width);
}

SIMD_INLINE void pack_panel_as(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                               float *panel) {
    for (int64_t r = 0; r < ATTENTION_PANEL; r += KERNEL_LANES)
        for (int64_t c = 0; c < s->columns; c += WORD * KERNEL_LANES) {
            vf x[KERNEL_LANES];
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++) {
                x[i] = whole || r + i < s->rows ? strided_words(s, t, whole, p, r + i, c) : vf_all(0);
                __builtin_prefetch((const void *)strided_byte(s, p, ATTENTION_PANEL + r + i, c));
            }
            vf_transpose(x);
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++)
                if (whole || c / WORD + i < words(s->columns))
                    vf_store(panel + (c / WORD + i) * ATTENTION_PANEL + r, x[i]);
        }
}
/* panel[w][lane r] = word w of row r of p; lanes beyond its rows are 0. */
static void pack_panel(struct strided s, const void *p, float *panel) {
    STRIDED(&s, s.rows == ATTENTION_PANEL && strided_whole_words(&s), pack_panel_as(&s, t, whole, p, panel));
}

/* keep: what p has is multiplied by it and added, unless it is 0; NULL: p is not read. */
SIMD_INLINE void unpack_panel_as(const struct strided *s, enum kernel_dtype t, const bool whole, void *p,
                                 const float *keep, const float *factor, const float *panel) {
    for (int64_t r = 0; r < s->rows; r += KERNEL_LANES)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++) {
                __builtin_prefetch((const void *)strided_byte(s, p, ATTENTION_PANEL + r + i, c), 1);
                x[i] = whole || c + i < s->columns
                           ? vf_load(panel + (c + i) * ATTENTION_PANEL + r) * vf_load(factor + r)
                           : vf_all(0);
            }
            vf_transpose(x);
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++)
                if (whole || r + i < s->rows) {
                    if (keep && keep[r + i] != 0) x[i] += keep[r + i] * strided_get(s, t, whole, p, r + i, c);
                    strided_put(s, t, whole, p, r + i, c, x[i]);
                }
        }
}
/* Row r of p = factor[r] * lane r of the panel. */
static void unpack_panel(struct strided s, void *p, const float *factor, const float *panel) {
    STRIDED(&s, s.rows == ATTENTION_PANEL, unpack_panel_as(&s, t, whole, p, NULL, factor, panel));
}
/* Row r of p = keep[r] * itself + factor[r] * lane r of the panel. FP32. */
static void join_panel(struct strided s, float *p, const float *keep, const float *factor, const float *panel) {
    if (s.rows == ATTENTION_PANEL && s.columns % KERNEL_LANES == 0)
        unpack_panel_as(&s, KERNEL_F32, true, p, keep, factor, panel);
    else
        unpack_panel_as(&s, KERNEL_F32, false, p, keep, factor, panel);
}

#endif
