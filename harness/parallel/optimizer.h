/* SPDX-License-Identifier: Apache-2.0
 *
 * How a step changes the weights: AdamW with clipping by the global norm, linear warm-up and cosine decay. */
#ifndef TOISE_PARALLEL_OPTIMIZER_H
#define TOISE_PARALLEL_OPTIMIZER_H

#include <stdint.h>

struct parallel_optimizer {
    double lr, lr_min;     /* highest, and what the cosine ends at */
    int64_t warmup, total; /* steps: of warm-up, and where the cosine ends */
    double beta1, beta2, eps, decay;
    double clip; /* largest norm of the gradient; 0: no clipping */
};

/* Radford et al. (GPT-2 leaves them out; these are GPT-3's, Brown et al. 2020, appendix B): beta 0.9 and 0.95,
 * eps 1e-8, decay 0.1, clip 1; lr 6e-4 falling to a tenth. */
struct parallel_optimizer parallel_optimizer_default(void);
/* Learning rate of step 0, 1, ...: lr (step + 1) / warmup during warm-up, then the cosine, then lr_min. */
double parallel_optimizer_lr(const struct parallel_optimizer *o, int64_t step);
/* What the gradient is multiplied by: min(1, clip / norm). */
double parallel_optimizer_scale(const struct parallel_optimizer *o, double norm);

#endif
