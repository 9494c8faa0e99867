/* SPDX-License-Identifier: Apache-2.0
 *
 * One element of either dtype in plain C, for reference kernels, tails and tests. */
#ifndef TOISE_KERNELS_SCALAR_H
#define TOISE_KERNELS_SCALAR_H

#include <string.h>

#include "kernels.h"

static inline float scalar_widen(kernel_bf16 h) {
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* To nearest even; a NaN stays one (its quiet bit set). */
static inline kernel_bf16 scalar_narrow(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (x != x) return (kernel_bf16)(u >> 16 | 0x40);
    return (kernel_bf16)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float scalar_get(enum kernel_dtype t, const void *p, int64_t i) {
    return t == KERNEL_F32 ? ((const float *)p)[i] : scalar_widen(((const kernel_bf16 *)p)[i]);
}

static inline void scalar_put(enum kernel_dtype t, void *p, int64_t i, float x) {
    if (t == KERNEL_F32)
        ((float *)p)[i] = x;
    else
        ((kernel_bf16 *)p)[i] = scalar_narrow(x);
}

#endif
