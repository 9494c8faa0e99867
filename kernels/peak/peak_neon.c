/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_stream, and kernel_peak by 128-bit FMA. 24 of 32 registers are accumulators; four units of latency 4 need 16,
 * two of latency 9 (A64FX) need 18. */
#define KERNEL_LANES 4
#define PEAK_SUMS 24
#define PEAK_OTHERS 4
#include "peak/peak.inc.h"
#include "peak/stream.inc.h"

double kernel_peak_neon(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* BF16 runs on FP32 multiply-adds here */
    return peak_run(rounds);
}

double kernel_stream_neon(enum kernel_stream kind, int64_t n, int64_t rounds, const float *x, const float *y,
                          float *z) {
    return stream_run(kind, n, rounds, x, y, z);
}
