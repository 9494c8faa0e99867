/* SPDX-License-Identifier: Apache-2.0
 *
 * SwiGLU. A row holds the gate and then the value, so threads take whole rows. */

enum { SWIGLU_LOWEST = -88 }; /* below this, silu and its slope are 0 */

/* e^-z, bounded to FP32's range, to the accuracy that a result of dtype t can hold. z is the second operand of the
 * maximum and the minimum, so that a NaN passes. */
SIMD_INLINE vf swiglu_decay(enum kernel_dtype t, vf z) {
    const vf x = -vf_max(vf_all(SWIGLU_LOWEST), vf_min(vf_all(87), z));
    return t == KERNEL_F32 ? vf_exp_below(x) : vf_exp_bounded(x);
}
/* x, or 0 where silu(z) is 0 */
SIMD_INLINE vf swiglu_keep(vf z, vf x) {
    return vf_pick(z < (float)SWIGLU_LOWEST, vf_all(0), x);
}
SIMD_INLINE vf swiglu_silu(enum kernel_dtype t, vf z) {
    return swiglu_keep(z, z / (1.0f + swiglu_decay(t, z)));
}

SIMD_INLINE void swiglu_forward_part(enum kernel_dtype t, int64_t cols, const void *x, void *y, int64_t r, int64_t c,
                                     int64_t n, bool stream) {
    const int64_t at = 2 * r * cols + c;
    struct part v = part_get(t, x, at + cols, n);
    const struct part gate = part_get(t, x, at, n);
    part_prefetch(t, x, at + PART_AHEAD);
    part_prefetch(t, x, at + cols + PART_AHEAD);
    for (int k = 0; k < WAYS; k++) v.v[k] = swiglu_silu(t, gate.v[k]) * v.v[k];
    part_put(t, y, r * cols + c, n, v, stream);
}

SIMD_INLINE void swiglu_forward_rows(enum kernel_dtype t, const struct kernel_team *team, struct kernel_range rows,
                                     int64_t cols, const void *x, void *y, bool stream) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        PARTS(0, cols, part_head(t, y, r * cols, cols, stream), swiglu_forward_part(t, cols, x, y, r, i, n, stream));
        kernel_poll_row(team, r, cols);
    }
    simd_stream_end();
}

void KERNEL_FN(swiglu_forward)(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols,
                               const void *x, void *y) {
    const bool stream = part_streams(team, 3 * rows * cols * (int64_t)kernel_dtype_bytes(t));
#pragma omp parallel num_threads(team->threads)
    {
        if (t == KERNEL_F32)
            swiglu_forward_rows(KERNEL_F32, team, kernel_share(rows, 1), cols, x, y, stream);
        else
            swiglu_forward_rows(KERNEL_BF16, team, kernel_share(rows, 1), cols, x, y, stream);
    }
}

/* With e = e^-z, p = 1 / (1 + e) and 1 - p = e p: silu = z p and silu' = p (1 + z (1 - p)). For silu', z is clamped
 * where silu' is 1, to avoid infinity times zero. */
struct swiglu_gradient {
    vf silu, slope;
};
SIMD_INLINE struct swiglu_gradient swiglu_gradient(enum kernel_dtype t, vf z) {
    const vf e = swiglu_decay(t, z), p = 1.0f / (1.0f + e), bounded = vf_min(vf_all(100), z);
    return (struct swiglu_gradient){swiglu_keep(z, z * p), swiglu_keep(z, p + bounded * (e * p * p))};
}

SIMD_INLINE void swiglu_backward_part(enum kernel_dtype t, int64_t cols, const void *x, const void *dy, void *dx,
                                      int64_t r, int64_t c, int64_t n) {
    const int64_t at = 2 * r * cols + c;
    const struct part gate = part_get(t, x, at, n), value = part_get(t, x, at + cols, n);
    const struct part d = part_get(t, dy, r * cols + c, n);
    struct part dgate, dvalue;
    for (int k = 0; k < WAYS; k++) {
        const struct swiglu_gradient g = swiglu_gradient(t, gate.v[k]);
        dgate.v[k] = d.v[k] * value.v[k] * g.slope;
        dvalue.v[k] = d.v[k] * g.silu;
    }
    part_put(t, dx, at, n, dgate, false);
    part_put(t, dx, at + cols, n, dvalue, false);
}

/* No streaming stores: with two alternating outputs, write-combining buffers are flushed half full. If their
 * addresses conflict with the inputs', that gives a tenth of the rate. */
SIMD_INLINE void swiglu_backward_rows(enum kernel_dtype t, const struct kernel_team *team, struct kernel_range rows,
                                      int64_t cols, const void *x, const void *dy, void *dx) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        PARTS(0, cols, 0, swiglu_backward_part(t, cols, x, dy, dx, r, i, n));
        kernel_poll_row(team, r, cols);
    }
}

void KERNEL_FN(swiglu_backward)(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols,
                                const void *x, const void *dy, void *dx) {
#pragma omp parallel num_threads(team->threads)
    {
        if (t == KERNEL_F32)
            swiglu_backward_rows(KERNEL_F32, team, kernel_share(rows, 1), cols, x, dy, dx);
        else
            swiglu_backward_rows(KERNEL_BF16, team, kernel_share(rows, 1), cols, x, dy, dx);
    }
}
