/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations on rows for AVX2. */
#define KERNEL_LANES 8
#define KERNEL_FN(op) kernel_##op##_avx2
#include "rows/rows.inc.h"
