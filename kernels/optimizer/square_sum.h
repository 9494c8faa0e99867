/* SPDX-License-Identifier: Apache-2.0
 *
 * The sum of squares in fixed blocks: one driver for all variants, each of which supplies the sum of one block. */
#ifndef TOISE_KERNELS_OPTIMIZER_SQUARE_SUM_H
#define TOISE_KERNELS_OPTIMIZER_SQUARE_SUM_H

#include "kernels.h"

typedef double optimizer_block_fn(int64_t n, const float *x);

double optimizer_square_sum(const struct kernel_team *team, int64_t n, const float *x, optimizer_block_fn *block);

#endif
