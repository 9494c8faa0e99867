/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole and partial vectors behind one name: n is KERNEL_LANES (a constant, so the choice costs nothing) or less. */
#include "simd.h"

SIMD_INLINE vf part_get(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    return n == KERNEL_LANES ? vf_get(t, p, i) : vf_get_n(t, p, i, n);
}
SIMD_INLINE void part_put(enum kernel_dtype t, void *p, int64_t i, int64_t n, vf x) {
    if (n == KERNEL_LANES)
        vf_put(t, p, i, x);
    else
        vf_put_n(t, p, i, n, x);
}
/* the first n lanes of x, `rest` in the others */
SIMD_INLINE vf part_keep(vf x, int64_t n, vf rest) {
    if (n == KERNEL_LANES) return x;
    for (int64_t i = n; i < KERNEL_LANES; i++) x[i] = rest[i];
    return x;
}
