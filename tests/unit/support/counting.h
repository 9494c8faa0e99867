/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that multiplies nothing and counts what it is asked to: matmuls and attentions by their shape. */
#ifndef TOISE_TESTS_COUNTING_H
#define TOISE_TESTS_COUNTING_H

#include "plan/plan.h"

enum { COUNTING_MAX = 64 };

/* What was asked for; .count times. Shapes and dtypes as in plan_op, costs left 0. */
struct counting {
    struct plan_op ops[COUNTING_MAX];
    int count;
    double flop;   /* 2mnk, and plan_attention_flop, added up */
    double passes; /* calls of anything else */
};

/* Counts into *c from now on, through `ops`. */
void counting_open(struct counting *c, struct kernel_ops *ops);
/* Times that an operation of this kind and shape was asked for. */
double counting_of(const struct counting *c, const struct plan_op *op);

#endif
