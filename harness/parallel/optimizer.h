/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of the optimizer: AdamW, clipping by the global norm, linear warm-up and cosine decay; and the rule of
 * routers' biases. */
#ifndef TOISE_PARALLEL_OPTIMIZER_H
#define TOISE_PARALLEL_OPTIMIZER_H

#include <stdint.h>

struct parallel_optimizer {
    double lr, lr_min;     /* highest, and where the cosine ends */
    int64_t warmup, total; /* steps of warm-up; step at which the cosine ends */
    double beta1, beta2, eps, decay;
    double clip; /* largest gradient norm; 0: no clipping */
};

/* GPT-3's values (Brown et al. 2020, appendix B): beta 0.9 and 0.95, eps 1e-8, decay 0.1, clip 1, lr 6e-4 falling to a
 * tenth. GPT-2's paper (Radford et al.) gives none. */
struct parallel_optimizer parallel_optimizer_default(void);
/* The learning rate of step 0, 1, ...: lr (step + 1) / warmup during warm-up, then the cosine, then lr_min. */
double parallel_optimizer_lr(const struct parallel_optimizer *o, int64_t step);
/* The factor for the gradient: min(1, clip / norm). */
double parallel_optimizer_scale(const struct parallel_optimizer *o, double norm);

/* Routers' biases b[n], of experts that got rows[n]: up by the rate where that is less than the mean, down where it is
 * more. The rate is DeepSeek-V3's (DeepSeek-AI 2024, section 4.2). */
#define PARALLEL_BIAS_RATE 1e-3
void parallel_optimizer_bias(int64_t n, const float *rows, double mean, float *b);

#endif
