/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions that are computed, not learned: ALiBi's slopes and rotary angles. */
#ifndef TOISE_MODEL_POSITION_H
#define TOISE_MODEL_POSITION_H

#include "model/config.h"

/* The slopes of heads first .. first + count - 1 of ALiBi (Press et al. 2022). For n heads, n a power of two: 2^(-8/n),
 * 2^(-16/n), ... Else n is the largest power of two below: its slopes come first, then every second slope of 2n heads,
 * from the first. */
void model_position_slopes(int64_t heads, int64_t first, int64_t count, float *slopes);
/* Cosines and sines of positions first .. first+count-1, [count, head_dim / 2] each. Angles are computed in FP64. */
void model_position_angles(const struct model_config *config, int64_t first, int64_t count, float *cosines,
                           float *sines);

#endif
