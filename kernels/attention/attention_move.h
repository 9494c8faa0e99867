/* SPDX-License-Identifier: Apache-2.0
 *
 * Moves between strided rows of either dtype and FP32 blocks, transposing where lanes are to hold tokens. Needs
 * KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_MOVE_H
#define TOISE_KERNELS_ATTENTION_MOVE_H

#include "attention.h"
#include "simd.h"

/* Rows of a strided operand: row r, column c at p[at + r * row + c]. */
struct strided {
    enum kernel_dtype dtype;
    int64_t at, row, rows, columns;
};
SIMD_INLINE vf strided_get(const struct strided *s, const void *p, int64_t r, int64_t c) {
    return vf_get_left(s->dtype, p, s->at + r * s->row + c, s->columns - c);
}
SIMD_INLINE void strided_put(const struct strided *s, void *p, int64_t r, int64_t c, vf x) {
    vf_put_left(s->dtype, p, s->at + r * s->row + c, s->columns - c, x);
}

/* Rows are moved in their order and mostly come from beyond the caches, a row apart from the next one where no
 * hardware expects it: so what is some rows ahead is asked for. Past the end that does nothing. */
#define MOVE_AHEAD 8
SIMD_INLINE void strided_expect(const struct strided *s, const void *p, int64_t r, int64_t c, const bool write) {
    const char *element = (const char *)p + (size_t)(s->at + r * s->row + c) * kernel_dtype_bytes(s->dtype);
    if (write)
        __builtin_prefetch(element, 1);
    else
        __builtin_prefetch(element);
}

/* block[r][c] = factor * p's, rows `width` apart; block holds whole vectors a row. */
static void pack_rows(struct strided s, const void *p, float factor, float *block, int64_t width) {
    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            strided_expect(&s, p, r + MOVE_AHEAD, c, false);
            vf_store(block + r * width + c, strided_get(&s, p, r, c) * factor);
        }
}
static void unpack_rows(struct strided s, void *p, const float *block, int64_t width) {
    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            strided_expect(&s, p, r + MOVE_AHEAD, c, true);
            strided_put(&s, p, r, c, vf_load(block + r * width + c));
        }
}

/* panel[c][lane r] = factor * p's; lanes beyond its rows are 0. */
static void pack_panel(struct strided s, const void *p, float factor, float *panel) {
    for (int64_t r = 0; r < ATTENTION_PANEL; r += KERNEL_LANES)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            for (int i = 0; i < KERNEL_LANES; i++)
                x[i] = r + i < s.rows ? strided_get(&s, p, r + i, c) * factor : vf_all(0);
            for (int i = 0; i < KERNEL_LANES; i++) strided_expect(&s, p, ATTENTION_PANEL + r + i, c, false);
            vf_transpose(x);
            for (int i = 0; i < KERNEL_LANES && c + i < s.columns; i++)
                vf_store(panel + (c + i) * ATTENTION_PANEL + r, x[i]);
        }
}
/* p's row r = factor[r] * lane r of the panel */
static void unpack_panel(struct strided s, void *p, const float *factor, const float *panel) {
    for (int64_t r = 0; r < s.rows; r += KERNEL_LANES)
        for (int64_t c = 0; c < s.columns; c += KERNEL_LANES) {
            vf x[KERNEL_LANES];
            for (int i = 0; i < KERNEL_LANES; i++)
                x[i] = c + i < s.columns ? vf_load(panel + (c + i) * ATTENTION_PANEL + r) * vf_load(factor + r)
                                         : vf_all(0);
            for (int i = 0; i < KERNEL_LANES; i++) strided_expect(&s, p, ATTENTION_PANEL + r + i, c, true);
            vf_transpose(x);
            for (int i = 0; i < KERNEL_LANES && r + i < s.rows; i++) strided_put(&s, p, r + i, c, x[i]);
        }
}

#endif
