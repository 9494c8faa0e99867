/* SPDX-License-Identifier: Apache-2.0
 *
 * The learning-rate schedule, gradient clipping, and the rule of routers' biases. */
#include "parallel/optimizer.h"

#include <math.h>

struct parallel_optimizer parallel_optimizer_default(void) {
    return (struct parallel_optimizer){.lr = 6e-4,
                                       .lr_min = 6e-5,
                                       .warmup = 10,
                                       .total = 1000,
                                       .beta1 = 0.9,
                                       .beta2 = 0.95,
                                       .eps = 1e-8,
                                       .decay = 0.1,
                                       .clip = 1.0};
}

double parallel_optimizer_lr(const struct parallel_optimizer *o, int64_t step) {
    if (step < o->warmup) return o->lr * (double)(step + 1) / (double)o->warmup;
    if (step >= o->total) return o->lr_min;
    double progress = (double)(step - o->warmup) / (double)(o->total - o->warmup);
    return o->lr_min + 0.5 * (1 + cos(M_PI * progress)) * (o->lr - o->lr_min);
}

double parallel_optimizer_scale(const struct parallel_optimizer *o, double norm) {
    return o->clip > 0 && norm > o->clip ? o->clip / norm : 1.0;
}

void parallel_optimizer_bias(int64_t n, const float *rows, double mean, float *b) {
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] < mean) b[i] += (float)PARALLEL_BIAS_RATE;
        if (rows[i] > mean) b[i] -= (float)PARALLEL_BIAS_RATE;
    }
}
