/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_peak by the 512-bit BF16 dot. It has 24 accumulators; two units of latency 6 need 12. */
#define KERNEL_LANES 16
#define PEAK_SUMS 24
#define PEAK_OTHERS 4
#define PEAK_DOT
#include "dot.inc.h"
SIMD_INLINE vf peak_step(vf sum, vf a, vf b) {
    return vf_dot_bf16(sum, a, b);
}
#include "peak/peak.inc.h"

double kernel_peak_avx512bf16(enum kernel_dtype dtype, int64_t rounds) {
    return dtype == KERNEL_BF16 ? peak_run(rounds) : kernel_peak_avx512(dtype, rounds);
}
