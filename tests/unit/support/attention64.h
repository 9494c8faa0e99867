/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention in FP64, with a bound for the error that FP32 arithmetic may make in every element, derived from
 * eps32, the lengths of the sums and the sizes of the terms. Operands lie as struct kernel_attention says, in
 * arrays of doubles; bounds do not hold the rounding to the dtype of storage. */
#ifndef TOISE_TESTS_ATTENTION64_H
#define TOISE_TESTS_ATTENTION64_H

#include "kernels.h"

struct attention64 {
    double *q, *k, *v, *o, *lse, *d_o, *dq, *dk, *dv;
    double *o_error, *lse_error, *dq_error, *dk_error, *dv_error; /* like o, lse, dq, dk, dv */
};

/* Index of element 0 of (batch, token, head). */
int64_t attention64_q(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);
int64_t attention64_kv(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);
int64_t attention64_o(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);

/* q, k, v -> o, lse; of *a only the sizes, strides, offsets, window, slopes and scale are read. */
void attention64_forward(const struct kernel_attention *a, struct attention64 *x);
/* q, k, v, o, lse, d_o -> dq, dk, dv */
void attention64_backward(const struct kernel_attention *a, struct attention64 *x);

#endif
