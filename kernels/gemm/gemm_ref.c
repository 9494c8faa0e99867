/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm in plain C, for reading rather than speed: any dtype, any layout, FP32 sums, k in order. */
#include "declare.h"
#include "gelu.inc.h"
#include "scalar.h"
#include "split.h"

enum { SUMS = 64 }; /* sums computed at a time, so that B is read along its rows if it is stored so */

/* sum[j] = row i of op(A) times column first + j of op(B). A packed B holds its columns, in FP32. */
static void sums_multiply(const struct kernel_gemm *g, int64_t i, int64_t first, int64_t count, float sum[SUMS]) {
    const enum kernel_dtype t = g->b_packed ? KERNEL_F32 : g->in;
    const int64_t b_row = g->b_packed || g->b_trans ? 1 : g->ldb;
    const int64_t b_column = g->b_packed ? g->k : g->b_trans ? g->ldb : 1;
    for (int64_t j = 0; j < count; j++) sum[j] = 0;
    for (int64_t p = 0; p < g->k; p++) {
        const float a = scalar_get(g->in, g->a, g->a_trans ? p * g->lda + i : i * g->lda + p);
        for (int64_t j = 0; j < count; j++) sum[j] += a * scalar_get(t, g->b, p * b_row + (first + j) * b_column);
    }
}

static void sums_epilogue(const struct kernel_gemm *g, int64_t i, int64_t first, int64_t count, float sum[SUMS]) {
    for (int64_t j = 0; j < count; j++) {
        const int64_t at = i * g->ldc + first + j;
        if (g->bias) sum[j] += scalar_get(g->in, g->bias, first + j);
        if (g->d) sum[j] += scalar_get(g->out, g->d, at);
        scalar_put(g->out, g->c, at, sum[j]);
        const double c = scalar_get(g->out, g->c, at); /* as it was stored */
        if (g->epilogue == KERNEL_EPILOGUE_GELU)
            scalar_put(g->out, g->y, at, (float)gelu_of(c));
        else if (g->epilogue == KERNEL_EPILOGUE_GELU_GRAD)
            scalar_put(g->out, g->c, at, (float)gelu_gradient(c, scalar_get(g->out, g->x, at)));
    }
}

void kernel_gemm_ref(const struct kernel_team *team, const struct kernel_gemm *g) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(g->m, 1);
        float sum[SUMS];
        for (int64_t i = rows.begin; i < rows.end; i++) {
            for (int64_t j = 0; j < g->n; j += SUMS) {
                const int64_t count = g->n - j < SUMS ? g->n - j : SUMS;
                sums_multiply(g, i, j, count, sum);
                sums_epilogue(g, i, j, count, sum);
            }
            kernel_poll(team);
        }
    }
}

void kernel_gemm_pack_ref(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t j = 0; j < g->n; j++) {
        for (int64_t p = 0; p < g->k; p++)
            ((float *)packed)[j * g->k + p] = scalar_get(g->in, g->b, g->b_trans ? j * g->ldb + p : p * g->ldb + j);
        kernel_poll_row(team, j, g->k);
    }
}

/* No blocking: SUMS sums at a time, from B in place or its packed columns. */
void kernel_gemm_blocking_ref(const struct kernel_caches *caches, enum kernel_dtype in, struct kernel_blocking *b) {
    (void)caches, (void)in;
    *b = (struct kernel_blocking){
        .variant = "ref", .mr = 1, .nr = 1, .lanes = 1, .numbers = 1, .kc = 1, .mc = 1, .nc_long = 1, .nc_short = 1};
}
