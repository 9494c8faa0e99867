/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop of every kernel_stream variant: passes of one thread over arrays that stay in a cache. Needs KERNEL_LANES.
 * Stores are ordinary ones, since streaming stores would leave the cache. */
#ifndef TOISE_KERNELS_PEAK_STREAM_INC_H
#define TOISE_KERNELS_PEAK_STREAM_INC_H

#include "declare.h"
#include "simd.inc.h"

/* Sums of a read: two loads a cycle with additions of latency 4 need eight. */
enum { STREAM_WAYS = 8, STREAM_TURN = STREAM_WAYS * KERNEL_LANES };

/* Makes the compiler assume that memory changes here, so that it does every pass. */
#define STREAM_OPAQUE() __asm__ volatile("" : : : "memory")

SIMD_INLINE void stream_write(int64_t n, const float *x, const float *y, float *z, const bool triad) {
    int64_t i = 0;
    for (; i + STREAM_TURN <= n; i += STREAM_TURN) {
        SIMD_UNROLL(32)
        for (int k = 0; k < STREAM_WAYS; k++) {
            const int64_t at = i + k * KERNEL_LANES;
            vf v = vf_load(x + at);
            if (triad) v += 0.5f * vf_load(y + at);
            vf_store(z + at, v);
        }
    }
    for (; i < n; i++) z[i] = triad ? x[i] + 0.5f * y[i] : x[i];
}

/* Adds x to the sums, or subtracts it again, so that they remain bounded. */
SIMD_INLINE float stream_read(int64_t n, const float *x, vf *sum, const bool subtract) {
    int64_t i = 0;
    float rest = 0;
    for (; i + STREAM_TURN <= n; i += STREAM_TURN) {
        SIMD_UNROLL(32)
        for (int k = 0; k < STREAM_WAYS; k++) {
            const vf v = vf_load(x + i + k * KERNEL_LANES);
            sum[k] = subtract ? sum[k] - v : sum[k] + v;
        }
    }
    for (; i < n; i++) rest += x[i];
    return subtract ? -rest : rest;
}

static double stream_read_all(int64_t n, int64_t rounds, const float *x) {
    vf sum[STREAM_WAYS] = {{0}};
    double total = 0;
    for (int64_t r = 0; r < rounds; r++) {
        total += r % 2 ? stream_read(n, x, sum, true) : stream_read(n, x, sum, false);
        STREAM_OPAQUE();
    }
    for (int k = 0; k < STREAM_WAYS; k++)
        for (int lane = 0; lane < KERNEL_LANES; lane++) total += sum[k][lane];
    return total;
}

static double stream_run(enum kernel_stream kind, int64_t n, int64_t rounds, const float *x, const float *y, float *z) {
    if (kind == KERNEL_STREAM_READ) return stream_read_all(n, rounds, x);
    for (int64_t r = 0; r < rounds; r++) {
        if (kind == KERNEL_STREAM_TRIAD)
            stream_write(n, x, y, z, true);
        else
            stream_write(n, x, y, z, false);
        STREAM_OPAQUE();
    }
    return 0;
}

#endif
