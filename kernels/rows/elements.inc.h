/* SPDX-License-Identifier: Apache-2.0
 *
 * GELU, BF16 conversion, zeroing (element by element) and column sums. */

SIMD_INLINE void gelu_forward_part(enum kernel_dtype t, const void *x, void *y, int64_t i, int64_t n) {
    part_put(t, y, i, n, vf_gelu(part_get(t, x, i, n)));
}

SIMD_INLINE void gelu_forward_block(enum kernel_dtype t, struct kernel_range b, const void *x, void *y) {
    int64_t i = b.begin;
    for (; i + KERNEL_LANES <= b.end; i += KERNEL_LANES) gelu_forward_part(t, x, y, i, KERNEL_LANES);
    if (i < b.end) gelu_forward_part(t, x, y, i, b.end - i);
}

void KERNEL_FN(gelu_forward)(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, void *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            if (t == KERNEL_F32)
                gelu_forward_block(KERNEL_F32, b, x, y);
            else
                gelu_forward_block(KERNEL_BF16, b, x, y);
    }
}

SIMD_INLINE void gelu_backward_part(enum kernel_dtype t, const void *x, const void *dy, void *dx, int64_t i,
                                    int64_t n) {
    part_put(t, dx, i, n, vf_gelu_gradient(part_get(t, dy, i, n), part_get(t, x, i, n)));
}

SIMD_INLINE void gelu_backward_block(enum kernel_dtype t, struct kernel_range b, const void *x, const void *dy,
                                     void *dx) {
    int64_t i = b.begin;
    for (; i + KERNEL_LANES <= b.end; i += KERNEL_LANES) gelu_backward_part(t, x, dy, dx, i, KERNEL_LANES);
    if (i < b.end) gelu_backward_part(t, x, dy, dx, i, b.end - i);
}

void KERNEL_FN(gelu_backward)(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x,
                              const void *dy, void *dx) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            if (t == KERNEL_F32)
                gelu_backward_block(KERNEL_F32, b, x, dy, dx);
            else
                gelu_backward_block(KERNEL_BF16, b, x, dy, dx);
    }
}

/* Elements b of one dtype, into the other. */
SIMD_INLINE void convert_block(enum kernel_dtype from, enum kernel_dtype to, struct kernel_range b, const void *x,
                               void *y) {
    int64_t i = b.begin;
    for (; i + KERNEL_LANES <= b.end; i += KERNEL_LANES) vf_put(to, y, i, vf_get(from, x, i));
    if (i < b.end) vf_put_n(to, y, i, b.end - i, vf_get_n(from, x, i, b.end - i));
}

void KERNEL_FN(to_bf16)(const struct kernel_team *team, int64_t n, const float *x, kernel_bf16 *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            convert_block(KERNEL_F32, KERNEL_BF16, b, x, y);
    }
}

void KERNEL_FN(from_bf16)(const struct kernel_team *team, int64_t n, const kernel_bf16 *x, float *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            convert_block(KERNEL_BF16, KERNEL_F32, b, x, y);
    }
}

void KERNEL_FN(zero)(const struct kernel_team *team, int64_t n, float *x) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            memset(x + b.begin, 0, (size_t)(b.end - b.begin) * sizeof *x);
    }
}

/* `count` rows from r added, in order, into n columns from c: the sum is loaded and stored once for them all */
SIMD_INLINE void column_sum_part(enum kernel_dtype t, int64_t cols, int64_t r, int64_t count, const void *x, float *sum,
                                 int64_t c, int64_t n) {
    vf s = part_get(KERNEL_F32, sum, c, n);
    for (int64_t i = r; i < r + count; i++) s += part_get(t, x, i * cols + c, n);
    part_put(KERNEL_F32, sum, c, n, s);
}

SIMD_INLINE void column_sum_rows(enum kernel_dtype t, int64_t cols, int64_t r, int64_t count, const void *x, float *sum,
                                 struct kernel_range share) {
    int64_t c = share.begin;
    for (; c + KERNEL_LANES <= share.end; c += KERNEL_LANES)
        column_sum_part(t, cols, r, count, x, sum, c, KERNEL_LANES);
    if (c < share.end) column_sum_part(t, cols, r, count, x, sum, c, share.end - c);
}

SIMD_INLINE void column_sum_share(enum kernel_dtype t, const struct kernel_team *team, int64_t rows, int64_t cols,
                                  const void *x, float *sum, struct kernel_range share) {
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        column_sum_rows(t, cols, r, 8, x, sum, share);
        kernel_poll_row(team, r / 8, 8 * (share.end - share.begin));
    }
    for (; r < rows; r++) column_sum_rows(t, cols, r, 1, x, sum, share);
}

void KERNEL_FN(column_sum)(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols,
                           const void *x, float *sum) {
#pragma omp parallel num_threads(team->threads)
    {
        if (t == KERNEL_F32)
            column_sum_share(KERNEL_F32, team, rows, cols, x, sum, kernel_share(cols, 16));
        else
            column_sum_share(KERNEL_BF16, team, rows, cols, x, sum, kernel_share(cols, 16));
    }
}
