/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention in FP64, with a bound for the FP32 error of every element. The bound follows from eps32, the lengths of
 * the sums and the sizes of the terms. Products of BF16 pairs have a bound of their own: each weight and each gradient
 * of a score is also rounded to BF16 once, and the dot takes denormals for zeros. Operands are arrays of doubles with
 * the layout of struct kernel_attention. Bounds do not include the rounding to the storage dtype. */
#ifndef TOISE_TESTS_ATTENTION64_H
#define TOISE_TESTS_ATTENTION64_H

#include "kernels.h"

struct attention64 {
    double *q, *k, *v, *o, *lse, *d_o, *dq, *dk, *dv;
    double *o_error, *lse_error, *dq_error, *dk_error, *dv_error; /* like o, lse, dq, dk, dv */
    double *o_pairs, *dq_pairs, *dk_pairs, *dv_pairs;             /* the same bounds for BF16 pairs */
};

/* Index of element 0 of (batch, token, head). */
int64_t attention64_q(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);
int64_t attention64_kv(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);
int64_t attention64_o(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h);

/* q, k, v -> o, lse. Of *a it reads only sizes, strides, offsets, window, slopes and scale. */
void attention64_forward(const struct kernel_attention *a, struct attention64 *x);
/* q, k, v, o, lse, d_o -> dq, dk, dv */
void attention64_backward(const struct kernel_attention *a, struct attention64 *x);

#endif
