/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs every variant of attention that this host has, on poisoned outputs and scratch, and checks it against FP64. The
 * attention tests share it. */
#ifndef TOISE_TESTS_ATTENTION_VARIANTS_H
#define TOISE_TESTS_ATTENTION_VARIANTS_H

#include "unit/support/attention_operands.h"

enum { VARIANTS_MAX_THREADS = 3 };

extern struct kernel_ops variants[KERNEL_ISA_COUNT];
extern int variants_count;
extern struct kernel_team variants_team;

/* Set-up of a cmocka group. */
int variants_setup(void **state);

void variants_check(const char *what, const struct kernel_ops *ops, enum kernel_dtype dtype, const void *got, int64_t n,
                    const double *expected, const double *error);
/* One call on guarded scratch of exactly the size that it needs. The two functions that take operands poison the
 * outputs. */
void variants_run(const struct kernel_ops *ops, kernel_attention_fn *f, const struct kernel_attention *a, int threads);
void variants_forward(const struct operands *s, const struct kernel_ops *ops, int threads);
void variants_backward(const struct operands *s, const struct kernel_ops *ops, int threads);
/* Forward and backward of every variant in both dtypes. What the test does not examine varies with `turn`. */
void variants_turn(struct problem p, int turn);

#endif
