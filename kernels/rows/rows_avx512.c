/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations on rows for AVX-512. */
#define KERNEL_LANES 16
#define KERNEL_FN(op) kernel_##op##_avx512
#include "rows/rows.inc.h"
