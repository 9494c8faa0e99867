/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks a matmul by Freivalds' method (Freivalds 1979): multiplies both sides by a vector of random signs, in FP64. */
#ifndef TOISE_CHECK_MATMUL_H
#define TOISE_CHECK_MATMUL_H

#include "kernels.h"

/* The residual of a matmul C = op(A) op(B) + bias + D that has run. Compares C r with op(A) (op(B) r) + ..., where r
 * holds random signs. Each row's difference is divided by what rounding explains. before: D r for each row, computed
 * before the call, if C accumulates; otherwise NULL. space: 4 (m + n + k) doubles. */
double check_freivalds(const struct kernel_team *team, const struct kernel_gemm *g, uint64_t seed, const double *before,
                       double *space);
/* Runs one matmul by `gemm` and returns its residual; C may be D. `as`: what gemm gets, either g itself or g with B
 * packed. space: 5 (m + n + k) doubles. */
double check_gemm(const struct kernel_team *team, kernel_gemm_fn *gemm, const struct kernel_gemm *as,
                  const struct kernel_gemm *g, uint64_t seed, double *space);

#endif
