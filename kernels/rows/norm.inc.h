/* SPDX-License-Identifier: Apache-2.0
 *
 * LayerNorm and RMSNorm. A row fits into the first caches, so forward reads it three times (mean, variance about it,
 * output). That is more accurate and costs no memory traffic. RMSNorm is the same with a mean of 0, which subtracts
 * exactly and needs no pass. */

/* The mean of row r, as forward stored it. */
SIMD_INLINE float norm_mean(const struct kernel_norm *l, int64_t r) {
    return l->mean ? l->mean[r] : 0;
}

/* Adds x - mean or its square, for n elements. */
SIMD_INLINE struct part norm_add(struct part sum, enum kernel_dtype t, const void *x, int64_t i, int64_t n, float mean,
                                 bool square) {
    const struct part a = part_keep(t, part_get(t, x, i, n), n, mean);
    for (int k = 0; k < WAYS; k++) {
        const vf d = a.v[k] - mean;
        sum.v[k] += square ? d * d : d;
    }
    return sum;
}

/* Mean square of a row's elements minus `mean`. Two sums hide the latency of the additions. */
SIMD_INLINE float norm_square(enum kernel_dtype t, const void *x, int64_t at, int64_t cols, float mean) {
    struct part a = {{{0}}}, b = {{{0}}};
    int64_t c = 0;
    for (; c + 2 * PART <= cols; c += 2 * PART) {
        a = norm_add(a, t, x, at + c, PART, mean, true);
        b = norm_add(b, t, x, at + c + PART, PART, mean, true);
    }
    PARTS(c, cols, 0, a = norm_add(a, t, x, at + i, n, mean, true));
    return vf_sum(part_sum(a) + part_sum(b)) / (float)cols;
}

/* Forward's first pass over a row, from column c, added to `sum`: the sum of its elements, or of their squares if no
 * mean is subtracted. */
SIMD_INLINE struct part norm_first(struct part sum, enum kernel_dtype t, const struct kernel_norm *l, bool centred,
                                   int64_t at, int64_t c) {
    PARTS(c, l->cols, 0, sum = norm_add(sum, t, l->x, at + i, n, 0, !centred));
    return sum;
}

SIMD_INLINE void norm_normalise(enum kernel_dtype t, const struct kernel_norm *l, bool bias, int64_t at, int64_t c,
                                int64_t n, float mean, float rstd, bool stream) {
    const struct part x = part_get(t, l->x, at + c, n), gain = part_get(t, l->gain, c, n);
    struct part y = bias ? part_get(t, l->bias, c, n) : (struct part){{{0}}};
    for (int k = 0; k < WAYS; k++) y.v[k] += (x.v[k] - mean) * rstd * gain.v[k];
    part_put(t, l->y, at + c, n, y, stream);
}

/* Writes the row at `at` and reads the one at `next` meanwhile; returns the first sum of `next`. The last row reads
 * itself again: that is useless but cheaper than a separate case. */
SIMD_INLINE struct part norm_forward_row(enum kernel_dtype t, const struct kernel_norm *l, bool bias, bool centred,
                                         int64_t at, int64_t next, float mean, float rstd, bool stream) {
    struct part sum = {{{0}}};
    int64_t c = 0;
    PARTS(0, l->cols, part_head(t, l->y, at, l->cols, stream), {
        norm_normalise(t, l, bias, at, i, n, mean, rstd, stream);
        if (n == PART) {
            part_prefetch(t, l->x, next + c + 4 * PART); /* loads issue late behind this much arithmetic */
            sum = norm_add(sum, t, l->x, next + c, PART, 0, !centred);
            c += PART;
        }
    });
    return norm_first(sum, t, l, centred, next, c);
}

