/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm in plain C, to be read rather than to be fast: any dtype, any layout, FP32 sums, k in order. */
#include "../declare.h"
#include "../scalar.h"
#include "../split.h"

enum { STRIP = 64 }; /* sums kept at a time, so that B is read along its rows where it has them */

/* sum[j] = row i of op(A) times column first + j of op(B) */
static void strip_multiply(const struct kernel_gemm *g, int64_t i, int64_t first, int64_t count, float sum[STRIP]) {
    const int64_t b_row = g->b_trans ? 1 : g->ldb, b_column = g->b_trans ? g->ldb : 1;
    for (int64_t j = 0; j < count; j++) sum[j] = 0;
    for (int64_t p = 0; p < g->k; p++) {
        const float a = scalar_get(g->in, g->a, g->a_trans ? p * g->lda + i : i * g->lda + p);
        for (int64_t j = 0; j < count; j++) sum[j] += a * scalar_get(g->in, g->b, p * b_row + (first + j) * b_column);
    }
}

static void strip_finish(const struct kernel_gemm *g, int64_t i, int64_t first, int64_t count, float sum[STRIP]) {
    for (int64_t j = 0; j < count; j++) {
        const int64_t at = i * g->ldc + first + j;
        if (g->bias) sum[j] += scalar_get(g->in, g->bias, first + j);
        if (g->d) sum[j] += scalar_get(g->out, g->d, at);
        scalar_put(g->out, g->c, at, sum[j]);
    }
}

void kernel_gemm_ref(const struct kernel_team *team, const struct kernel_gemm *g) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(g->m, 1);
        float sum[STRIP];
        for (int64_t i = rows.begin; i < rows.end; i++) {
            for (int64_t j = 0; j < g->n; j += STRIP) {
                const int64_t count = g->n - j < STRIP ? g->n - j : STRIP;
                strip_multiply(g, i, j, count, sum);
                strip_finish(g, i, j, count, sum);
            }
            kernel_poll(team);
        }
    }
}
