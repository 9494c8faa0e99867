/* SPDX-License-Identifier: Apache-2.0
 *
 * What positions are made of, where no parameter holds them: ALiBi's slopes and rotary angles. */
#ifndef TOISE_MODEL_POSITION_H
#define TOISE_MODEL_POSITION_H

#include "model/config.h"

/* slopes[heads] of ALiBi (Press et al. 2022): 2^(-8/n), 2^(-16/n), ... for n heads where n is a power of two; else
 * those of the largest power of two below, then every second one of twice as many, from the first. */
void model_position_slopes(int64_t heads, float *slopes);
/* Cosines and sines of positions first .. first+count-1, [count, head_dim / 2] each; angles in FP64. */
void model_position_angles(const struct model_config *config, int64_t first, int64_t count, float *cosines,
                           float *sines);

#endif