/* `bias` and `centred` (whether biases and means exist) are constants, so that the loops need no tests. */
SIMD_INLINE void norm_forward_rows(enum kernel_dtype t, bool bias, bool centred, const struct kernel_team *team,
                                   const struct kernel_norm *l, struct kernel_range rows, bool stream) {
    struct part first = {{{0}}};
    if (rows.begin < rows.end) first = norm_first(first, t, l, centred, rows.begin * l->cols, 0);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const int64_t at = r * l->cols, next = r + 1 < rows.end ? at + l->cols : at;
        const float moment = vf_sum(part_sum(first)) / (float)l->cols, mean = centred ? moment : 0;
        const float square = centred ? norm_square(t, l->x, at, l->cols, mean) : moment;
        const float rstd = 1 / __builtin_sqrtf(square + l->eps);
        first = norm_forward_row(t, l, bias, centred, at, next, mean, rstd, stream);
        if (centred) l->mean[r] = mean;
        l->rstd[r] = rstd;
        kernel_poll_row(team, r, l->cols);
    }
    simd_stream_end();
}

SIMD_INLINE void norm_forward_kind(enum kernel_dtype t, const struct kernel_team *team, const struct kernel_norm *l,
                                   struct kernel_range rows, bool stream) {
    if (l->bias && l->mean)
        norm_forward_rows(t, true, true, team, l, rows, stream);
    else if (l->bias)
        norm_forward_rows(t, true, false, team, l, rows, stream);
    else if (l->mean)
        norm_forward_rows(t, false, true, team, l, rows, stream);
    else
        norm_forward_rows(t, false, false, team, l, rows, stream);
}

void KERNEL_FN(norm_forward)(const struct kernel_team *team, const struct kernel_norm *l) {
    const bool stream = part_streams(team, 2 * l->rows * l->cols * (int64_t)kernel_dtype_bytes(l->dtype));
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_norm own = *l; /* a local copy: no store can alias it, so pointers remain in registers */
        if (own.dtype == KERNEL_F32)
            norm_forward_kind(KERNEL_F32, team, &own, kernel_share(own.rows, 1), stream);
        else
            norm_forward_kind(KERNEL_BF16, team, &own, kernel_share(own.rows, 1), stream);
    }
}

SIMD_INLINE void norm_prefetch(enum kernel_dtype t, const struct kernel_norm *l, int64_t at) {
    part_prefetch(t, l->x, at);
    part_prefetch(t, l->dy, at);
}

/* g = dy * gain and d = x - mean of one part; g is zero beyond n */
struct norm_terms {
    struct part g, d;
};
SIMD_INLINE struct norm_terms norm_terms(enum kernel_dtype t, const struct kernel_norm *l, int64_t at, int64_t c,
                                         int64_t n, float mean) {
    const struct part x = part_get(t, l->x, at + c, n), gain = part_get(t, l->gain, c, n);
    struct norm_terms v = {.g = part_get(t, l->dy, at + c, n)};
    for (int k = 0; k < WAYS; k++) {
        v.g.v[k] *= gain.v[k];
        v.d.v[k] = x.v[k] - mean;
    }
    return v;
}

/* sums of g and of g d */
struct norm_sums {
    struct part g, gd;
};
SIMD_INLINE struct norm_sums norm_sums(struct norm_sums s, struct norm_terms v) {
    for (int k = 0; k < WAYS; k++) {
        s.g.v[k] += v.g.v[k];
        s.gd.v[k] += v.g.v[k] * v.d.v[k];
    }
    return s;
}

/* Per row of dx = rstd * (g - mean(g) - h * mean(g h)) with h = d * rstd: dx = g * rstd - shift - d * slope. Without
 * a subtracted mean there is no mean(g). */
struct norm_row {
    float mean, rstd, shift, slope;
};
SIMD_INLINE struct norm_row norm_row(enum kernel_dtype t, const struct kernel_norm *l, int64_t r) {
    const int64_t at = r * l->cols;
    const float mean = norm_mean(l, r), rstd = l->rstd[r];
    struct norm_sums s = {{{{0}}}, {{{0}}}};
    PARTS(0, l->cols, 0, s = norm_sums(s, norm_terms(t, l, at, i, n, mean)));
    const float g_mean = l->mean ? vf_sum(part_sum(s.g)) / (float)l->cols : 0;
    const float gh_mean = vf_sum(part_sum(s.gd)) / (float)l->cols * rstd;
    return (struct norm_row){mean, rstd, rstd * g_mean, rstd * rstd * gh_mean};
}

