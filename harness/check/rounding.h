/* SPDX-License-Identifier: Apache-2.0
 *
 * What rounding explains. Every residual is an error divided by that, so that one threshold serves them all, as HPL's
 * does. */
#ifndef TOISE_CHECK_ROUNDING_H
#define TOISE_CHECK_ROUNDING_H

#include "kernels.h"

/* The one threshold. Units are set such that over 20 seeds healthy code stays under a quarter of it and each injected
 * fault exceeds it tenfold; tests/unit/train/test_gate.c and tests/mpi/test_gate.c hold both. */
#define CHECK_THRESHOLD 16.0

/* Rounding unit of a dtype, the most that rounding to nearest changes a number by, relative: 2^-24, 2^-8. */
static inline double check_unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-24 : 0x1p-8;
}

#endif
