/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm on 256-bit FMA: 6 x 2 vectors of sums, two of B and two of A in flight are the 16 registers, and
 * 12 sums are more than the 8 that two units of latency 4 need. 8 loads serve 12 FMAs. */
#define KERNEL_LANES 8
#define GEMM_MR 6
#define GEMM_NV 2
#include "../declare.h"
#include "blocked.h"

void kernel_gemm_avx2(const struct kernel_team *team, const struct kernel_gemm *g) {
    blocked_gemm(team, g);
}
