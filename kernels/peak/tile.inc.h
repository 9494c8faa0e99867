/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop of every kernel_tile_peak variant: loads and multiply-adds of a matmul's micro-tile over two panels in L1,
 * without stores, packing or C. Needs gemm/tile.inc.h and its constants; PEAK_DOT beside GEMM_PAIRS. */
#ifndef TOISE_KERNELS_PEAK_TILE_INC_H
#define TOISE_KERNELS_PEAK_TILE_INC_H

#include "gemm/tile.inc.h"
#include "peak/fill.inc.h"

/* The largest tile, 14 x 32, has panels of 64 x 46 x 4 = 11.5 KiB. */
enum { PEAK_WORDS = 64, PEAK_PANELS = PEAK_WORDS * (GEMM_MR + GEMM_NR) };

/* Sums remain bounded: every second round subtracts what the last added. */
static double tile_peak_run(int64_t rounds) {
    tile_word panels[2][PEAK_PANELS] __attribute__((aligned(64)));
    vf sum[GEMM_MR][GEMM_NV] = {{{0}}};
    peak_fill(panels[0], PEAK_PANELS);
    for (int i = 0; i < PEAK_PANELS; i++) panels[1][i] = panels[0][i] ^ (i < PEAK_WORDS * GEMM_MR ? peak_sign : 0);
    PEAK_OPAQUE(panels);
    for (int64_t r = 0; r < rounds; r++) {
        const tile_word *a = panels[r % 2], *b = a + PEAK_WORDS * GEMM_MR;
        for (int p = 0; p < PEAK_WORDS; p += KERNEL_LANES, a += KERNEL_LANES * GEMM_MR, b += KERNEL_LANES * GEMM_NR) {
            SIMD_UNROLL(8)
            for (int q = 0; q < KERNEL_LANES; q++) tile_step(GEMM_MR, sum, a + q * GEMM_MR, 1, b + q * GEMM_NR);
        }
    }
    PEAK_OPAQUE(sum);
    return (double)rounds * PEAK_WORDS * GEMM_TILE * PEAK_FLOP;
}

#endif
