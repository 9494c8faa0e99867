/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax cross-entropy. The statistics take one pass over memory, in blocks that remain in L1 while their maxima are
 * found and their exponentials added. Each lane has its own maximum and sum, rescaled when the maximum rises. The
 * lanes are reduced at the end of the row. */

enum { CE_BLOCK = 1024 };

struct cross_entropy_lanes {
    vf max, sum;
};

/* The value to subtract before e^x. A maximum of -infinity (no logit yet) counts as 0, so that e^x gives 0 and not
 * NaN. */
SIMD_INLINE vf cross_entropy_origin(vf max) {
    return vf_pick(max == -__builtin_inff(), vf_all(0), max);
}

/* n logits, -infinity in the lanes beyond */
SIMD_INLINE struct part cross_entropy_get(const float *x, int64_t i, int64_t n) {
    return part_keep(KERNEL_F32, part_get(KERNEL_F32, x, i, n), n, -__builtin_inff());
}

SIMD_INLINE struct part cross_entropy_max(struct part max, struct part x) {
    for (int k = 0; k < WAYS; k++) max.v[k] = vf_max(max.v[k], x.v[k]);
    return max;
}

/* Adds e^(x - origin), where x <= origin. Less than e^-87 counts as e^-87, which vanishes against the maximum's 1. A
 * lane without a maximum is multiplied by 0 in the end. */
SIMD_INLINE struct part cross_entropy_add(struct part sum, struct part x, vf origin) {
    for (int k = 0; k < WAYS; k++) sum.v[k] += vf_exp_bounded(vf_max(vf_all(-87), x.v[k] - origin));
    return sum;
}

SIMD_INLINE struct cross_entropy_lanes cross_entropy_block(struct cross_entropy_lanes s, const float *x,
                                                           int64_t count) {
    struct part max, sum = {{{0}}};
    for (int k = 0; k < WAYS; k++) max.v[k] = s.max;
    PARTS(0, count, 0, max = cross_entropy_max(max, cross_entropy_get(x, i, n)));
    vf top = max.v[0];
    for (int k = 1; k < WAYS; k++) top = vf_max(top, max.v[k]);
    const vf origin = cross_entropy_origin(top);
    PARTS(0, count, 0, {
        part_prefetch(KERNEL_F32, x, i + CE_BLOCK); /* the next block */
        sum = cross_entropy_add(sum, cross_entropy_get(x, i, n), origin);
    });
    return (struct cross_entropy_lanes){top, s.sum * vf_exp(s.max - origin) + part_sum(sum)};
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

/* e^x for x <= 0, to the accuracy that a gradient of dtype t can hold */
SIMD_INLINE vf cross_entropy_exp(enum kernel_dtype t, vf x) {
    return t == KERNEL_F32 ? vf_exp(x) : vf_exp_weight(x);
}

SIMD_INLINE void cross_entropy_grad_part(enum kernel_dtype t, const float *x, void *out, int64_t i, int64_t n,
                                         float max, float factor, bool stream) {
    struct part p = row_get(KERNEL_F32, x, i, n);
    part_prefetch(KERNEL_F32, x, i + PART_AHEAD);
    for (int k = 0; k < WAYS; k++) p.v[k] = cross_entropy_exp(t, p.v[k] - max) * factor;
    row_put(t, out, i, n, p, stream);
}

SIMD_INLINE void cross_entropy_grad_row(enum kernel_dtype t, const struct kernel_cross_entropy *e, int64_t r,
                                        bool stream) {
    const int64_t begin = r * e->ld, end = begin + e->vocab, target = e->targets[r] - e->first;
    const bool mine = target >= 0 && target < e->vocab;
    const float max = e->max[r], factor = e->scale / e->sum[r];
    const float logit = mine ? e->logits[begin + target] : 0; /* before a gradient in place overwrites it */
    PARTS(begin, end, part_head(t, e->dlogits, begin, e->vocab, stream),
          cross_entropy_grad_part(t, e->logits, e->dlogits, i, n, max, factor, stream));
    simd_stream_end(); /* before one of these elements is written again */
    if (mine)
        scalar_put(t, e->dlogits, begin + target, cross_entropy_exp(t, vf_all(logit - max))[0] * factor - e->scale);
}

void KERNEL_FN(cross_entropy_grad)(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
    const int64_t bytes = e->rows * e->vocab * (4 + (int64_t)kernel_dtype_bytes(e->dtype));
    const bool stream = e->dlogits != e->logits && part_streams(team, bytes);
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        if (e->dtype == KERNEL_F32)
            cross_entropy_grad_row(KERNEL_F32, e, r, stream);
        else
            cross_entropy_grad_row(KERNEL_BF16, e, r, stream);
        kernel_poll_row(team, r, e->vocab);
    }
}
