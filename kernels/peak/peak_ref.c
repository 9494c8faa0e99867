/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_stream, and kernel_peak in vectors of four floats. Every compiler maps them to its baseline's instructions. */
#define KERNEL_LANES 4
#define PEAK_SUMS 8
#define PEAK_OTHERS 4
#include "peak/peak.inc.h"
#include "peak/stream.inc.h"

double kernel_peak_ref(enum kernel_dtype dtype, int64_t rounds) {
    (void)dtype; /* BF16 runs on FP32 multiply-adds here */
    return peak_run(rounds);
}

double kernel_stream_ref(enum kernel_stream kind, int64_t n, int64_t rounds, const float *x, const float *y, float *z) {
    return stream_run(kind, n, rounds, x, y, z);
}

double kernel_tile_peak_ref(enum kernel_dtype dtype, int64_t rounds) {
    return kernel_peak_ref(dtype, rounds); /* its matmul has no tile */
}
