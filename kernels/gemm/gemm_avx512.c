/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 512-bit FMA: 14 x 2 vectors of sums, two of B and two of A in flight are the 32 registers, and
 * 28 sums are more than the 8 that two units of latency 4 need. 16 loads serve 28 FMAs. */
#define KERNEL_LANES 16
#define GEMM_MR 14
#define GEMM_NV 2
#include "../declare.h"
#include "blocked.h"

void kernel_gemm_avx512(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
