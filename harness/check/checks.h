/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks of a training run, in the order of the report.
 *
 * The room check/ says what a right result is. A residual is an error divided by what rounding explains. So one
 * threshold serves all checks (rounding.h). The room promises Freivalds' check of a matmul (matmul.h) and FP64 checks
 * of sampled attention rows (attention.h). It needs base/, the kernels' operand structs, and buffers that have been
 * computed. It does not know what computed them, for which model, or when. */
#ifndef TOISE_CHECK_CHECKS_H
#define TOISE_CHECK_CHECKS_H

enum check {
    CHECK_LOSS,      /* small model: loss of the global batch */
    CHECK_GRADIENTS, /* small model: every tensor's gradient, the worst */
    CHECK_OPTIMIZER, /* small model: AdamW on the run's own gradients */
    CHECK_SUMS,      /* small model: known numbers through every collective, messages as planned; 0 or infinite */
    CHECK_REPLICAS,  /* small model: all ranks hold the same bits afterwards; 0 or infinite */
    CHECK_MATMUL,    /* timed sizes: every matmul of a micro-batch by Freivalds' check, the worst */
    CHECK_ATTENTION, /* timed sizes: sampled rows of attention and its gradients */
    CHECK_LOSS_FULL, /* timed sizes: loss of a sequence's first 64 tokens in FP64 */
    CHECK_FINITE,    /* timed steps: losses and gradient norms are finite; 0 or infinite */
    CHECK_HISTORY,   /* timed steps: losses equal those of an earlier record of the same workload and seed */
    CHECK_BASE,      /* timed steps: they equal those of the base of a scaling curve */
    CHECK_COUNT
};

/* The check's key in a record's `residual`. */
const char *check_name(enum check check);
/* What the check compares: "loss, small model against FP64". */
const char *check_text(enum check check);

#endif
