/* SPDX-License-Identifier: Apache-2.0
 *
 * AdamW in one pass over memory (16 bytes an element read, 12 or 14 written), and the sum of squares. The including
 * file defines KERNEL_LANES and KERNEL_FN(op). */
#include "declare.h"
#include "optimizer/square_sum.h"
#include "simd.inc.h"
#include "split.h"

struct adamw_state {
    vf w, m, v;
};

SIMD_INLINE struct adamw_state adamw_step(const struct kernel_adamw *a, struct adamw_state s, vf grad) {
    const vf g = grad * a->grad_scale;
    s.m = a->beta1 * s.m + (1 - a->beta1) * g;
    s.v = a->beta2 * s.v + (1 - a->beta2) * g * g;
    const vf root = vf_sqrt(s.v * (1 / a->correction2)) + a->eps;
    s.w -= a->lr * (s.m * (1 / a->correction1) / root + a->decay * s.w);
    return s;
}

/* Scalars are passed by value, so that stores cannot alias them. */
static void adamw_block(struct kernel_adamw a, struct kernel_range b) {
    int64_t i = b.begin;
    for (; i + KERNEL_LANES <= b.end; i += KERNEL_LANES) {
        struct adamw_state s = {vf_load(a.w + i), vf_load(a.m + i), vf_load(a.v + i)};
        s = adamw_step(&a, s, vf_load(a.grad + i));
        vf_store(a.w + i, s.w);
        vf_store(a.m + i, s.m);
        vf_store(a.v + i, s.v);
        if (a.copy) vf_store_bf16(a.copy + i, s.w);
    }
    if (i < b.end) {
        const int64_t n = b.end - i;
        struct adamw_state s = {vf_get_n(KERNEL_F32, a.w, i, n), vf_get_n(KERNEL_F32, a.m, i, n),
                                vf_get_n(KERNEL_F32, a.v, i, n)};
        s = adamw_step(&a, s, vf_get_n(KERNEL_F32, a.grad, i, n));
        vf_put_n(KERNEL_F32, a.w, i, n, s.w);
        vf_put_n(KERNEL_F32, a.m, i, n, s.m);
        vf_put_n(KERNEL_F32, a.v, i, n, s.v);
        if (a.copy) vf_put_n(KERNEL_BF16, a.copy, i, n, s.w);
    }
}

void KERNEL_FN(adamw)(const struct kernel_team *team, const struct kernel_adamw *a) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(a->n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            adamw_block(*a, b);
    }
}

/* Half a vector of floats widens to a full vector of doubles. */
enum { SQUARE_LANES = KERNEL_LANES / 2, SQUARE_WAYS = 4, SQUARE_STEP = 2 * SQUARE_LANES };
typedef double vd __attribute__((vector_size(8 * SQUARE_LANES)));
typedef float vf_half __attribute__((vector_size(4 * SQUARE_LANES), aligned(4), may_alias));

SIMD_INLINE vd square_half(const float *x) {
    const vd d = __builtin_convertvector(*(const vf_half *)x, vd);
    return d * d;
}

/* Reading several streams at once keeps more cache misses in flight than reading one. */
static double square_sum_block(int64_t n, const float *x) {
    vd s[SQUARE_WAYS][2] = {{{0}}};
    const int64_t part = n / SQUARE_WAYS / SQUARE_STEP * SQUARE_STEP;
    for (int64_t i = 0; i < part; i += SQUARE_STEP)
        for (int w = 0; w < SQUARE_WAYS; w++) {
            s[w][0] += square_half(x + w * part + i);
            s[w][1] += square_half(x + w * part + i + SQUARE_LANES);
        }
    const vd lanes = ((s[0][0] + s[1][0]) + (s[2][0] + s[3][0])) + ((s[0][1] + s[1][1]) + (s[2][1] + s[3][1]));
    double sum = 0;
    for (int l = 0; l < SQUARE_LANES; l++) sum += lanes[l];
    for (int64_t i = SQUARE_WAYS * part; i < n; i++) sum += (double)x[i] * x[i];
    return sum;
}

double KERNEL_FN(square_sum)(const struct kernel_team *team, int64_t n, const float *x) {
    return optimizer_square_sum(team, n, x, square_sum_block);
}
