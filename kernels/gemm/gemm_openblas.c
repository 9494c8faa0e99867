/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm by OpenBLAS, the backend for comparison, and FP64 for references. Only this file knows cblas.h. OpenBLAS
 * has FP32 only. BF16, a packed B and sizes beyond its 32 bits go to toise's best variant. It has its own threads, set
 * to the team's number. It cannot poll, so the poll comes before and after. */
#include <cblas.h>
#include <string.h>

#include "declare.h"
#include "split.h"

static bool fits(int64_t x) {
    return x > 0 && x <= INT32_MAX;
}

/* The caller's table with the backend TOISE, for the instruction set of its peak loop. */
static struct kernel_ops own_ops(const struct kernel_team *team) {
    const char *name = team->ops ? kernel_variant(team->ops, "peak") : NULL;
    enum kernel_isa isa = KERNEL_ISA_ref;
    struct kernel_ops own;
    for (enum kernel_isa i = KERNEL_ISA_ref; i < KERNEL_ISA_COUNT; i++)
        if (name && strcmp(name, kernel_isa_name(i)) == 0) isa = i;
    kernel_select(&own, name ? isa : kernel_isa_best(), KERNEL_BACKEND_TOISE);
    return own;
}

/* The epilogue as a separate pass: one call if C is contiguous, else row by row. */
static void pass_over(const struct kernel_team *team, const struct kernel_gemm *g) {
    const struct kernel_ops own = own_ops(team);
    const bool whole = g->ldc == g->n;
    const int64_t rows = whole ? 1 : g->m, n = whole ? g->m * g->n : g->n;
    for (int64_t i = 0; i < rows; i++) {
        float *c = (float *)g->c + i * g->ldc;
        if (g->epilogue == KERNEL_EPILOGUE_GELU)
            own.gelu_forward(team, KERNEL_F32, n, c, (float *)g->y + i * g->ldc);
        else
            own.gelu_backward(team, KERNEL_F32, n, (const float *)g->x + i * g->ldc, c, c);
    }
}

/* C = bias + D, to which sgemm then adds. If D is C, C already holds it. */
static void start_from(const struct kernel_team *team, const struct kernel_gemm *g) {
    const float *bias = g->bias, *d = g->d;
    float *c = g->c;
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(g->m, 1);
        for (int64_t i = rows.begin; i < rows.end; i++) {
            float *row = c + i * g->ldc;
            if (d && d != c) memcpy(row, d + i * g->ldc, (size_t)g->n * sizeof *row);
            if (bias && d)
                for (int64_t j = 0; j < g->n; j++) row[j] += bias[j];
            else if (bias)
                memcpy(row, bias, (size_t)g->n * sizeof *row);
        }
    }
}

void kernel_gemm_openblas(const struct kernel_team *team, const struct kernel_gemm *g) {
    static int threads_set;
    if (g->m <= 0 || g->n <= 0) return;
    if (g->in != KERNEL_F32 || g->b_packed || !fits(g->m) || !fits(g->n) || !fits(g->k) || !fits(g->lda) ||
        !fits(g->ldb) || !fits(g->ldc)) {
        own_ops(team).gemm(team, g);
        return;
    }
    if (threads_set != team->threads) openblas_set_num_threads(threads_set = team->threads);
    kernel_poll(team);
    const bool add = g->bias || g->d;
    if (g->bias || (g->d && g->d != g->c)) start_from(team, g);
    cblas_sgemm(CblasRowMajor, g->a_trans ? CblasTrans : CblasNoTrans, g->b_trans ? CblasTrans : CblasNoTrans,
                (blasint)g->m, (blasint)g->n, (blasint)g->k, 1.0f, g->a, (blasint)g->lda, g->b, (blasint)g->ldb,
                add ? 1.0f : 0.0f, g->c, (blasint)g->ldc);
    if (g->epilogue != KERNEL_EPILOGUE_NONE) pass_over(team, g);
    kernel_poll(team);
}

void kernel_reference_dgemm(bool a_trans, bool b_trans, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
                            const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    cblas_dgemm(CblasRowMajor, a_trans ? CblasTrans : CblasNoTrans, b_trans ? CblasTrans : CblasNoTrans, (blasint)m,
                (blasint)n, (blasint)k, 1.0, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

const char *kernel_openblas_config(void) {
    return openblas_get_config();
}

const char *kernel_openblas_core(void) {
    return openblas_get_corename();
}
