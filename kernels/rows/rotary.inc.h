/* SPDX-License-Identifier: Apache-2.0
 *
 * Rotary position embedding in place. All heads of a row use the same cosines and sines, so these remain in L1. */

/* Rotates n planes of one head; `x1` and `x2` are element offsets into the buffer. Negative sines rotate back. */
SIMD_INLINE void rotary_part(enum kernel_dtype t, void *x, int64_t x1, int64_t x2, const float *cosines,
                             const float *sines, int64_t i, int64_t n, float sign) {
    const struct part c = row_get(KERNEL_F32, cosines, i, n), s = row_get(KERNEL_F32, sines, i, n);
    const struct part a = row_get(t, x, x1 + i, n), b = row_get(t, x, x2 + i, n);
    struct part y1, y2;
    for (int k = 0; k < WAYS; k++) {
        const vf sine = sign * s.v[k];
        y1.v[k] = a.v[k] * c.v[k] - b.v[k] * sine;
        y2.v[k] = b.v[k] * c.v[k] + a.v[k] * sine;
    }
    row_put(t, x, x1 + i, n, y1, false);
    row_put(t, x, x2 + i, n, y2, false);
}

SIMD_INLINE void rotary_row(enum kernel_dtype t, const struct kernel_rotary *k, int64_t r) {
    const int64_t half = k->head_dim / 2, angle = r % k->seq * half, heads = k->heads;
    const float *cosines = k->cos + angle, *sines = k->sin + angle, sign = k->inverse ? -1 : 1;
    void *x = k->x;
    for (int64_t h = 0, head = k->head, x1 = r * k->row; h < heads; h++, x1 += head)
        PARTS(0, half, 0, rotary_part(t, x, x1, x1 + half, cosines, sines, i, n, sign));
}

void KERNEL_FN(rotary)(const struct kernel_team *team, const struct kernel_rotary *k) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        if (k->dtype == KERNEL_F32)
            rotary_row(KERNEL_F32, k, r);
        else
            rotary_row(KERNEL_BF16, k, r);
        kernel_poll_row(team, r, k->heads * k->head_dim);
    }
}
