/* SPDX-License-Identifier: Apache-2.0
 *
 * GELU in the tanh form, 0.5 x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3). Passes over memory and the
 * matmul's epilogues share it, since they must agree bit for bit. 0.5 (1 + tanh(u)) is the logistic of 2u, which keeps
 * its relative accuracy where tanh(u) is near -1. Plain C computes in FP64. The vector forms need KERNEL_LANES. */
#ifndef TOISE_KERNELS_GELU_INC_H
#define TOISE_KERNELS_GELU_INC_H

#include <float.h>
#include <math.h>

#define GELU_SLOPE 1.5957691216057308 /* 2 sqrt(2/pi) */
#define GELU_CUBIC 0.044715

static inline double gelu_of(double x) {
    const double v = x < -FLT_MAX ? -FLT_MAX : x; /* avoids infinity times zero */
    return v / (1 + exp(-GELU_SLOPE * (v + GELU_CUBIC * v * v * v)));
}

/* With p the logistic of 2u: gelu' = p (1 + x (1 - p) 2u'). */
static inline double gelu_gradient(double dy, double x) {
    const double v = x > 20 ? 20 : x < -20 ? -20 : x; /* constant beyond; avoids infinity times zero */
    const double gate = 1 / (1 + exp(-GELU_SLOPE * (v + GELU_CUBIC * v * v * v)));
    return dy * gate * (1 + v * (1 - gate) * (GELU_SLOPE * (1 + 3 * GELU_CUBIC * v * v)));
}

#ifdef KERNEL_LANES
#include "exp.inc.h"
#include "parts.inc.h"

/* x log2(e) (-2u / x): the exponent of 2 that gives e^-2u; -126 at 10 */
SIMD_INLINE vf vf_gelu_exponent(vf x) {
    return x * (-2.3022082f - 0.10294324f * x * x);
}

/* Beyond 10 the logistic is 1; below -10 the result is smaller than 2^-122 in size. So x is clamped there. x is the
 * second operand of each maximum and minimum, so that a NaN passes. */
SIMD_INLINE vf vf_gelu(vf x) {
    const vf v = vf_max(vf_all(-10), x);
    return v / (1.0f + vf_exp2_bounded(vf_gelu_exponent(vf_min(vf_all(10), v))));
}

/* With p = 1 / (1 + e) and 1 - p = e p: gelu' = p (1 + x (1 - p) 2u'). Beyond 10 it is 0 or 1 in FP32. x is clamped
 * there to avoid infinity times zero. */
SIMD_INLINE vf vf_gelu_gradient(vf dy, vf x) {
    const vf v = vf_max(vf_all(-10), vf_min(vf_all(10), x));
    const vf e = vf_exp2_bounded(vf_gelu_exponent(v)), p = 1.0f / (1.0f + e);
    const vf slope = v * (1.5957691216057308f + 0.21406443848967653f * v * v);
    return dy * (p + slope * (e * p * p));
}

/* y = gelu(x) and dx = dy gelu'(x), n elements from element i; `stream` as for part_put */
SIMD_INLINE void gelu_forward_part(enum kernel_dtype t, const void *x, void *y, int64_t i, int64_t n, bool stream) {
    struct part v = part_get(t, x, i, n);
    for (int k = 0; k < WAYS; k++) v.v[k] = vf_gelu(v.v[k]);
    part_put(t, y, i, n, v, stream);
}
SIMD_INLINE void gelu_backward_part(enum kernel_dtype t, const void *x, const void *dy, void *dx, int64_t i, int64_t n,
                                    bool stream) {
    const struct part v = part_get(t, x, i, n);
    struct part d = part_get(t, dy, i, n);
    for (int k = 0; k < WAYS; k++) d.v[k] = vf_gelu_gradient(d.v[k], v.v[k]);
    part_put(t, dx, i, n, d, stream);
}
#endif

#endif
