/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks gradients against central differences of a forward in FP64: with L = sum of weight * output, dL/dx is (L(x +
 * h) - L(x - h)) / 2h. The bound is the rounding of the kernel's terms plus the difference's error, estimated from a
 * second difference with 2h. */
#ifndef TOISE_TESTS_DIFFERENCES_H
#define TOISE_TESTS_DIFFERENCES_H

#include "unit/support/rows.h"

typedef double loss_fn(const void *context);

/* The derivative of loss with respect to *x, and its error bound. */
TEST_INLINE double difference(loss_fn *loss, const void *context, double *x, double *error) {
    const double kept = *x, h = 1e-4 * (1 + fabs(kept));
    double slope[2], level = 0;
    for (int i = 0; i < 2; i++) {
        const double up = kept + h * (i + 1), down = kept - h * (i + 1);
        *x = up;
        const double above = loss(context);
        *x = down;
        const double below = loss(context);
        slope[i] = (above - below) / (up - down);
        level = fabs(above) + fabs(below);
    }
    *x = kept;
    *error = fabs(slope[1] - slope[0]) + 100 * U64 * level / h; /* three times the truncation error, and cancellation */
    return slope[0];
}

/* Checks each element of grad against the difference; `size` is the magnitude of its terms. */
TEST_INLINE void gradient_check(const struct variant *v, const char *what, enum kernel_dtype t, int64_t n,
                                const void *grad, loss_fn *loss, const void *context, double *x, double size) {
    for (int64_t i = 0; i < n; i++) {
        double error;
        const double slope = difference(loss, context, x + i, &error);
        within(v, what, i, scalar_get(t, grad, i), slope, error + 16 * U32 * size + rounding(t, slope));
    }
}

/* Random values of dtype t, and the same in FP64. */
TEST_INLINE void operand(enum kernel_dtype t, void *values, double *wide, int64_t n, uint64_t seed) {
    values_fill(t, values, n, NORMAL, seed);
    for (int64_t i = 0; i < n; i++) wide[i] = scalar_get(t, values, i);
}

#endif
