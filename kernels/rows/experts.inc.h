/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of rows that experts return to their tokens. An element takes the same additions as in plain C. */

/* Rows of the next sum, which stand anywhere: the hardware's prefetchers do not find them. */
SIMD_INLINE void rows_sum_prefetch(enum kernel_dtype in, const struct kernel_rows *k, int64_t r, int64_t c) {
    for (int64_t j = (r + 1) * k->count; r + 1 < k->rows && j < (r + 2) * k->count; j++)
        part_prefetch(in, k->x, k->index[j] * k->cols + c);
}

SIMD_INLINE void rows_sum_part(enum kernel_dtype in, enum kernel_dtype out, const struct kernel_rows *k, int64_t r,
                               int64_t c, int64_t n, bool stream) {
    const bool ordered = in != out;
    const size_t at = (size_t)(r * k->cols + c);
    struct part sum = {{{0}}};
    if (k->d) sum = part_read(out, k->d, at, (size_t)n, ordered);
    rows_sum_prefetch(in, k, r, c);
    for (int64_t j = r * k->count; j < (r + 1) * k->count; j++) {
        const struct part x = part_read(in, k->x, (size_t)(k->index[j] * k->cols + c), (size_t)n, ordered);
        for (int w = 0; w < WAYS; w++) sum.v[w] += x.v[w];
    }
    part_write(out, k->y, at, (size_t)n, sum, stream, ordered);
}

SIMD_INLINE void rows_sum_share(enum kernel_dtype in, enum kernel_dtype out, const struct kernel_team *team,
                                const struct kernel_rows *of, struct kernel_range rows, bool stream) {
    const struct kernel_rows k = *of; /* so that no store can change it */
    for (int64_t r = rows.begin; r < rows.end; r++) {
        PARTS(0, k.cols, part_head(out, k.y, r * k.cols, k.cols, stream), rows_sum_part(in, out, &k, r, i, n, stream));
        kernel_poll_row(team, r, k.cols);
    }
    simd_stream_end();
}

void KERNEL_FN(rows_sum)(const struct kernel_team *team, const struct kernel_rows *k) {
    const int64_t in = (int64_t)kernel_dtype_bytes(k->in), out = (int64_t)kernel_dtype_bytes(k->out);
    const bool stream = k->d != k->y && part_streams(team, k->rows * k->cols * (k->count * in + 2 * out));
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(k->rows, 1);
        if (k->in == KERNEL_F32 && k->out == KERNEL_F32)
            rows_sum_share(KERNEL_F32, KERNEL_F32, team, k, rows, stream);
        else if (k->in == KERNEL_F32)
            rows_sum_share(KERNEL_F32, KERNEL_BF16, team, k, rows, stream);
        else if (k->out == KERNEL_F32)
            rows_sum_share(KERNEL_BF16, KERNEL_F32, team, k, rows, stream);
        else
            rows_sum_share(KERNEL_BF16, KERNEL_BF16, team, k, rows, stream);
    }
}
