/* SPDX-License-Identifier: Apache-2.0
 *
 * Copy and triad: what passes over memory are measured against. */

/* z[i] = x[i] + s y[i] over whole vectors and a rest; y NULL: a copy; stream: z is aligned and goes past the caches */
SIMD_INLINE void triad_part(int64_t n, const float *x, float s, const float *y, float *z, const bool stream) {
    int64_t i = 0;
    for (; i + KERNEL_LANES <= n; i += KERNEL_LANES) {
        const vf v = y ? vf_load(x + i) + s * vf_load(y + i) : vf_load(x + i);
        if (stream)
            vf_stream(z + i, v);
        else
            vf_store(z + i, v);
    }
    if (i < n)
        part_put(KERNEL_F32, z, i, n - i,
                 y ? vf_get_n(KERNEL_F32, x, i, n - i) + s * vf_get_n(KERNEL_F32, y, i, n - i)
                   : vf_get_n(KERNEL_F32, x, i, n - i));
}

/* Elements before z is aligned to a vector. */
static int64_t stream_head(const float *z, int64_t n) {
    const int64_t head = (int64_t)(-(uintptr_t)z / sizeof *z % KERNEL_LANES);
    return head < n ? head : n;
}

static void triad_team(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
    const int64_t bytes = (y ? 12 : 8) * n, cached = team->caches && team->caches->l3 ? team->caches->l3 : 1 << 25;
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(share); b.begin < share.end;
             b = kernel_block_next(team, share, b)) {
            const int64_t head = stream_head(z + b.begin, b.end - b.begin), at = b.begin + head;
            if (bytes <= cached) {
                triad_part(b.end - b.begin, x + b.begin, s, y ? y + b.begin : NULL, z + b.begin, false);
                continue;
            }
            triad_part(head, x + b.begin, s, y ? y + b.begin : NULL, z + b.begin, false);
            triad_part(b.end - at, x + at, s, y ? y + at : NULL, z + at, true);
        }
        simd_stream_end();
    }
}

void KERNEL_FN(copy)(const struct kernel_team *team, int64_t n, const float *x, float *y) {
    triad_team(team, n, x, 0, NULL, y);
}
void KERNEL_FN(triad)(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
    triad_team(team, n, x, s, y, z);
}
