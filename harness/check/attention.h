/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks an attention call: recomputes a few sampled rows of its results in FP64, by the definition. */
#ifndef TOISE_CHECK_ATTENTION_H
#define TOISE_CHECK_ATTENTION_H

#include "kernels.h"

/* The worst residual of a few sampled rows of an attention call that ran by ops. space: 2 seq + 8 head_dim doubles.
 * before: what those rows were if the call adds to them, from check_attention_before with the same seed; else NULL. */
double check_attention_forward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                               const double *before, double *space);
double check_attention_backward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                                const double *before, double *space);
/* before: CHECK_ATTENTION_ROWS * (head_dim + 1) doubles. */
enum { CHECK_ATTENTION_ROWS = 18 };
void check_attention_before(const struct kernel_attention *a, bool backward, uint64_t seed, double *before);

#endif