SIMD_INLINE void norm_dx(enum kernel_dtype t, const struct kernel_norm *l, int64_t at, int64_t c, int64_t n,
                         struct norm_row row, bool stream) {
    const struct norm_terms v = norm_terms(t, l, at, c, n, row.mean);
    struct part dx = l->dx_add ? part_get(t, l->dx_add, at + c, n) : (struct part){{{0}}};
    norm_prefetch(t, l, at + l->cols + c); /* the next row */
    for (int k = 0; k < WAYS; k++) dx.v[k] += v.g.v[k] * row.rstd - row.shift - v.d.v[k] * row.slope;
    part_put(t, l->dx, at + c, n, dx, stream);
}

SIMD_INLINE void norm_grad_input_rows(enum kernel_dtype t, const struct kernel_team *team, const struct kernel_norm *l,
                                      struct kernel_range rows, bool stream) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const int64_t at = r * l->cols;
        const struct norm_row row = norm_row(t, l, r);
        PARTS(0, l->cols, part_head(t, l->dx, at, l->cols, stream), norm_dx(t, l, at, i, n, row, stream));
        kernel_poll_row(team, r, l->cols);
    }
    simd_stream_end();
}

void KERNEL_FN(norm_grad_input)(const struct kernel_team *team, const struct kernel_norm *l) {
    const int64_t bytes = (l->dx_add ? 4 : 3) * l->rows * l->cols * (int64_t)kernel_dtype_bytes(l->dtype);
    const bool stream = l->dx != l->dx_add && part_streams(team, bytes);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_norm own = *l;
        if (own.dtype == KERNEL_F32)
            norm_grad_input_rows(KERNEL_F32, team, &own, kernel_share(own.rows, 1), stream);
        else
            norm_grad_input_rows(KERNEL_BF16, team, &own, kernel_share(own.rows, 1), stream);
    }
}

enum { NORM_ROWS = 4 }; /* rows whose parameter gradients are added at a time */

/* Adds `count` rows from row r, in order, to n columns from column c. The sums are loaded and stored once for all of
 * them. */
SIMD_INLINE void norm_params_part(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t count, int64_t c,
                                  int64_t n, const float *mean, const float *rstd) {
    struct part gain = row_get(KERNEL_F32, l->dgain, c, n), bias = {{{0}}};
    if (l->dbias) bias = row_get(KERNEL_F32, l->dbias, c, n);
    for (int64_t j = 0; j < count; j++) {
        const int64_t at = (r + j) * l->cols + c;
        const struct part dy = row_get(t, l->dy, at, n), x = row_get(t, l->x, at, n);
        norm_prefetch(t, l, at + NORM_ROWS * l->cols); /* too many row streams for the hardware prefetcher */
        for (int k = 0; k < WAYS; k++) {
            gain.v[k] += dy.v[k] * ((x.v[k] - mean[j]) * rstd[j]);
            bias.v[k] += dy.v[k];
        }
    }
    row_put(KERNEL_F32, l->dgain, c, n, gain, false);
    if (l->dbias) row_put(KERNEL_F32, l->dbias, c, n, bias, false);
}

SIMD_INLINE void norm_params_rows(enum kernel_dtype t, const struct kernel_norm *l, int64_t r, int64_t count,
                                  struct kernel_range cols) {
    float mean[NORM_ROWS], rstd[NORM_ROWS]; /* no store can alias locals, so they remain in registers */
    for (int64_t j = 0; j < count; j++) {
        mean[j] = norm_mean(l, r + j);
        rstd[j] = l->rstd[r + j];
    }
    PARTS(cols.begin, cols.end, 0, norm_params_part(t, l, r, count, i, n, mean, rstd));
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
        const struct kernel_norm own = *l;
        if (own.dtype == KERNEL_F32)
            norm_params_share(KERNEL_F32, team, &own, kernel_share(own.cols, 16));
        else
            norm_params_share(KERNEL_BF16, team, &own, kernel_share(own.cols, 16));
    }
}
