/* SPDX-License-Identifier: Apache-2.0
 *
 * Which cases: those of one step of a model, its matmuls and attention as the ledger has them; or what a file asks for.
 */
#ifndef TOISE_BENCH_KERNEL_CASES_H
#define TOISE_BENCH_KERNEL_CASES_H

#include "bench/kernel_ops.h"
#include "plan/plan.h"

struct bench_kernel_cases {
    struct bench_kernel_case *at;
    int count, capacity;
};

/* Adds a case or, to the same one there already, its calls in a step. */
int bench_kernel_cases_add(struct bench_kernel_cases *list, const struct bench_kernel_case *c, struct base_error *e);
/* Every operation on rows or vectors that one shape can serve: kind, rows and cols or n. */
int bench_kernel_cases_add_kind(struct bench_kernel_cases *list, enum bench_shape_kind kind,
                                const struct bench_kernel_shape *shape, enum kernel_dtype dtype, struct base_error *e);
/* Those of a micro-batch in the plan's dtype. Rows have the model's widths; vectors one layer's parameters, or
 * BENCH_VECTOR_MAX of them, beyond any cache. */
int bench_kernel_cases_plan(struct bench_kernel_cases *list, const struct plan *plan, struct base_error *e);
/* Adds the shapes of a file, in one dtype. A line is a shape; what follows # is a comment:
 *   NT M N K                                                   matmul, how A and B are stored (N as used, T transposed)
 *   attention BATCH HEADS KV_HEADS SEQ HEAD_DIM [window N] [alibi]
 *   rows ROWS COLS                                             norms, activation functions, cross-entropy, column sums
 *   elements N                                                 AdamW, sums of squares, conversions, copies
 * With A transposed C is FP32 and is added to, as gradients of weights are. BASE_USAGE names file, line, field, fix. */
int bench_kernel_cases_read(struct bench_kernel_cases *list, const char *path, enum kernel_dtype dtype,
                            struct base_error *e);
/* Leaves the cases of some operations, "gemm,rows": by name or by group. BASE_USAGE lists those there are. */
int bench_kernel_cases_keep(struct bench_kernel_cases *list, const char *ops, struct base_error *e);
void bench_kernel_cases_close(struct bench_kernel_cases *list);

enum { BENCH_VECTOR_MAX = 1 << 25 };

#endif
