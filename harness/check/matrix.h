/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads buffers of either dtype as FP64. */
#ifndef TOISE_CHECK_MATRIX_H
#define TOISE_CHECK_MATRIX_H

#include "kernels.h"

/* Element i of a buffer. */
double check_matrix_at(enum kernel_dtype dtype, const void *x, int64_t i);
/* Copies the first n elements to out. */
void check_matrix_row(enum kernel_dtype dtype, const void *x, int64_t n, double *out);
/* y[rows] = M x. If squares is not NULL, also each row's sum of squares. transposed: the same for M's transpose, with
 * y[cols]. M is stored as [rows, cols] with leading dimension ld. */
void check_matrix_apply(const struct kernel_team *team, enum kernel_dtype dtype, const void *m, int64_t rows,
                        int64_t cols, int64_t ld, bool transposed, const double *x, double *y, double *squares);

#endif
