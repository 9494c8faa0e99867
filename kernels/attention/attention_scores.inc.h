/* SPDX-License-Identifier: Apache-2.0
 *
 * A block of scores [row][lane]: the band of it that the mask leaves, and ALiBi's bias. Needs KERNEL_LANES; all is
 * static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_SCORES_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_SCORES_INC_H

#include "attention/attention_tile.inc.h"
#include "exp.inc.h"

/* Row r keeps lanes begin + r .. end - 1 + r: who sees whom is such a band whichever side has the lanes, causality
 * being one edge of it and the window the other. `strip`: the rows of which each strip of lanes keeps any. */
struct band {
    int64_t begin, end;
    struct kernel_range strip[PANEL_STRIPS];
};
static struct band band_of(int64_t begin, int64_t end, int64_t rows) {
    struct band b = {.begin = begin, .end = end};
    for (int s = 0; s < PANEL_STRIPS; s++) {
        int64_t first = s * TILE_COLUMNS, next = first + TILE_COLUMNS;
        b.strip[s] = (struct kernel_range){attention_clamp(first - end + 1, rows), attention_clamp(next - begin, rows)};
    }
    return b;
}

/* lanes 0 .. KERNEL_LANES-1 */
SIMD_INLINE vi lane_numbers(void) {
    vi x;
    for (int i = 0; i < KERNEL_LANES; i++) x[i] = i;
    return x;
}

/* Lanes of row r of strip s that the band does not keep become -infinity. */
SIMD_INLINE void hide_row(float *scores, const struct band *b, int s, int64_t r) {
    int32_t low = (int32_t)attention_clamp(b->begin + r, ATTENTION_PANEL),
            high = (int32_t)attention_clamp(b->end + r, ATTENTION_PANEL);
    for (int v = s * TILE_COLUMNS; v < (s + 1) * TILE_COLUMNS; v += KERNEL_LANES) {
        float *x = scores + r * ATTENTION_PANEL + v;
        vi lane = lane_numbers() + v;
        vf_store(x, vf_pick((lane >= low) & (lane < high), vf_load(x), vf_all(-INFINITY)));
    }
}
/* In a strip the rows that the band spans whole lie together and cost nothing. */
static void hide_outside(float *scores, const struct band *b, int s) {
    const struct kernel_range rows = b->strip[s];
    int64_t first = s * TILE_COLUMNS, whole = attention_min(first + TILE_COLUMNS - b->end, rows.end),
            after = first - b->begin + 1;
    int64_t r = rows.begin;
    for (; r < whole; r++) hide_row(scores, b, s, r);
    for (r = r > after ? r : after; r < rows.end; r++) hide_row(scores, b, s, r);
}

/* Score plus slope * (row - lane), of lanes v ..: the distance is exact while it is less than 2^24. */
SIMD_INLINE vf add_bias(vf score, float slope, int64_t row, int v) {
    return score + slope * ((float)row - __builtin_convertvector(lane_numbers() + v, vf));
}

#endif
