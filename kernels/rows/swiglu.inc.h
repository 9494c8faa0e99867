/* SPDX-License-Identifier: Apache-2.0
 *
 * SwiGLU: gate and value stand side by side in a row, so threads take whole rows. */

/* -infinity would meet infinity or 0; the data is second in the maximum, so that a NaN passes */
SIMD_INLINE vf swiglu_gate(enum kernel_dtype t, const void *x, int64_t i, int64_t n) {
    return vf_max(vf_all(-__FLT_MAX__), part_get(t, x, i, n));
}

SIMD_INLINE void swiglu_forward_part(enum kernel_dtype t, int64_t cols, const void *x, void *y, int64_t r, int64_t c,
                                     int64_t n) {
    const int64_t at = 2 * r * cols + c;
    const vf gate = swiglu_gate(t, x, at, n);
    part_put(t, y, r * cols + c, n, gate / (1.0f + vf_exp(-gate)) * part_get(t, x, at + cols, n));
}

SIMD_INLINE void swiglu_forward_rows(enum kernel_dtype t, const struct kernel_team *team, struct kernel_range rows,
                                     int64_t cols, const void *x, void *y) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        int64_t c = 0;
        for (; c + KERNEL_LANES <= cols; c += KERNEL_LANES) swiglu_forward_part(t, cols, x, y, r, c, KERNEL_LANES);
        if (c < cols) swiglu_forward_part(t, cols, x, y, r, c, cols - c);
        kernel_poll_row(team, r, cols);
    }
}

void KERNEL_FN(swiglu_forward)(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols,
                               const void *x, void *y) {
#pragma omp parallel num_threads(team->threads)
    {
        if (t == KERNEL_F32)
            swiglu_forward_rows(KERNEL_F32, team, kernel_share(rows, 1), cols, x, y);
        else
            swiglu_forward_rows(KERNEL_BF16, team, kernel_share(rows, 1), cols, x, y);
    }
}

/* With e = e^-z, p = 1 / (1 + e) and 1 - p = e p: silu = z p and silu' = p (1 + z (1 - p)). Beyond 100 the slope is 0
 * or 1 in FP32, so z is clamped there for it and no infinity meets 0. */
SIMD_INLINE void swiglu_backward_part(enum kernel_dtype t, int64_t cols, const void *x, const void *dy, void *dx,
                                      int64_t r, int64_t c, int64_t n) {
    const int64_t at = 2 * r * cols + c;
    const vf gate = swiglu_gate(t, x, at, n), z = vf_max(vf_all(-100), vf_min(vf_all(100), gate));
    const vf e = vf_exp(-z), p = 1.0f / (1.0f + e), q = vf_min(e, vf_all(__FLT_MAX__)) * p;
    const vf d = part_get(t, dy, r * cols + c, n);
    part_put(t, dx, at, n, d * part_get(t, x, at + cols, n) * (p * (1.0f + z * q)));
    part_put(t, dx, at + cols, n, d * (gate * p));
}

SIMD_INLINE void swiglu_backward_rows(enum kernel_dtype t, const struct kernel_team *team, struct kernel_range rows,
                                      int64_t cols, const void *x, const void *dy, void *dx) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        int64_t c = 0;
        for (; c + KERNEL_LANES <= cols; c += KERNEL_LANES)
            swiglu_backward_part(t, cols, x, dy, dx, r, c, KERNEL_LANES);
        if (c < cols) swiglu_backward_part(t, cols, x, dy, dx, r, c, cols - c);
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
