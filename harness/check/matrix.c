/* SPDX-License-Identifier: Apache-2.0
 *
 * FP64 products of a matrix of either dtype with a vector; the team shares its rows or columns. */
#include "check/matrix.h"

#include <string.h>

double check_matrix_at(enum kernel_dtype dtype, const void *x, int64_t i) {
    if (dtype == KERNEL_F32) return ((const float *)x)[i];
    uint32_t bits = (uint32_t)((const kernel_bf16 *)x)[i] << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

void check_matrix_row(enum kernel_dtype dtype, const void *x, int64_t n, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = check_matrix_at(dtype, x, i);
}

void check_matrix_apply(const struct kernel_team *team, enum kernel_dtype dtype, const void *m, int64_t rows,
                        int64_t cols, int64_t ld, bool transposed, const double *x, double *y, double *squares) {
    enum { BLOCK = 256 };
    if (!transposed) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
        for (int64_t i = 0; i < rows; i++) {
            double sum = 0, square = 0;
            for (int64_t j = 0; j < cols; j++) {
                double a = check_matrix_at(dtype, m, i * ld + j);
                sum += a * x[j];
                square += a * a;
            }
            y[i] = sum;
            if (squares) squares[i] = square;
        }
        return;
    }
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t block = 0; block < (cols + BLOCK - 1) / BLOCK; block++) {
        const int64_t first = block * BLOCK, last = first + BLOCK < cols ? first + BLOCK : cols;
        for (int64_t j = first; j < last; j++) y[j] = 0;
        for (int64_t j = first; squares && j < last; j++) squares[j] = 0;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = first; j < last; j++) {
                double a = check_matrix_at(dtype, m, i * ld + j);
                y[j] += a * x[i];
                if (squares) squares[j] += a * a;
            }
    }
}
