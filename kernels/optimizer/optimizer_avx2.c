/* SPDX-License-Identifier: Apache-2.0
 *
 * The optimizer's operations for AVX2. */
#define KERNEL_LANES 8
#define KERNEL_FN(op) kernel_##op##_avx2
#include "optimizer/optimizer.inc.h"
