/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles optimizer.inc.h for AVX2 (8 lanes). */
#define KERNEL_LANES 8
#define KERNEL_FN(op) kernel_##op##_avx2
#include "optimizer/optimizer.inc.h"
