/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding. All threads gather rows. The scatter is split over columns, so that the rows of one token are added in
 * order for any number of threads. */

SIMD_INLINE int64_t embedding_position(const struct kernel_embedding *e, int64_t r) {
    return (e->position0 + r % e->seq) * e->cols;
}

SIMD_INLINE void embedding_gather_part(enum kernel_dtype t, const struct kernel_embedding *e, int64_t token,
                                       int64_t position, int64_t at, int64_t c, int64_t n, bool stream) {
    struct part x = part_get(t, e->token_table, token + c, n);
    if (e->position_table) {
        const struct part p = part_get(t, e->position_table, position + c, n);
        for (int k = 0; k < WAYS; k++) x.v[k] += p.v[k];
    }
    part_put(t, e->x, at + c, n, x, stream);
}

SIMD_INLINE void embedding_gather_row(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r, bool stream) {
    const int64_t at = r * e->cols, row = kernel_embedding_row(e, r), position = embedding_position(e, r);
    struct part none;
    for (int k = 0; k < WAYS; k++) none.v[k] = vf_all(0);
    if (row < 0)
        PARTS(0, e->cols, part_head(t, e->x, at, e->cols, stream), part_put(t, e->x, at + i, n, none, stream));
    else
        PARTS(0, e->cols, part_head(t, e->x, at, e->cols, stream),
              embedding_gather_part(t, e, row * e->cols, position, at, i, n, stream));
}

SIMD_INLINE void embedding_gather_rows(enum kernel_dtype t, const struct kernel_team *team,
                                       const struct kernel_embedding *e, struct kernel_range rows, bool stream) {
    for (int64_t r = rows.begin; r < rows.end; r++) {
        embedding_gather_row(t, e, r, stream);
        kernel_poll_row(team, r, e->cols);
    }
    simd_stream_end();
}

void KERNEL_FN(embedding_forward)(const struct kernel_team *team, const struct kernel_embedding *e) {
    const bool stream = part_streams(team, 2 * e->rows * e->cols * (int64_t)kernel_dtype_bytes(e->dtype));
#pragma omp parallel num_threads(team->threads)
    {
        if (e->dtype == KERNEL_F32)
            embedding_gather_rows(KERNEL_F32, team, e, kernel_share(e->rows, 1), stream);
        else
            embedding_gather_rows(KERNEL_BF16, team, e, kernel_share(e->rows, 1), stream);
    }
}

SIMD_INLINE void embedding_add(float *sum, int64_t i, int64_t n, struct part dx) {
    struct part s = row_get(KERNEL_F32, sum, i, n);
    for (int k = 0; k < WAYS; k++) s.v[k] += dx.v[k];
    row_put(KERNEL_F32, sum, i, n, s, false);
}

SIMD_INLINE void embedding_scatter_part(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r, int64_t token,
                                        int64_t position, int64_t c, int64_t n) {
    const struct part dx = row_get(t, e->dx, r * e->cols + c, n);
    if (e->dtoken && token >= 0) embedding_add(e->dtoken, token + c, n, dx);
    if (e->dposition) embedding_add(e->dposition, position + c, n, dx);
}

SIMD_INLINE void embedding_scatter_row(enum kernel_dtype t, const struct kernel_embedding *e, int64_t r,
                                       struct kernel_range cols) {
    const int64_t row = kernel_embedding_row(e, r), position = embedding_position(e, r);
    const int64_t token = row < 0 ? -1 : row * e->cols;
    PARTS(cols.begin, cols.end, 0, embedding_scatter_part(t, e, r, token, position, i, n));
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
