/* SPDX-License-Identifier: Apache-2.0
 *
 * The LAPACK function that this room uses, from OpenBLAS. Matrices are stored by columns. */
#ifndef TOISE_FIT_LAPACK_H
#define TOISE_FIT_LAPACK_H

/* Solves A X = B for a symmetric positive definite A with leading dimension `lda`. *info is 0 on success. */
void dposv_(const char *uplo, const int *n, const int *nrhs, double *a, const int *lda, double *b, const int *ldb,
            int *info);

#endif
