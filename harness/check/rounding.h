/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounding units and the threshold. A residual is an error divided by what rounding explains, so one threshold serves
 * all checks, as in HPL. */
#ifndef TOISE_CHECK_ROUNDING_H
#define TOISE_CHECK_ROUNDING_H

#include "kernels.h"

/* The threshold. Over 20 seeds, correct code must remain below a quarter of it, and each injected fault must exceed it
 * tenfold. The units are chosen for that. tests/unit/train/test_gate.c and tests/mpi/test_gate.c hold both. */
#define CHECK_THRESHOLD 16.0

/* The rounding unit of a dtype: the largest relative change by rounding to nearest, 2^-24 or 2^-8. */
static inline double check_unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-24 : 0x1p-8;
}

#endif
