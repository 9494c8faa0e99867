/* SPDX-License-Identifier: Apache-2.0
 *
 * Copy and triad: the roofs that passes over memory are compared with. */

/* z = x + s y, or x where y is NULL */
SIMD_INLINE void triad_part(const float *x, float s, const float *y, float *z, int64_t i, int64_t n, bool stream) {
    struct part v = part_get(KERNEL_F32, x, i, n);
    if (y) {
        const struct part w = part_get(KERNEL_F32, y, i, n);
        for (int k = 0; k < WAYS; k++) v.v[k] += s * w.v[k];
    }
    part_put(KERNEL_F32, z, i, n, v, stream);
}

SIMD_INLINE void triad_block(struct kernel_range b, const float *x, float s, const float *y, float *z, bool stream) {
    PARTS(b.begin, b.end, part_head(KERNEL_F32, z, b.begin, b.end - b.begin, stream),
          triad_part(x, s, y, z, i, n, stream));
}

static void triad_team(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
    const bool stream = part_streams(team, (y ? 12 : 8) * n);
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(share); b.begin < share.end;
             b = kernel_block_next(team, share, b))
            if (y)
                triad_block(b, x, s, y, z, stream);
            else
                triad_block(b, x, 0, NULL, z, stream);
        simd_stream_end();
    }
}

void KERNEL_FN(copy)(const struct kernel_team *team, int64_t n, const float *x, float *y) {
    triad_team(team, n, x, 0, NULL, y);
}
void KERNEL_FN(triad)(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
    triad_team(team, n, x, s, y, z);
}
