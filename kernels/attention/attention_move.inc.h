/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies between strided rows of either dtype and FP32 blocks, transposed if lanes are to hold tokens. Needs
 * KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_MOVE_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_MOVE_INC_H

#include "attention/attention.h"
#include "simd.inc.h"

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
/* Runs BODY, a call, with constants t and `whole`. `whole`: rows of s are whole vectors and the condition `full`
 * holds. */
#define STRIDED(s, full, BODY)                                                                                         \
    do {                                                                                                               \
        const bool all = (full) && (s)->columns % KERNEL_LANES == 0;                                                   \
        if (all && (s)->dtype == KERNEL_F32) {                                                                         \
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

SIMD_INLINE void pack_rows_as(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                              float factor, float *block, int64_t width) {
    for (int64_t r = 0; r < s->rows; r++, block += width)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            __builtin_prefetch((const void *)strided_byte(s, p, r + MOVE_PREFETCH_ROWS, c));
            __builtin_prefetch(block + MOVE_PREFETCH_ROWS * width + c, 1);
            vf_store(block + c, strided_get(s, t, whole, p, r, c) * factor);
        }
}
/* block[r][c] = factor * element (r, c) of p. Rows of the block are `width` apart and hold whole vectors. */
static void pack_rows(struct strided s, const void *p, float factor, float *block, int64_t width) {
    STRIDED(&s, true, pack_rows_as(&s, t, whole, p, factor, block, width));
}

SIMD_INLINE void unpack_rows_as(const struct strided *s, enum kernel_dtype t, const bool whole, void *p,
                                const float *block, int64_t width) {
    for (int64_t r = 0; r < s->rows; r++, block += width)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            __builtin_prefetch((const void *)strided_byte(s, p, r + MOVE_PREFETCH_ROWS, c), 1);
            strided_put(s, t, whole, p, r, c, vf_load(block + c));
        }
}
static void unpack_rows(struct strided s, void *p, const float *block, int64_t width) {
    STRIDED(&s, true, unpack_rows_as(&s, t, whole, p, block, width));
}

SIMD_INLINE void pack_panel_as(const struct strided *s, enum kernel_dtype t, const bool whole, const void *p,
                               float factor, float *panel) {
    for (int64_t r = 0; r < ATTENTION_PANEL; r += KERNEL_LANES)
        for (int64_t c = 0; c < s->columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++) {
                x[i] = whole || r + i < s->rows ? strided_get(s, t, whole, p, r + i, c) * factor : vf_all(0);
                __builtin_prefetch((const void *)strided_byte(s, p, ATTENTION_PANEL + r + i, c));
            }
            vf_transpose(x);
            SIMD_UNROLL(16)
            for (int i = 0; i < KERNEL_LANES; i++)
                if (whole || c + i < s->columns) vf_store(panel + (c + i) * ATTENTION_PANEL + r, x[i]);
        }
}
/* panel[c][lane r] = factor * element (r, c) of p; lanes beyond its rows are 0. */
static void pack_panel(struct strided s, const void *p, float factor, float *panel) {
    STRIDED(&s, s.rows == ATTENTION_PANEL, pack_panel_as(&s, t, whole, p, factor, panel));
}

SIMD_INLINE void unpack_panel_as(const struct strided *s, enum kernel_dtype t, const bool whole, void *p,
                                 const float *factor, const float *panel) {
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
                if (whole || r + i < s->rows) strided_put(s, t, whole, p, r + i, c, x[i]);
        }
}
/* Row r of p = factor[r] * lane r of the panel. */
static void unpack_panel(struct strided s, void *p, const float *factor, const float *panel) {
    STRIDED(&s, s.rows == ATTENTION_PANEL, unpack_panel_as(&s, t, whole, p, factor, panel));
}

#endif
