/* SPDX-License-Identifier: Apache-2.0
 *
 * What faults are made of: a row each, by subject, beside the operations that are wrong. Each operation calls the
 * healthy one with changed operands, or changes what that wrote. */
#ifndef TOISE_TESTS_FAULTS_ROWS_H
#define TOISE_TESTS_FAULTS_ROWS_H

#include "scalar.h"
#include "unit/support/faults.h"

/* What a model must have for a fault to be one. */
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
    struct kernel_ops wrong; /* those that replace the healthy ones */
};
extern const struct fault_row fault_rows_path[], fault_rows_attention[], fault_rows_full[];

extern const struct kernel_ops *fault_healthy;
extern int fault_calls; /* of the faulty operation, since fault_make */

/* Elements first .. first + n of x times `factor`. */
void fault_scale(enum kernel_dtype dtype, void *x, int64_t first, int64_t n, float factor);

#endif
