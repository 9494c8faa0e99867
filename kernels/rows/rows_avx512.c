/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles rows.inc.h for AVX-512 (16 lanes). */
#define KERNEL_LANES 16
#define KERNEL_FN(op) kernel_##op##_avx512
#include "rows/rows.inc.h"
