/* SPDX-License-Identifier: Apache-2.0
 *
 * One after the other every variant of list.h that this host can run, in both dtypes, called on guarded operands and
 * on guarded scratch of just the size that its room asks for. */
#ifndef TOISE_TESTS_OPERATIONS_CALLS_H
#define TOISE_TESTS_OPERATIONS_CALLS_H

#include "unit/support/operations.h"

enum { CALL_OPERANDS = sizeof((struct operation *)0)->operands / sizeof(struct operand) };

struct call {
    int variant; /* of operation_variants */
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

/* What to call next: rows, cols, depth as struct operation has them. */
void call_shape(struct call *c, const int64_t shape[3], unsigned options, int threads);
/* Takes operands, all outputs poisoned; false: no such call. call_release() takes them back in either case. */
bool call_prepare(struct call *c);
void call_run(struct call *c);
void call_release(struct call *c);

size_t call_bytes(const struct operand *x);
/* Of an operand's bytes, gaps included; to be freed. */
void *call_copy(const struct operand *x);
/* Fails the test, naming the call and where in which operand; x may be NULL. */
void call_fail(const struct call *c, const char *what, const struct operand *x, int64_t at);

#endif
