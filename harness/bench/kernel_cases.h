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
void bench_kernel_cases_close(struct bench_kernel_cases *list);

enum { BENCH_VECTOR_MAX = 1 << 25 };

#endif
