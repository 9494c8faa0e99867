/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks an attention call: recomputes a few sampled rows of its results in FP64, by the definition. */
#ifndef TOISE_CHECK_ATTENTION_H
#define TOISE_CHECK_ATTENTION_H

#include "kernels.h"

/* The worst residual of a few sampled rows of an attention call that ran by ops. space: 2 seq + 8 head_dim doubles. */
double check_attention_forward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                               double *space);
double check_attention_backward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                                double *space);

#endif
