/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that computes nothing and counts its calls: matmuls and attentions by shape. */
#ifndef TOISE_TESTS_COUNTING_H
#define TOISE_TESTS_COUNTING_H

#include "plan/plan.h"

enum { COUNTING_MAX = 64 };

/* The calls; .count is how often. Shapes and dtypes as in plan_op; costs are 0. */
struct counting {
    struct plan_op ops[COUNTING_MAX];
    int count;
    double flop;   /* sum of 2mnk and plan_attention_flop */
    double passes; /* all other calls */
};

/* Makes `ops` count into *c. */
void counting_open(struct counting *c, struct kernel_ops *ops);
/* How often an operation of this kind and shape was called. */
double counting_of(const struct counting *c, const struct plan_op *op);

#endif
