/* SPDX-License-Identifier: Apache-2.0
 *
 * Freivalds' check (Freivalds 1979) of every matmul that passes, by FP64 matrix-vector products. */
#include "run/gate_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* An element's error is a random walk of roundings as long as the sum; blocked sums stay under some tens of
 * units of |A_i||B|, the row's share, where all terms have one sign, and under one where signs vary. Storing rounds
 * every element by at most one unit of itself: with random signs 0.4 of the row's norm, five times that at most. */
#define MATMUL_UNITS 8.0
#define STORE_UNITS 1.0
#define ATTENTION_UNITS 1.0 /* gate_attention.c counts every term of the sums */

double run_matrix_at(enum kernel_dtype dtype, const void *x, int64_t i) {
    if (dtype == KERNEL_F32) return ((const float *)x)[i];
    uint32_t bits = (uint32_t)((const kernel_bf16 *)x)[i] << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

void run_matrix_row(enum kernel_dtype dtype, const void *x, int64_t n, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = run_matrix_at(dtype, x, i);
}

void run_weights_read(void *context, int64_t offset, int64_t count, double *out) {
    const struct parallel_engine *g = context;
    const void *w = g->half ? (const void *)(g->half + offset) : g->master + offset;
    run_matrix_row(g->plan->shape.dtype, w, count, out);
}

void run_matrix_apply(const struct kernel_team *team, enum kernel_dtype dtype, const void *m, int64_t rows,
                      int64_t cols, int64_t ld, bool transposed, const double *x, double *y, double *squares) {
    enum { BLOCK = 256 };
    if (!transposed) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
        for (int64_t i = 0; i < rows; i++) {
            double sum = 0, square = 0;
            for (int64_t j = 0; j < cols; j++) {
                double a = run_matrix_at(dtype, m, i * ld + j);
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
                double a = run_matrix_at(dtype, m, i * ld + j);
                y[j] += a * x[i];
                if (squares) squares[j] += a * a;
            }
    }
}

static void signs(uint64_t seed, int64_t n, double *r) {
    for (int64_t i = 0; i < n; i += 128) {
        uint32_t words[4];
        base_random_words(seed, BASE_STREAM_GATE, (uint64_t)i, words);
        for (int64_t j = i; j < i + 128 && j < n; j++) r[j] = words[(j - i) / 32] >> ((j - i) % 32) & 1 ? 1 : -1;
    }
}

double run_freivalds(const struct kernel_team *team, const struct kernel_gemm *g, uint64_t seed, const double *before,
                     double *space) {
    double *r = space, *c_square = r + g->n, *br = c_square + g->m, *b_square = br + g->k, *abr = b_square + g->k;
    double *a_square = abr + g->m, *cr = a_square + g->m;
    double bias = 0, b_norm = 0, worst = 0;
    const int64_t b_rows = g->b_trans ? g->n : g->k, b_cols = g->b_trans ? g->k : g->n;
    const int64_t a_rows = g->a_trans ? g->k : g->m, a_cols = g->a_trans ? g->m : g->k;
    signs(seed, g->n, r);
    run_matrix_apply(team, g->in, g->b, b_rows, b_cols, g->ldb, g->b_trans, r, br, b_square);
    run_matrix_apply(team, g->in, g->a, a_rows, a_cols, g->lda, g->a_trans, br, abr, a_square);
    run_matrix_apply(team, g->out, g->c, g->m, g->n, g->ldc, false, r, cr, c_square);
    for (int64_t i = 0; i < g->k; i++) b_norm += b_square[i];
    for (int64_t j = 0; g->bias && j < g->n; j++) bias += r[j] * run_matrix_at(g->in, g->bias, j);
    for (int64_t i = 0; i < g->m; i++) {
        double error = fabs(cr[i] - (abr[i] + bias + (before ? before[i] : 0)));
        double unit = MATMUL_UNITS * run_unit(KERNEL_F32) * sqrt(a_square[i] * b_norm) +
                      STORE_UNITS * run_unit(g->out) * sqrt(c_square[i]);
        double residual = error == 0 ? 0 : error / unit;
        if (!(residual <= worst)) worst = isnan(residual) ? INFINITY : residual;
    }
    return worst;
}

double run_gemm_residual(const struct kernel_team *team, kernel_gemm_fn *gemm, const struct kernel_gemm *as,
                         const struct kernel_gemm *g, uint64_t seed, double *space) {
    double *before = space, *rest = before + g->m;
    if (g->d) { /* D r, before the call overwrites D where it is C */
        signs(seed, g->n, rest);
        run_matrix_apply(team, g->out, g->d, g->m, g->n, g->ldc, false, rest, before, NULL);
    }
    gemm(team, as);
    return run_freivalds(team, g, seed, g->d ? before : NULL, rest);
}

/* Whether the rows of C or y are those of `plain`, bit for bit. */
static bool same_rows(const struct kernel_gemm *g, const void *x, const void *plain) {
    const size_t size = kernel_dtype_bytes(g->out);
    for (int64_t i = 0; i < g->m; i++) {
        const size_t at = (size_t)(i * g->ldc) * size;
        if (memcmp((const char *)x + at, (const char *)plain + at, (size_t)g->n * size)) return false;
    }
    return true;
}

/* The residual of a matmul in which GELU rides, or infinity: it must have given the bits of the plain matmul and the
 * pass after it. The gradient's plain matmul is done again, into s->plain. */
static double riding_residual(const struct kernel_team *team, struct run_checked *s, const struct kernel_gemm *g) {
    const int64_t n = (g->m - 1) * g->ldc + g->n; /* from C's first element to its last */
    const uint64_t seed = s->calls++;
    struct kernel_gemm plain = *g;
    if ((size_t)n * kernel_dtype_bytes(g->out) > s->plain_bytes || g->d == g->c) return INFINITY;
    if (g->epilogue == KERNEL_EPILOGUE_GELU) {
        const double residual = run_gemm_residual(team, s->inner->gemm, g, g, seed, s->space);
        s->inner->gelu_forward(team, g->out, n, g->c, s->plain);
        return same_rows(g, g->y, s->plain) ? residual : INFINITY;
    }
    s->inner->gemm(team, g);
    plain.epilogue = KERNEL_EPILOGUE_NONE, plain.c = s->plain;
    const double residual = run_gemm_residual(team, s->inner->gemm, &plain, &plain, seed, s->space);
    s->inner->gelu_backward(team, g->out, n, g->x, s->plain, s->plain);
    return same_rows(g, g->c, s->plain) ? residual : INFINITY;
}

static void checked_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    static const char *const riders[] = {[KERNEL_EPILOGUE_NONE] = "",
                                         [KERNEL_EPILOGUE_GELU] = " and GELU",
                                         [KERNEL_EPILOGUE_GELU_GRAD] = " and GELU's gradient"};
    struct run_checked *s = team->wrapper;
    char where[96];
    snprintf(where, sizeof where, "%c%c %lld x %lld x %lld%s", g->a_trans ? 'T' : 'N', g->b_trans ? 'T' : 'N',
             (long long)g->m, (long long)g->n, (long long)g->k, riders[g->epilogue]);
    run_gate_note(s->gate, RUN_MATMUL,
                  g->epilogue == KERNEL_EPILOGUE_NONE
                      ? run_gemm_residual(team, s->inner->gemm, g, g, s->calls++, s->space)
                      : riding_residual(team, s, g),
                  where);
}

