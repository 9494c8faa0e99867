/* SPDX-License-Identifier: Apache-2.0
 *
 * LayerNorm and RMSNorm: rows are small enough to stay in the first cache, so the forward reads each three times
 * (mean, variance about it, output) for accuracy at no cost in memory traffic. RMSNorm is the same about a mean of 0,
 * which subtracts exactly. */

/* the mean of row r that the forward kept */
SIMD_INLINE float norm_mean(const struct kernel_norm *l, int64_t r) {
    return l->mean ? l->mean[r] : 0;
}

SIMD_INLINE float norm_row_mean(enum kernel_dtype t, const void *x, int64_t at, int64_t cols) {
    vf a = vf_all(0), b = vf_all(0);
    int64_t c = 0;
    for (; c + 2 * KERNEL_LANES <= cols; c += 2 * KERNEL_LANES) {
        a += vf_get(t, x, at + c);
        b += vf_get(t, x, at + c + KERNEL_LANES);
    }
    for (; c < cols; c += KERNEL_LANES) a += vf_get_n(t, x, at + c, cols - c < KERNEL_LANES ? cols - c : KERNEL_LANES);
    return vf_sum(a + b) / (float)cols;
}

SIMD_INLINE float norm_row_variance(enum kernel_dtype t, const void *x, int64_t at, int64_t cols, float mean) {
    vf a = vf_all(0), b = vf_all(0);
    int64_t c = 0;
    for (; c + 2 * KERNEL_LANES <= cols; c += 2 * KERNEL_LANES) {
        const vf d = vf_get(t, x, at + c) - mean, e = vf_get(t, x, at + c + KERNEL_LANES) - mean;
        a += d * d;
        b += e * e;
    }
    for (; c < cols; c += KERNEL_LANES) {
        const int64_t n = cols - c < KERNEL_LANES ? cols - c : KERNEL_LANES;
        const vf d = part_keep(vf_get_n(t, x, at + c, n) - mean, n, vf_all(0));
        a += d * d;
    }
    return vf_sum(a + b) / (float)cols;
}

/* `bias`, whether there is one, is a constant, so that no vector tests it */
SIMD_INLINE void norm_normalise(enum kernel_dtype t, const struct kernel_norm *l, bool bias, int64_t at, int64_t c,
                                int64_t n, float mean, float rstd) {
    __builtin_prefetch((const char *)l->x + (size_t)(at + l->cols + c) * kernel_dtype_bytes(t)); /* the next row */
    const vf normal = (part_get(t, l->x, at + c, n) - mean) * rstd;
    part_put(t, l->y, at + c, n, normal * part_get(t, l->gain, c, n) + (bias ? part_get(t, l->bias, c, n) : vf_all(0)));
}

SIMD_INLINE void norm_normalise_row(enum kernel_dtype t, const struct kernel_norm *l, bool bias, int64_t at, float mean,
                                    float rstd) {
    int64_t c = 0;
    for (; c + KERNEL_LANES <= l->cols; c += KERNEL_LANES) norm_normalise(t, l, bias, at, c, KERNEL_LANES, mean, rstd);
    if (c < l->cols) norm_normalise(t, l, bias, at, c, l->cols - c, mean, rstd);
}

SIMD_INLINE void norm_forward_rows(enum kernel_dtype t, const struct kernel_team *team, const struct kernel_norm *l,
                                   struct kernel_range rows) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const int64_t at = r * l->cols;
        const float mean = l->mean ? norm_row_mean(t, l->x, at, l->cols) : 0;
        const float rstd = 1 / __builtin_sqrtf(norm_row_variance(t, l->x, at, l->cols, mean) + l->eps);
        if (l->bias)
            norm_normalise_row(t, l, true, at, mean, rstd);
        else
            norm_normalise_row(t, l, false, at, mean, rstd);
        if (l->mean) l->mean[r] = mean;
        l->rstd[r] = rstd;
        kernel_poll_row(team, r, l->cols);
    }
}

void KERNEL_FN(norm_forward)(const struct kernel_team *team, const struct kernel_norm *l) {
#pragma omp parallel num_threads(team->threads)
    {
        if (l->dtype == KERNEL_F32)
            norm_forward_rows(KERNEL_F32, team, l, kernel_share(l->rows, 1));
        else
            norm_forward_rows(KERNEL_BF16, team, l, kernel_share(l->rows, 1));
    }
}

/* g = dy * gain and h = (x - mean) * rstd of one vector, zero beyond n */
struct norm_terms {
    vf g, h;
};
SIMD_INLINE struct norm_terms norm_terms(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t c,
                                         int64_t n, float mean) {
    const int64_t at = r * l->cols + c;
    return (struct norm_terms){.g = part_get(t, l->dy, at, n) * part_get(t, l->gain, c, n),
                               .h = (part_get(t, l->x, at, n) - mean) * l->rstd[r]};
}

