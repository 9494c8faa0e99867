/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks a kernel's result. Matmul by Freivalds' check and attention by sampled rows, as in the gate. Rows and vectors
 * are compared with the plain C variant. A residual is an error over what rounding explains, with the gate's threshold.
 */
#ifndef TOISE_BENCH_KERNEL_CHECK_H
#define TOISE_BENCH_KERNEL_CHECK_H

#include "base/error.h"
#include "bench/kernel_ops.h"

/* Calls the operation once through team->ops on operands x and judges what it wrote. Afterwards x holds its old values,
 * except outputs. Rows and vectors are compared with the table `other`. */
int bench_kernel_check(const struct kernel_team *team, const struct kernel_ops *other,
                       const struct bench_kernel_case *c, void *const *x, uint64_t seed, double *residual,
                       struct base_error *e);

#endif
