/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls every variant of list.h that this host can run, one after the other, in both dtypes. Operands are guarded.
 * Scratch is guarded and has exactly the size that its room asks for. */
#ifndef TOISE_TESTS_OPERATIONS_CALLS_H
#define TOISE_TESTS_OPERATIONS_CALLS_H

#include "unit/support/operations.h"

enum { CALL_OPERANDS = sizeof((struct operation *)0)->operands / sizeof(struct operand) };

struct call {
    int variant; /* index into operation_variants */
    enum kernel_dtype dtype;
    int threads;
    struct operation o;
    struct kernel_team team;
    struct kernel_ops ops;
    char name[160];
};

/* for (struct call c = call_first(); call_valid(&c); call_next(&c)) */
struct call call_first(void);
bool call_valid(const struct call *c);
void call_next(struct call *c);

/* Sets the next call; rows, cols and depth as in struct operation. */
void call_shape(struct call *c, const int64_t shape[3], unsigned options, int threads);
/* Takes the operands and poisons all outputs; false: no such call. Call call_release() in either case. */
bool call_prepare(struct call *c);
void call_run(struct call *c);
void call_release(struct call *c);

size_t call_bytes(const struct operand *x);
/* A copy of an operand's bytes, gaps included; the caller frees it. */
void *call_copy(const struct operand *x);
/* Fails the test and names the call, the operand and the position; x may be NULL. */
void call_fail(const struct call *c, const char *what, const struct operand *x, int64_t at);

#endif