SIMD_INLINE void norm_dx(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t c, int64_t n, float mean,
                         float g_mean, float gh_mean) {
    const struct norm_terms v = norm_terms(t, l, r, c, n, mean);
    vf dx = l->rstd[r] * (v.g - g_mean - v.h * gh_mean);
    if (l->dx_add) dx += part_get(t, l->dx_add, r * l->cols + c, n);
    part_put(t, l->dx, r * l->cols + c, n, dx);
}

/* dx = rstd * (g - mean(g) - h * mean(g h)), without mean(g) where no mean was subtracted */
SIMD_INLINE void norm_grad_input_rows(enum kernel_dtype t, const struct kernel_team *team, const struct kernel_norm *l,
                                      struct kernel_range rows) {
    const int64_t whole = l->cols / KERNEL_LANES * KERNEL_LANES, rest = l->cols - whole;
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const float mean = norm_mean(l, r);
        vf g = vf_all(0), gh = vf_all(0);
        for (int64_t c = 0; c < whole; c += KERNEL_LANES) {
            const struct norm_terms v = norm_terms(t, l, r, c, KERNEL_LANES, mean);
            g += v.g;
            gh += v.g * v.h;
        }
        if (rest) {
            const struct norm_terms v = norm_terms(t, l, r, whole, rest, mean);
            g += v.g; /* 0 beyond the row, since dy reads as 0 there */
            gh += v.g * v.h;
        }
        const float g_mean = l->mean ? vf_sum(g) / (float)l->cols : 0, gh_mean = vf_sum(gh) / (float)l->cols;
        for (int64_t c = 0; c < whole; c += KERNEL_LANES) norm_dx(t, l, r, c, KERNEL_LANES, mean, g_mean, gh_mean);
        if (rest) norm_dx(t, l, r, whole, rest, mean, g_mean, gh_mean);
        kernel_poll_row(team, r, l->cols);
    }
}

void KERNEL_FN(norm_grad_input)(const struct kernel_team *team, const struct kernel_norm *l) {
#pragma omp parallel num_threads(team->threads)
    {
        if (l->dtype == KERNEL_F32)
            norm_grad_input_rows(KERNEL_F32, team, l, kernel_share(l->rows, 1));
        else
            norm_grad_input_rows(KERNEL_BF16, team, l, kernel_share(l->rows, 1));
    }
}

enum { NORM_ROWS = 4 }; /* whose parameter gradients are added at a time */

/* `count` rows from r added, in order, into n columns from c: the sums are loaded and stored once for them all */
SIMD_INLINE void norm_params_part(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t count, int64_t c,
                                  int64_t n, const float *mean, const float *rstd) {
    vf gain = part_get(KERNEL_F32, l->dgain, c, n);
    vf bias = l->dbias ? part_get(KERNEL_F32, l->dbias, c, n) : vf_all(0);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = (r + i) * l->cols + c;
        const vf dy = part_get(t, l->dy, at, n);
        gain += dy * ((part_get(t, l->x, at, n) - mean[i]) * rstd[i]);
        bias += dy;
    }
    part_put(KERNEL_F32, l->dgain, c, n, gain);
    if (l->dbias) part_put(KERNEL_F32, l->dbias, c, n, bias);
}

SIMD_INLINE void norm_params_rows(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t count,
                                  struct kernel_range cols) {
    float mean[NORM_ROWS], rstd[NORM_ROWS]; /* which no store can alias, so they stay in registers */
    for (int64_t i = 0; i < count; i++) {
        mean[i] = norm_mean(l, r + i);
        rstd[i] = l->rstd[r + i];
    }
    int64_t c = cols.begin;
    for (; c + KERNEL_LANES <= cols.end; c += KERNEL_LANES)
        norm_params_part(t, l, r, count, c, KERNEL_LANES, mean, rstd);
    if (c < cols.end) norm_params_part(t, l, r, count, c, cols.end - c, mean, rstd);
}

SIMD_INLINE void norm_params_share(enum kernel_dtype t, const struct kernel_team *team, const struct kernel_norm *l,
                                   struct kernel_range cols) {
    int64_t r = 0;
    for (; r + NORM_ROWS <= l->rows; r += NORM_ROWS) {
        norm_params_rows(t, l, r, NORM_ROWS, cols);
        kernel_poll_row(team, r / NORM_ROWS, NORM_ROWS * (cols.end - cols.begin));
    }
    for (; r < l->rows; r++) norm_params_rows(t, l, r, 1, cols);
}

void KERNEL_FN(norm_grad_params)(const struct kernel_team *team, const struct kernel_norm *l) {
#pragma omp parallel num_threads(team->threads)
    {
        if (l->dtype == KERNEL_F32)
            norm_params_share(KERNEL_F32, team, l, kernel_share(l->cols, 16));
        else
            norm_params_share(KERNEL_BF16, team, l, kernel_share(l->cols, 16));
    }
}
