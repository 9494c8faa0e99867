/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a matmul right? Freivalds' check (Freivalds 1979): both sides times a vector of random signs, in FP64. */
#ifndef TOISE_CHECK_MATMUL_H
#define TOISE_CHECK_MATMUL_H

#include "kernels.h"

/* The residual of one matmul C = op(A) op(B) + bias + D that has run, by Freivalds' check: C r against
 * op(A) (op(B) r) + ..., r random signs, each row's difference over what rounding explains of it. before: D r per
 * row, taken before the call where C accumulates; NULL otherwise. space: 4 (m + n + k) doubles. */
double check_freivalds(const struct kernel_team *team, const struct kernel_gemm *g, uint64_t seed, const double *before,
                       double *space);
/* Runs one matmul by `gemm`, where C may be D, and returns its residual. `as` is what gemm gets: g itself, or the same
 * with B packed. space: 5 (m + n + k) doubles. */
double check_gemm(const struct kernel_team *team, kernel_gemm_fn *gemm, const struct kernel_gemm *as,
                  const struct kernel_gemm *g, uint64_t seed, double *space);

#endif
