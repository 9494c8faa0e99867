/* SPDX-License-Identifier: Apache-2.0
 *
 * What the blocked matmul needs of team->scratch: one block of A, one of B and one of C, for any shape. */
#include "../scratch.h"
#include "sizes.h"

size_t kernel_gemm_scratch(int threads) {
    const size_t rows = GEMM_SHORT + GEMM_PANEL_MAX, columns = GEMM_LONG + GEMM_PANEL_MAX;
    (void)threads; /* they share the blocks */
    return 4 * (rows * GEMM_KC + columns * GEMM_KC + rows * columns);
}
