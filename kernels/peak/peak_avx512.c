/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_stream, and kernel_peak by 512-bit FMA. It has 24 accumulators; two units of latency 4 need 8. */
#define KERNEL_LANES 16
#define PEAK_SUMS 24
#define PEAK_OTHERS 4
#include "peak/peak.inc.h"
#include "peak/stream.inc.h"

double kernel_peak_avx512(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* BF16 runs on FP32 multiply-adds here */
    return peak_run(rounds);
}

double kernel_stream_avx512(enum kernel_stream kind, int64_t n, int64_t rounds, const float *x, const float *y,
                            float *z) {
    return stream_run(kind, n, rounds, x, y, z);
}
