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

SIMD_INLINE void swiglu_forward_part(enum kernel_dtype t, const struct kernel_swiglu *s, int64_t r, float weight,
                                     int64_t c, int64_t n, bool stream) {
    const int64_t at = 2 * r * s->cols + c;
    struct part v = part_get(t, s->x, at + s->cols, n);
    const struct part gate = part_get(t, s->x, at, n);
    part_prefetch(t, s->x, at + PART_AHEAD);
    part_prefetch(t, s->x, at + s->cols + PART_AHEAD);
    for (int k = 0; k < WAYS; k++) v.v[k] = swiglu_silu(t, gate.v[k]) * v.v[k] * weight;
    part_put(t, s->y, r * s->cols + c, n, v, stream);
}

/* The rows functions copy the struct, so that no store can change what their loops read of it. */
SIMD_INLINE void swiglu_forward_rows(enum kernel_dtype t, const struct kernel_team *team,
                                     const struct kernel_swiglu *of, struct kernel_range rows, bool stream) {
    const struct kernel_swiglu s = *of;
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const int64_t head = part_head(t, s.y, r * s.cols, s.cols, stream);
        if (s.weights) {
            const float weight = s.weights[r];
            PARTS(0, s.cols, head, swiglu_forward_part(t, &s, r, weight, i, n, stream));
        } else {
            PARTS(0, s.cols, head, swiglu_forward_part(t, &s, r, 1, i, n, stream));
        }
        kernel_poll_row(team, r, s.cols);
    }
    simd_stream_end();
}

void KERNEL_FN(swiglu_forward)(const struct kernel_team *team, const struct kernel_swiglu *s) {
    const bool stream = part_streams(team, 3 * s->rows * s->cols * (int64_t)kernel_dtype_bytes(s->dtype));
#pragma omp parallel num_threads(team->threads)
    {
        if (s->dtype == KERNEL_F32)
            swiglu_forward_rows(KERNEL_F32, team, s, kernel_share(s->rows, 1), stream);
        else
            swiglu_forward_rows(KERNEL_BF16, team, s, kernel_share(s->rows, 1), stream);
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

/* Returns `sum` with the terms of dweights added, by lane. */
SIMD_INLINE struct part swiglu_backward_part(enum kernel_dtype t, const struct kernel_swiglu *s, int64_t r,
                                             float weight, struct part sum, int64_t c, int64_t n) {
    const int64_t at = 2 * r * s->cols + c;
    const struct part gate = part_get(t, s->x, at, n), value = part_get(t, s->x, at + s->cols, n);
    const struct part dy = part_get(t, s->dy, r * s->cols + c, n);
    struct part dgate, dvalue;
    for (int k = 0; k < WAYS; k++) {
        const struct swiglu_gradient g = swiglu_gradient(t, gate.v[k]);
        const vf d = dy.v[k] * weight;
        dgate.v[k] = d * value.v[k] * g.slope;
        dvalue.v[k] = d * g.silu;
        sum.v[k] = vf_fma(dy.v[k], g.silu * value.v[k], sum.v[k]);
    }
    part_put(t, s->dx, at, n, dgate, false);
    part_put(t, s->dx, at + s->cols, n, dvalue, false);
    return sum;
}

/* No streaming stores: with two alternating outputs, write-combining buffers are flushed half full. If their
 * addresses conflict with the inputs', that gives a tenth of the rate. */
SIMD_INLINE void swiglu_backward_rows(enum kernel_dtype t, const struct kernel_team *team,
                                      const struct kernel_swiglu *of, struct kernel_range rows) {
    const struct kernel_swiglu s = *of;
    for (int64_t r = rows.begin; r < rows.end; r++) {
        struct part sum = {{{0}}};
        if (s.weights) {
            const float weight = s.weights[r];
            PARTS(0, s.cols, 0, sum = swiglu_backward_part(t, &s, r, weight, sum, i, n));
            s.dweights[r] = vf_sum(part_sum(sum));
        } else {
            PARTS(0, s.cols, 0, swiglu_backward_part(t, &s, r, 1, sum, i, n));
        }
        kernel_poll_row(team, r, s.cols);
    }
}

void KERNEL_FN(swiglu_backward)(const struct kernel_team *team, const struct kernel_swiglu *s) {
#pragma omp parallel num_threads(team->threads)
    {
        if (s->dtype == KERNEL_F32)
            swiglu_backward_rows(KERNEL_F32, team, s, kernel_share(s->rows, 1));
        else
            swiglu_backward_rows(KERNEL_BF16, team, s, kernel_share(s->rows, 1));
    }
}
