/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles rows.inc.h for NEON (4 lanes). */
#define KERNEL_LANES 4
#define KERNEL_FN(op) kernel_##op##_neon
#include "rows/rows.inc.h"
