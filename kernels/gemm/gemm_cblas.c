/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm by a CBLAS library. A packed B, sizes beyond its 32 bits, and BF16 if it has none, go to toise's best
 * variant. The library has its own threads, and it cannot poll, so the poll comes before and after. */
#include <string.h>

#include "declare.h"
#include "gemm/gemm_cblas.h"
#include "scalar.h"
#include "split.h"

enum { ROW_MAJOR = 101, AS_STORED = 111, TRANSPOSED = 112 }; /* CBLAS_ORDER and CBLAS_TRANSPOSE */

/* Rows first .. first + count of C, on the way to it: C itself if it is FP32, else scratch memory. */
struct strip {
    int64_t first, count, ld;
    float *sum;
};

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

/* Element (row, 0) of a matrix with C's dtype and leading dimension. */
static void *row_of(const struct kernel_gemm *g, const void *matrix, int64_t row) {
    return (char *)(uintptr_t)matrix + (size_t)(row * g->ldc) * kernel_dtype_bytes(g->out);
}

/* The epilogue as a separate pass: one call if C is contiguous, else row by row. */
static void pass_over(const struct kernel_team *team, const struct kernel_gemm *g) {
    const struct kernel_ops own = own_ops(team);
    const bool whole = g->ldc == g->n;
    const int64_t rows = whole ? 1 : g->m, n = whole ? g->m * g->n : g->n;
    for (int64_t i = 0; i < rows; i++) {
        void *c = row_of(g, g->c, i);
        if (g->epilogue == KERNEL_EPILOGUE_GELU)
            own.gelu_forward(team, g->out, n, c, row_of(g, g->y, i));
        else
            own.gelu_backward(team, g->out, n, row_of(g, g->x, i), c, c);
    }
}

/* sum = bias + D, to which the library then adds. If D is an FP32 C, it is there already. */
static void start_from(const struct kernel_team *team, const struct kernel_gemm *g, const struct strip *s) {
    const bool copied = g->d && g->out == KERNEL_F32, there = copied && g->d == g->c;
    if (there && !g->bias) return;
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range rows = kernel_share(s->count, 1);
        for (int64_t i = rows.begin; i < rows.end; i++) {
            const void *d = g->d ? row_of(g, g->d, s->first + i) : NULL;
            float *row = s->sum + i * s->ld;
            if (copied && !there) memcpy(row, d, (size_t)g->n * sizeof *row);
            for (int64_t j = 0; j < g->n && !copied; j++) row[j] = d ? scalar_get(g->out, d, j) : 0;
            for (int64_t j = 0; j < g->n && g->bias; j++) row[j] += scalar_get(g->in, g->bias, j);
        }
    }
}

static void call(const struct kernel_gemm *g, const struct strip *s, const struct kernel_cblas *library) {
    const int a_trans = g->a_trans ? TRANSPOSED : AS_STORED, b_trans = g->b_trans ? TRANSPOSED : AS_STORED;
    const int m = (int)s->count, n = (int)g->n, k = (int)g->k, lda = (int)g->lda, ldb = (int)g->ldb;
    const int64_t from = s->first * (g->a_trans ? 1 : g->lda);
    const float beta = g->bias || g->d ? 1 : 0;
    if (g->in == KERNEL_F32)
        library->sgemm(ROW_MAJOR, a_trans, b_trans, m, n, k, 1, (const float *)g->a + from, lda, g->b, ldb, beta,
                       s->sum, (int)s->ld);
    else
        library->sbgemm(ROW_MAJOR, a_trans, b_trans, m, n, k, 1, (const kernel_bf16 *)g->a + from, lda, g->b, ldb, beta,
                        s->sum, (int)s->ld);
}

/* Sums in FP32 are written to C. Those of a BF16 C are rounded from scratch memory, as many rows at a time as it
 * holds. */
static void multiply(const struct kernel_team *team, const struct kernel_gemm *g, const struct kernel_cblas *library) {
    const bool rounds = g->out == KERNEL_BF16, whole = g->ldc == g->n;
    const int64_t most = rounds ? (int64_t)(team->scratch_bytes / sizeof(float)) / g->n : g->m;
    struct strip s = {.ld = rounds ? g->n : g->ldc, .sum = rounds ? team->scratch : g->c};
    for (; s.first < g->m; s.first += s.count) {
        s.count = g->m - s.first < most ? g->m - s.first : most;
        if (g->bias || g->d) start_from(team, g, &s);
        call(g, &s, library);
        const struct kernel_ops own = own_ops(team);
        for (int64_t i = 0; i < (whole ? 1 : s.count) && rounds; i++)
            own.to_bf16(team, whole ? s.count * g->n : g->n, s.sum + i * s.ld, row_of(g, g->c, s.first + i));
    }
}

void kernel_gemm_by(const struct kernel_team *team, const struct kernel_gemm *g, const struct kernel_cblas *library) {
    const bool has = g->in == KERNEL_F32 || library->sbgemm, rounds = g->out == KERNEL_BF16;
    if (g->m <= 0 || g->n <= 0) return;
    if (!has || g->b_packed || !fits(g->m) || !fits(g->n) || !fits(g->k) || !fits(g->lda) || !fits(g->ldb) ||
        !fits(g->ldc) || (rounds && team->scratch_bytes / sizeof(float) < (size_t)g->n)) {
        own_ops(team).gemm(team, g);
        return;
    }
    kernel_poll(team);
    multiply(team, g, library);
    if (g->epilogue != KERNEL_EPILOGUE_NONE) pass_over(team, g);
    kernel_poll(team);
}

void kernel_gemm_cblas(const struct kernel_team *team, const struct kernel_gemm *g) {
    kernel_gemm_by(team, g, team->ops->cblas);
}
