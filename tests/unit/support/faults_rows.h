/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of faults: one row each, grouped by subject and kept with the faulty operations. Each operation calls the
 * healthy one with changed operands, or changes its results. */
#ifndef TOISE_TESTS_FAULTS_ROWS_H
#define TOISE_TESTS_FAULTS_ROWS_H

#include "scalar.h"
#include "unit/support/faults.h"

/* What a model must have for the fault to matter. */
enum fault_need {
    NEEDS_NOTHING,
    NEEDS_GELU,
    NEEDS_SWIGLU,
    NEEDS_LAYER_BIASES,
    NEEDS_POSITION_TABLE,
    NEEDS_ALIBI,
    NEEDS_ROTARY,
    NEEDS_WINDOW,
    NEEDS_SHARED_KEYS,
    NEEDS_EMBED_NORM
};

struct fault_row {
    enum fault fault;
    const char *name; /* NULL after the last */
    enum fault_need need;
    struct kernel_ops wrong; /* operations that replace the healthy ones */
};
extern const struct fault_row fault_rows_path[], fault_rows_attention[], fault_rows_full[];

extern const struct kernel_ops *fault_healthy;
extern int fault_calls; /* calls of the faulty operation since fault_make */

/* Multiplies elements first .. first + n of x by `factor`. */
void fault_scale(enum kernel_dtype dtype, void *x, int64_t first, int64_t n, float factor);

#endif
