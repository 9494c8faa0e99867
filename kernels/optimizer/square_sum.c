/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads sum the blocks of a wave into scratch, then one thread adds these sums in order. The result depends neither
 * on the threads nor on the waves. Scratch limits the size of a wave, not the number of elements. */
#include "optimizer/square_sum.h"
#include "scratch.h"
#include "split.h"

enum { WAVE_BLOCKS = 4096 }; /* 64 Mi elements: reading them takes 10 ms, the ordered sum only some 5 us */

size_t kernel_rows_scratch(int threads) {
    (void)threads;
    return WAVE_BLOCKS * sizeof(double);
}

double optimizer_square_sum(const struct kernel_team *team, int64_t n, const float *x, optimizer_block_fn *block) {
    double *restrict partial = team->scratch, sum = 0;
    const int64_t wave = (int64_t)(team->scratch_bytes / sizeof *partial) * KERNEL_BLOCK;
    for (int64_t begin = 0; begin < n; begin += wave) {
        const int64_t count = n - begin < wave ? n - begin : wave, blocks = (count + KERNEL_BLOCK - 1) / KERNEL_BLOCK;
#pragma omp parallel for num_threads(team->threads) schedule(static)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t at = b * KERNEL_BLOCK, left = count - at;
            partial[b] = block(left < KERNEL_BLOCK ? left : KERNEL_BLOCK, x + begin + at);
            kernel_poll(team);
        }
        for (int64_t b = 0; b < blocks; b++) sum += partial[b];
    }
    return sum;
}
