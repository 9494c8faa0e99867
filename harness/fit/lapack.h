/* SPDX-License-Identifier: Apache-2.0
 *
 * What this room calls of LAPACK, as OpenBLAS brings it. Matrices are stored by columns. */
#ifndef TOISE_FIT_LAPACK_H
#define TOISE_FIT_LAPACK_H

/* Solves A X = B, A symmetric positive definite, columns of A by `lda`; *info is 0 when it could. */
void dposv_(const char *uplo, const int *n, const int *nrhs, double *a, const int *lda, double *b, const int *ldb,
            int *info);

#endif
