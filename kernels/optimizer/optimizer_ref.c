/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain C of AdamW and of the sum of squares. */
#include <math.h>

#include "declare.h"
#include "optimizer/square_sum.h"
#include "scalar.h"
#include "split.h"

static void adamw_element(const struct kernel_adamw *a, int64_t i) {
    const float g = a->grad[i] * a->grad_scale;
    const float m = a->beta1 * a->m[i] + (1 - a->beta1) * g;
    const float v = a->beta2 * a->v[i] + (1 - a->beta2) * g * g;
    const float step = m / a->correction1 / (sqrtf(v / a->correction2) + a->eps);
    a->m[i] = m;
    a->v[i] = v;
    a->w[i] -= a->lr * (step + a->decay * a->w[i]);
    if (a->copy) a->copy[i] = scalar_narrow(a->w[i]);
}

void kernel_adamw_ref(const struct kernel_team *team, const struct kernel_adamw *a) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(a->n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) adamw_element(a, i);
    }
}

static double square_sum_block(int64_t n, const float *x) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sum;
}

double kernel_square_sum_ref(const struct kernel_team *team, int64_t n, const float *x) {
    return optimizer_square_sum(team, n, x, square_sum_block);
}
