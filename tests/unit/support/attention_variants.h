/* SPDX-License-Identifier: Apache-2.0
 *
 * The variants of attention that this host can run, each run on poisoned outputs and scratch and checked against
 * FP64: what the attention tests share. */
#ifndef TOISE_TESTS_ATTENTION_VARIANTS_H
#define TOISE_TESTS_ATTENTION_VARIANTS_H

#include "unit/support/attention_operands.h"

enum { VARIANTS_MAX_THREADS = 3 };

extern struct kernel_ops variants[KERNEL_ISA_COUNT];
extern int variants_count;
extern struct kernel_team variants_team;

/* Of a cmocka group. */
int variants_setup(void **state);

void variants_check(const char *what, const struct kernel_ops *ops, enum kernel_dtype dtype, const void *got, int64_t n,
                    const double *expected, const double *error);
/* One call on guarded scratch of just the size that it needs; outputs are poisoned by the two that take operands. */
void variants_run(const struct kernel_ops *ops, kernel_attention_fn *f, const struct kernel_attention *a, int threads);
void variants_forward(const struct operands *s, const struct kernel_ops *ops, int threads);
void variants_backward(const struct operands *s, const struct kernel_ops *ops, int threads);
/* Forward and backward of every variant in both dtypes; what is not the matter of a test goes round with `turn`. */
void variants_turn(struct problem p, int turn);

#endif
