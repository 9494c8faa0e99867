/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm by the OpenBLAS that toise is linked with, the backend for comparison, and FP64 for references. Only this
 * file knows cblas.h. OpenBLAS has FP32 only. It has its own threads, set to the team's number. */
#include <cblas.h>
#include <omp.h>

#include "declare.h"
#include "gemm/gemm_cblas.h"

static void sgemm(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const float *a, int lda,
                  const float *b, int ldb, float beta, float *c, int ldc) {
    cblas_sgemm((enum CBLAS_ORDER)order, (enum CBLAS_TRANSPOSE)a_trans, (enum CBLAS_TRANSPOSE)b_trans, m, n, k, alpha,
                a, lda, b, ldb, beta, c, ldc);
}

/* By default it takes a thread for each CPU of the machine, in each rank, whatever the ranks have. */
static void hold(int threads) {
    static int held;
    if (held != threads) openblas_set_num_threads(held = threads);
}

void kernel_gemm_openblas(const struct kernel_team *team, const struct kernel_gemm *g) {
    static const struct kernel_cblas openblas = {.sgemm = sgemm};
    hold(team->threads);
    kernel_gemm_by(team, g, &openblas);
}

void kernel_reference_dgemm(bool a_trans, bool b_trans, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
                            const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    hold(omp_get_max_threads());
    cblas_dgemm(CblasRowMajor, a_trans ? CblasTrans : CblasNoTrans, b_trans ? CblasTrans : CblasNoTrans, (blasint)m,
                (blasint)n, (blasint)k, 1.0, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

const char *kernel_openblas_config(void) {
    return openblas_get_config();
}

const char *kernel_openblas_core(void) {
    return openblas_get_corename();
}
