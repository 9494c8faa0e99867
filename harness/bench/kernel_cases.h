/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of cases: those of one step of a model, with matmuls and attention from its ledger, or those of a file. */
#ifndef TOISE_BENCH_KERNEL_CASES_H
#define TOISE_BENCH_KERNEL_CASES_H

#include "bench/kernel_ops.h"
#include "plan/plan.h"

struct bench_kernel_cases {
    struct bench_kernel_case *at;
    int count, capacity;
};

/* Adds a case. If the same case is there already, adds its calls per step to it. */
int bench_kernel_cases_add(struct bench_kernel_cases *list, const struct bench_kernel_case *c, struct base_error *e);
/* Adds every operation of one kind that a shape can serve: kind, rows and cols or n. */
int bench_kernel_cases_add_kind(struct bench_kernel_cases *list, enum bench_shape_kind kind,
                                const struct bench_kernel_shape *shape, enum kernel_dtype dtype, struct base_error *e);
/* Adds the cases of a micro-batch in the plan's dtype. Rows have the model's widths. Vectors have one layer's
 * parameters, at most BENCH_VECTOR_MAX, which is beyond any cache. */
int bench_kernel_cases_plan(struct bench_kernel_cases *list, const struct plan *plan, struct base_error *e);
/* Adds the shapes of a file, in one dtype. A line is a shape; # starts a comment:
 *   NT M N K                                                   matmul, how A and B are stored (N as used, T transposed)
 *   attention BATCH HEADS KV_HEADS SEQ HEAD_DIM [window N] [alibi]
 *   rows ROWS COLS                                             norms, activations, moves, cross-entropy, column sums
 *   elements N                                                 AdamW, sums of squares, conversions, copies
 * With A transposed, C is FP32 and is added to, as for weight gradients. BASE_USAGE names file, line, field and fix. */
int bench_kernel_cases_read(struct bench_kernel_cases *list, const char *path, enum kernel_dtype dtype,
                            struct base_error *e);
/* Keeps the cases of the listed operations, such as "gemm,rows": names or groups. BASE_USAGE lists the known ones. */
int bench_kernel_cases_keep(struct bench_kernel_cases *list, const char *ops, struct base_error *e);
void bench_kernel_cases_close(struct bench_kernel_cases *list);

enum { BENCH_VECTOR_MAX = 1 << 25 };

#endif
