/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers of either dtype read as FP64. */
#ifndef TOISE_CHECK_MATRIX_H
#define TOISE_CHECK_MATRIX_H

#include "kernels.h"

/* Element i of a buffer. */
double check_matrix_at(enum kernel_dtype dtype, const void *x, int64_t i);
/* Its first n elements. */
void check_matrix_row(enum kernel_dtype dtype, const void *x, int64_t n, double *out);
/* y[rows] = M x and, when squares is not NULL, each row's sum of squares; transposed: of M's transpose.
 * M is stored [rows, cols] with leading dimension ld; y has cols entries when transposed. */
void check_matrix_apply(const struct kernel_team *team, enum kernel_dtype dtype, const void *m, int64_t rows,
                        int64_t cols, int64_t ld, bool transposed, const double *x, double *y, double *squares);

#endif