static void checked_attention_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct run_checked *s = team->wrapper;
    s->inner->attention_forward(team, a);
    run_gate_note(s->gate, RUN_ATTENTION, run_attention_forward_residual(a, s->calls++, s->space) / ATTENTION_UNITS,
                  "forward");
}
static void checked_attention_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct run_checked *s = team->wrapper;
    s->inner->attention_backward(team, a);
    run_gate_note(s->gate, RUN_ATTENTION, run_attention_backward_residual(a, s->calls++, s->space) / ATTENTION_UNITS,
                  "backward");
}

int run_checked_open(struct run_checked *s, struct run_gate *gate, struct parallel_engine *g, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    const int64_t tokens = g->plan->shape.batch * g->plan->shape.seq, most = c->vocab > c->ffn ? c->vocab : c->ffn;
    const int64_t qkv = model_config_dim(c, MODEL_QKV), longest = (most > qkv ? most : qkv) + tokens;
    memset(s, 0, sizeof *s);
    s->plain_bytes = c->family->gated ? 0 : (size_t)(tokens * c->ffn) * kernel_dtype_bytes(g->plan->shape.dtype);
    s->space = malloc((size_t)(8 * longest) * sizeof *s->space);
    s->plain = s->plain_bytes ? malloc(s->plain_bytes) : NULL;
    if (!s->space || (s->plain_bytes && !s->plain)) {
        free(s->space), free(s->plain);
        return base_fail(e, BASE_BROKEN, "out of memory for the gate's vectors");
    }
    s->gate = gate;
    s->inner = g->team.ops;
    s->ops = *s->inner;
    s->ops.gemm = checked_gemm;
    s->ops.attention_forward = checked_attention_forward;
    s->ops.attention_backward = checked_attention_backward;
    g->team.ops = &s->ops;
    g->team.inner = s->inner;
    g->team.wrapper = s;
    return BASE_OK;
}

void run_checked_close(struct run_checked *s, struct parallel_engine *g) {
    g->team.ops = s->inner;
    g->team.inner = NULL;
    g->team.wrapper = NULL;
    free(s->space);
    free(s->plain);
}
