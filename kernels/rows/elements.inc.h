/* SPDX-License-Identifier: Apache-2.0
 *
 * GELU, BF16 conversion, zeroing (element by element) and column sums. */

SIMD_INLINE void gelu_forward_block(enum kernel_dtype t, struct kernel_range b, const void *x, void *y, bool stream) {
    PARTS(b.begin, b.end, part_head(t, y, b.begin, b.end - b.begin, stream), {
        part_prefetch(t, x, i + PART_AHEAD);
        gelu_forward_part(t, x, y, i, n, stream);
    });
}

void KERNEL_FN(gelu_forward)(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, void *y) {
    const bool stream = part_streams(team, 2 * n * (int64_t)kernel_dtype_bytes(t));
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            if (t == KERNEL_F32)
                gelu_forward_block(KERNEL_F32, b, x, y, stream);
            else
                gelu_forward_block(KERNEL_BF16, b, x, y, stream);
        simd_stream_end();
    }
}

SIMD_INLINE void gelu_backward_block(enum kernel_dtype t, struct kernel_range b, const void *x, const void *dy,
                                     void *dx, bool stream) {
    PARTS(b.begin, b.end, part_head(t, dx, b.begin, b.end - b.begin, stream), {
        part_prefetch(t, x, i + PART_AHEAD);
        part_prefetch(t, dy, i + PART_AHEAD);
        gelu_backward_part(t, x, dy, dx, i, n, stream);
    });
}

void KERNEL_FN(gelu_backward)(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x,
                              const void *dy, void *dx) {
    const bool stream = dx != dy && part_streams(team, 3 * n * (int64_t)kernel_dtype_bytes(t));
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            if (t == KERNEL_F32)
                gelu_backward_block(KERNEL_F32, b, x, dy, dx, stream);
            else
                gelu_backward_block(KERNEL_BF16, b, x, dy, dx, stream);
        simd_stream_end();
    }
}

/* Converts elements b from one dtype to the other. A NaN may be a signalling one here; vf_any_nan sees it too. */
SIMD_INLINE void convert_block(enum kernel_dtype from, enum kernel_dtype to, struct kernel_range b, const void *x,
                               void *y, bool stream) {
    PARTS(b.begin, b.end, part_head(to, y, b.begin, b.end - b.begin, stream), {
        part_prefetch(from, x, i + PART_AHEAD);
        row_put(to, y, i, n, row_get(from, x, i, n), stream);
    });
}

void KERNEL_FN(to_bf16)(const struct kernel_team *team, int64_t n, const float *x, kernel_bf16 *y) {
    const bool stream = part_streams(team, 6 * n);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            convert_block(KERNEL_F32, KERNEL_BF16, b, x, y, stream);
        simd_stream_end();
    }
}

void KERNEL_FN(from_bf16)(const struct kernel_team *team, int64_t n, const kernel_bf16 *x, float *y) {
    const bool stream = part_streams(team, 6 * n);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            convert_block(KERNEL_BF16, KERNEL_F32, b, x, y, stream);
        simd_stream_end();
    }
}

SIMD_INLINE void zero_block(struct kernel_range b, float *x, bool stream) {
    const struct part zero = {{{0}}};
    PARTS(b.begin, b.end, part_head(KERNEL_F32, x, b.begin, b.end - b.begin, stream),
          part_put(KERNEL_F32, x, i, n, zero, stream));
}

void KERNEL_FN(zero)(const struct kernel_team *team, int64_t n, float *x) {
    const bool stream = part_streams(team, 4 * n);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            zero_block(b, x, stream);
        simd_stream_end();
    }
}

enum { COLUMN_ROWS = 8 }; /* rows added at a time */

/* Adds `count` rows from row r, in order, to n columns from column c. The sum is loaded and stored once for all of
 * them. */
SIMD_INLINE void column_sum_part(enum kernel_dtype t, int64_t cols, int64_t r, int64_t count, const void *x, float *sum,
                                 int64_t c, int64_t n) {
    struct part s = row_get(KERNEL_F32, sum, c, n);
    for (int64_t j = r; j < r + count; j++) {
        const struct part v = row_get(t, x, j * cols + c, n);
        part_prefetch(t, x, (j + COLUMN_ROWS) * cols + c); /* too many row streams for the hardware prefetcher */
        for (int k = 0; k < WAYS; k++) s.v[k] += v.v[k];
    }
    row_put(KERNEL_F32, sum, c, n, s, false);
}

SIMD_INLINE void column_sum_share(enum kernel_dtype t, const struct kernel_team *team, int64_t rows, int64_t cols,
                                  const void *x, float *sum, struct kernel_range share) {
    int64_t r = 0;
    for (; r + COLUMN_ROWS <= rows; r += COLUMN_ROWS) {
        PARTS(share.begin, share.end, 0, column_sum_part(t, cols, r, COLUMN_ROWS, x, sum, i, n));
        kernel_poll_row(team, r / COLUMN_ROWS, COLUMN_ROWS * (share.end - share.begin));
    }
    for (; r < rows; r++) PARTS(share.begin, share.end, 0, column_sum_part(t, cols, r, 1, x, sum, i, n));
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
