/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax cross-entropy: statistics in one pass over memory, by blocks that stay in the first cache while their
 * maximum is found and their exponentials are added; the sum so far is rescaled when the maximum rises. */

enum { CE_BLOCK = 1024, CE_WAYS = 4 };

SIMD_INLINE float cross_entropy_block_max(const float *x, int64_t n) {
    vf m[CE_WAYS];
    for (int w = 0; w < CE_WAYS; w++) m[w] = vf_all(-__builtin_inff());
    int64_t c = 0;
    for (; c + CE_WAYS * KERNEL_LANES <= n; c += CE_WAYS * KERNEL_LANES)
        for (int w = 0; w < CE_WAYS; w++) m[w] = vf_max(m[w], vf_load(x + c + w * KERNEL_LANES));
    float max = vf_highest(vf_max(vf_max(m[0], m[1]), vf_max(m[2], m[3])));
    for (; c < n; c++) max = x[c] > max ? x[c] : max;
    return max;
}

/* sum of e^(x - max); an infinite max of no finite logit counts as 0, so that -infinity gives 0 and not NaN */
SIMD_INLINE float cross_entropy_block_sum(const float *x, int64_t n, float max) {
    const float origin = max == -__builtin_inff() ? 0 : max;
    vf s[CE_WAYS];
    for (int w = 0; w < CE_WAYS; w++) s[w] = vf_all(0);
    int64_t c = 0;
    for (; c + CE_WAYS * KERNEL_LANES <= n; c += CE_WAYS * KERNEL_LANES)
        for (int w = 0; w < CE_WAYS; w++) s[w] += vf_exp(vf_load(x + c + w * KERNEL_LANES) - origin);
    for (; c < n; c += KERNEL_LANES) {
        const int64_t k = n - c < KERNEL_LANES ? n - c : KERNEL_LANES;
        s[0] += part_keep(vf_exp(vf_get_n(KERNEL_F32, x, c, k) - origin), k, vf_all(0));
    }
    return vf_sum((s[0] + s[1]) + (s[2] + s[3]));
}

void KERNEL_FN(cross_entropy_stats)(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        const float *x = e->logits + r * e->ld;
        const int64_t target = e->targets[r] - e->first;
        float max = -__builtin_inff(), sum = 0;
        for (int64_t c = 0; c < e->vocab; c += CE_BLOCK) {
            const int64_t n = e->vocab - c < CE_BLOCK ? e->vocab - c : CE_BLOCK;
            const float highest = cross_entropy_block_max(x + c, n);
            if (highest > max) {
                sum *= vf_exp(vf_all(max - highest))[0];
                max = highest;
            }
            sum += cross_entropy_block_sum(x + c, n, max);
        }
        e->max[r] = max;
        e->sum[r] = sum;
        e->target_logit[r] = target >= 0 && target < e->vocab ? x[target] : 0;
        kernel_poll_row(team, r, e->vocab);
    }
}

void KERNEL_FN(cross_entropy_combine)(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) e->loss[r] = __builtin_logf(e->sum[r]) + (e->max[r] - e->target_logit[r]);
}

SIMD_INLINE void cross_entropy_grad_part(enum kernel_dtype t, const float *x, void *out, int64_t at, int64_t n,
                                         float max, float factor) {
    part_put(t, out, at, n, vf_exp(part_get(KERNEL_F32, x, at, n) - max) * factor);
}

SIMD_INLINE void cross_entropy_grad_row(enum kernel_dtype t, const struct kernel_cross_entropy *e, int64_t r) {
    const int64_t begin = r * e->ld, end = begin + e->vocab, target = e->targets[r] - e->first;
    const bool mine = target >= 0 && target < e->vocab;
    const float max = e->max[r], factor = e->scale / e->sum[r];
    const float logit = mine ? e->logits[begin + target] : 0; /* before a gradient in place overwrites it */
    int64_t c = begin;
    for (; c + KERNEL_LANES <= end; c += KERNEL_LANES)
        cross_entropy_grad_part(t, e->logits, e->dlogits, c, KERNEL_LANES, max, factor);
    if (c < end) cross_entropy_grad_part(t, e->logits, e->dlogits, c, end - c, max, factor);
    if (mine) scalar_put(t, e->dlogits, begin + target, vf_exp(vf_all(logit - max))[0] * factor - e->scale);
}

void KERNEL_FN(cross_entropy_grad)(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        if (e->dtype == KERNEL_F32)
            cross_entropy_grad_row(KERNEL_F32, e, r);
        else
            cross_entropy_grad_row(KERNEL_BF16, e, r);
        kernel_poll_row(team, r, e->vocab);
    }
}
