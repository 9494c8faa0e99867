/* SPDX-License-Identifier: Apache-2.0
 *
 * A block of scores [row][lane]: the causal and window mask, which leaves a band, and ALiBi's bias. Needs
 * KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_SCORES_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_SCORES_INC_H

#include "attention/attention_tile.inc.h"
#include "exp.inc.h"

/* Row r keeps lanes begin + r .. end - 1 + r. The mask is such a band whether lanes are queries or keys: causality
 * gives one edge and the window the other. `rows`: for each tile column, the rows of which any lane is kept. */
struct band {
    int64_t begin, end;
    struct kernel_range rows[PANEL_TILES];
};
static struct band band_of(int64_t begin, int64_t end, int64_t rows) {
    struct band b = {.begin = begin, .end = end};
    for (int s = 0; s < PANEL_TILES; s++) {
        int64_t first = s * TILE_COLUMNS, next = first + TILE_COLUMNS;
        b.rows[s] = (struct kernel_range){attention_clamp(first - end + 1, rows), attention_clamp(next - begin, rows)};
    }
    return b;
}

/* lanes 0 .. KERNEL_LANES-1 */
SIMD_INLINE vi lane_numbers(void) {
    vi x;
    for (int i = 0; i < KERNEL_LANES; i++) x[i] = i;
    return x;
}

/* Sets the masked lanes of row r of a tile column to -infinity. */
SIMD_INLINE void mask_row(float *scores, const struct band *b, int s, int64_t r) {
    int32_t low = (int32_t)attention_clamp(b->begin + r, ATTENTION_PANEL),
            high = (int32_t)attention_clamp(b->end + r, ATTENTION_PANEL);
    for (int v = s * TILE_COLUMNS; v < (s + 1) * TILE_COLUMNS; v += KERNEL_LANES) {
        float *x = scores + r * ATTENTION_PANEL + v;
        vi lane = lane_numbers() + v;
        vf_store(x, vf_pick((lane >= low) & (lane < high), vf_load(x), vf_all(-INFINITY)));
    }
}
/* Masks a tile column. Rows that are kept whole are contiguous and are skipped. */
static void mask_outside(float *scores, const struct band *b, int s) {
    const struct kernel_range rows = b->rows[s];
    int64_t first = s * TILE_COLUMNS, whole = attention_min(first + TILE_COLUMNS - b->end, rows.end),
            after = first - b->begin + 1;
    int64_t r = rows.begin;
    for (; r < whole; r++) mask_row(scores, b, s, r);
    for (r = r > after ? r : after; r < rows.end; r++) mask_row(scores, b, s, r);
}

/* Score plus slope * (row - lane), for lanes from v. The distance is exact below 2^24. */
SIMD_INLINE vf add_bias(vf score, float slope, int64_t row, int v) {
    return score + slope * ((float)row - __builtin_convertvector(lane_numbers() + v, vf));
}

#endif
