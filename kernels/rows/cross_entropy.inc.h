/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax cross-entropy: statistics in one pass over memory, by blocks that stay in the first cache while their
 * maxima are found and their exponentials are added. Each lane keeps a maximum and a sum of its own, rescaled
 * when the maximum rises; they meet at the end of the row. */

enum { CE_BLOCK = 1024, CE_WAYS = 4 };

struct cross_entropy_lanes {
    vf max, sum;
};

/* What to subtract before e^x: a maximum of -infinity (no logit yet) counts as 0, so that e gives 0 and not NaN. */
SIMD_INLINE vf cross_entropy_origin(vf max) {
    return vf_pick(max == -__builtin_inff(), vf_all(0), max);
}

/* n logits, -infinity in the lanes beyond */
SIMD_INLINE vf cross_entropy_get(const float *x, int64_t n) {
    return part_keep(part_get(KERNEL_F32, x, 0, n), n, vf_all(-__builtin_inff()));
}

SIMD_INLINE struct cross_entropy_lanes cross_entropy_block(struct cross_entropy_lanes s, const float *x, int64_t n) {
    enum { STEP = CE_WAYS * KERNEL_LANES };
    const int64_t steps = n / STEP * STEP, whole = n / KERNEL_LANES * KERNEL_LANES;
    vf max[CE_WAYS] = {s.max, s.max, s.max, s.max}, sum[CE_WAYS] = {{0}};
    for (int64_t c = 0; c < steps; c += STEP)
        for (int w = 0; w < CE_WAYS; w++) max[w] = vf_max(max[w], vf_load(x + c + w * KERNEL_LANES));
    for (int64_t c = steps; c < whole; c += KERNEL_LANES) max[0] = vf_max(max[0], vf_load(x + c));
    if (whole < n) max[0] = vf_max(max[0], cross_entropy_get(x + whole, n - whole));
    const vf top = vf_max(vf_max(max[0], max[1]), vf_max(max[2], max[3])), origin = cross_entropy_origin(top);
    for (int64_t c = 0; c < steps; c += STEP)
        for (int w = 0; w < CE_WAYS; w++) {
            __builtin_prefetch(x + CE_BLOCK + c + w * KERNEL_LANES); /* the next block, another page */
            sum[w] += vf_exp(vf_load(x + c + w * KERNEL_LANES) - origin);
        }
    for (int64_t c = steps; c < whole; c += KERNEL_LANES) sum[0] += vf_exp(vf_load(x + c) - origin);
    if (whole < n) sum[0] += vf_exp(cross_entropy_get(x + whole, n - whole) - origin);
    return (struct cross_entropy_lanes){top, s.sum * vf_exp(s.max - origin) + ((sum[0] + sum[1]) + (sum[2] + sum[3]))};
}

void KERNEL_FN(cross_entropy_stats)(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        const float *x = e->logits + r * e->ld;
        const int64_t target = e->targets[r] - e->first;
        struct cross_entropy_lanes s = {.max = vf_all(-__builtin_inff()), .sum = vf_all(0)};
        for (int64_t c = 0; c < e->vocab; c += CE_BLOCK)
            s = cross_entropy_block(s, x + c, e->vocab - c < CE_BLOCK ? e->vocab - c : CE_BLOCK);
        e->max[r] = vf_highest(s.max);
        e->sum[r] = vf_sum(s.sum * vf_exp(s.max - cross_entropy_origin(vf_all(e->max[r]))));
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
