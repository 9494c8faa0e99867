/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks of a training run, in the order in which they are reported. */
#ifndef TOISE_CHECK_CHECKS_H
#define TOISE_CHECK_CHECKS_H

enum check {
    CHECK_LOSS,      /* shrunken model: loss of the global batch */
    CHECK_GRADIENTS, /* shrunken model: every tensor's gradient, the worst */
    CHECK_OPTIMIZER, /* shrunken model: AdamW fed the path's own gradients */
    CHECK_SUMS,      /* shrunken model: numbers with a known sum sent as its gradients are; 0, or infinite */
    CHECK_REPLICAS,  /* shrunken model: all ranks hold the same bits afterwards; 0, or infinite */
    CHECK_MATMUL,    /* timed sizes: every matmul of a micro-batch by Freivalds' check, the worst */
    CHECK_ATTENTION, /* timed sizes: sampled rows of attention and its gradients */
    CHECK_LOSS_FULL, /* timed sizes: one sequence's loss in FP64 */
    CHECK_FINITE,    /* timed steps: losses and gradient norms are numbers; 0, or infinite */
    CHECK_HISTORY,   /* timed steps: losses equal an earlier record's of the same workload and seed */
    CHECK_COUNT
};

/* The key in a record's residual. */
const char *check_name(enum check check);
/* What its residual counts: "loss, small model against FP64". */
const char *check_text(enum check check);

#endif
