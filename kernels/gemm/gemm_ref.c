/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm in plain C, to be read rather than to be fast: any dtype, any layout, FP32 sums, k in order. */
#include "../declare.h"
#include "../scalar.h"
#include "../split.h"

/* op(A)[i, p] and op(B)[p, j] by their distances between rows and between columns */
static float product_sum(const struct kernel_gemm *g, int64_t i, int64_t j) {
    const int64_t a_row = g->a_trans ? 1 : g->lda, a_col = g->a_trans ? g->lda : 1;
    const int64_t b_row = g->b_trans ? 1 : g->ldb, b_col = g->b_trans ? g->ldb : 1;
    float sum = 0;
    for (int64_t p = 0; p < g->k; p++)
        sum += scalar_get(g->in, g->a, i * a_row + p * a_col) * scalar_get(g->in, g->b, p * b_row + j * b_col);
    return sum;
}

void kernel_gemm_ref(const struct kernel_team *team, const struct kernel_gemm *g) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(g->m, 1);
        for (int64_t i = rows.begin; i < rows.end; i++) {
            for (int64_t j = 0; j < g->n; j++) {
                float sum = product_sum(g, i, j);
                if (g->bias) sum += scalar_get(g->in, g->bias, j);
                if (g->d) sum += scalar_get(g->out, g->d, i * g->ldc + j);
                scalar_put(g->out, g->c, i * g->ldc + j, sum);
            }
            kernel_poll(team);
        }
    }
}
