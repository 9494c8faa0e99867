/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding: rows gathered by all threads; the scatter is split over columns, so that rows of one token are
 * added in order whatever the threads. */

SIMD_INLINE int64_t embedding_position(const struct kernel_embedding *e, int64_t r) {
    return (e->position0 + r % e->seq) * e->cols;
}

SIMD_INLINE void embedding_gather_part(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r, int64_t c,
                                       int64_t n) {
    vf x = part_get(t, e->token_table, e->tokens[r] * e->cols + c, n);
    if (e->position_table) x += part_get(t, e->position_table, embedding_position(e, r) + c, n);
    part_put(t, e->x, r * e->cols + c, n, x);
}

SIMD_INLINE void embedding_gather_row(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r) {
    int64_t c = 0;
    for (; c + KERNEL_LANES <= e->cols; c += KERNEL_LANES) embedding_gather_part(t, e, r, c, KERNEL_LANES);
    if (c < e->cols) embedding_gather_part(t, e, r, c, e->cols - c);
}

void KERNEL_FN(embedding_forward)(const struct kernel_team *team, const struct kernel_embedding *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        if (e->dtype == KERNEL_F32)
            embedding_gather_row(KERNEL_F32, e, r);
        else
            embedding_gather_row(KERNEL_BF16, e, r);
        kernel_poll_row(team, r, e->cols);
    }
}

SIMD_INLINE void embedding_scatter_part(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r, int64_t c,
                                        int64_t n) {
    const int64_t token = e->tokens[r] * e->cols + c, position = embedding_position(e, r) + c;
    const vf dx = part_get(t, e->dx, r * e->cols + c, n);
    part_put(KERNEL_F32, e->dtoken, token, n, part_get(KERNEL_F32, e->dtoken, token, n) + dx);
    if (e->dposition)
        part_put(KERNEL_F32, e->dposition, position, n, part_get(KERNEL_F32, e->dposition, position, n) + dx);
}

SIMD_INLINE void embedding_scatter_row(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r,
                                       struct kernel_range cols) {
    int64_t c = cols.begin;
    for (; c + KERNEL_LANES <= cols.end; c += KERNEL_LANES) embedding_scatter_part(t, e, r, c, KERNEL_LANES);
    if (c < cols.end) embedding_scatter_part(t, e, r, c, cols.end - c);
}

void KERNEL_FN(embedding_backward)(const struct kernel_team *team, const struct kernel_embedding *e) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range cols = kernel_share(e->cols, 16);
        for (int64_t r = 0; r < e->rows; r++) {
            if (e->dtype == KERNEL_F32)
                embedding_scatter_row(KERNEL_F32, e, r, cols);
            else
                embedding_scatter_row(KERNEL_BF16, e, r, cols);
            kernel_poll_row(team, r, cols.end - cols.begin);
        }
    }
}
