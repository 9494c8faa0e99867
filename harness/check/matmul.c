/* SPDX-License-Identifier: Apache-2.0
 *
 * Freivalds' check. A row's residual is its difference over what rounding explains. */
#include "check/matmul.h"

#include <math.h>

#include "base/random.h"
#include "check/matrix.h"
#include "check/rounding.h"

/* The error of an element is a random walk of roundings as long as the sum. Blocked sums have at most some tens of
 * units of the row's |A_i||B| if all terms have one sign. If signs vary, they have less than one unit. Storing adds at
 * most one unit of each element. With random signs that amounts to 0.4 of the row's norm, and to five times that at
 * most. */
#define MATMUL_UNITS 8.0
#define STORE_UNITS 1.0
/* The distance of denormal numbers of FP32, to which sums are rounded if they are that small: gradients of dead units
 * are. The BF16 dot of a CPU flushes denormal operands and results to 0 (kernels.h). */
#define DENORMAL 0x1p-149
#define FLUSHED 0x1p-126

static void signs(uint64_t seed, int64_t n, double *r) {
    for (int64_t i = 0; i < n; i += 128) {
        uint32_t words[4];
        base_random_words(seed, BASE_STREAM_GATE, (uint64_t)i, words);
        for (int64_t j = i; j < i + 128 && j < n; j++) r[j] = words[(j - i) / 32] >> ((j - i) % 32) & 1 ? 1 : -1;
    }
}

double check_freivalds(const struct kernel_team *team, const struct kernel_gemm *g, uint64_t seed, const double *before,
                       double *space) {
    double *r = space, *c_square = r + g->n, *br = c_square + g->m, *b_square = br + g->k, *abr = b_square + g->k;
    double *a_square = abr + g->m, *cr = a_square + g->m;
    double bias = 0, b_norm = 0, worst = 0;
    const double underflow = DENORMAL * sqrt((double)g->n) * ((double)g->k + (g->out == KERNEL_BF16 ? 0x1p16 : 1));
    const int64_t b_rows = g->b_trans ? g->n : g->k, b_cols = g->b_trans ? g->k : g->n;
    const int64_t a_rows = g->a_trans ? g->k : g->m, a_cols = g->a_trans ? g->m : g->k;
    signs(seed, g->n, r);
    check_matrix_apply(team, g->in, g->b, b_rows, b_cols, g->ldb, g->b_trans, r, br, b_square);
    check_matrix_apply(team, g->in, g->a, a_rows, a_cols, g->lda, g->a_trans, br, abr, a_square);
    check_matrix_apply(team, g->out, g->c, g->m, g->n, g->ldc, false, r, cr, c_square);
    for (int64_t i = 0; i < g->k; i++) b_norm += b_square[i];
    const double flushed = g->in == KERNEL_BF16 ? FLUSHED * sqrt((double)g->n * (double)g->k) : 0;
    const double of_b = flushed * (sqrt((double)g->k) + sqrt(b_norm));
    for (int64_t j = 0; g->bias && j < g->n; j++) bias += r[j] * check_matrix_at(g->in, g->bias, j);
    for (int64_t i = 0; i < g->m; i++) {
        double error = fabs(cr[i] - (abr[i] + bias + (before ? before[i] : 0)));
        double unit = MATMUL_UNITS * check_unit(KERNEL_F32) * sqrt(a_square[i] * b_norm) +
                      STORE_UNITS * check_unit(g->out) * sqrt(c_square[i]) + underflow + of_b +
                      flushed * sqrt(a_square[i]);
        double residual = error == 0 ? 0 : error / unit;
        if (!(residual <= worst)) worst = isnan(residual) ? INFINITY : residual;
    }
    return worst;
}

double check_gemm(const struct kernel_team *team, kernel_gemm_fn *gemm, const struct kernel_gemm *as,
                  const struct kernel_gemm *g, uint64_t seed, double *space) {
    double *before = space, *rest = before + g->m;
    if (g->d) { /* D r, before the call overwrites D if D is C */
        signs(seed, g->n, rest);
        check_matrix_apply(team, g->out, g->d, g->m, g->n, g->ldc, false, rest, before, NULL);
    }
    gemm(team, as);
    return check_freivalds(team, g, seed, g->d ? before : NULL, rest);
}
