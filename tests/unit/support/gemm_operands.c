/* SPDX-License-Identifier: Apache-2.0
 *
 * The gemm variants and their operands. */
#include "unit/support/gemm_operands.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "scalar.h"
#include "scratch.h"
#include "unit/support/effort.h"
#include "unit/support/guarded.h"
#include "unit/support/lacking.h"

enum { SEED = 20250101 };

struct gemm_variant gemm_variants[KERNEL_ISA_COUNT + 2];
int gemm_variant_count;
const struct kernel_caches gemm_tiny_caches = {.l1 = 512, .l2 = 600, .l3 = 1};
static void *scratch;
static size_t scratch_size;

int gemm_library_calls[KERNEL_DTYPE_COUNT];

/* C = op(A) op(B) + beta C by a plain loop. */
static void multiply(enum kernel_dtype t, int order, int a_trans, int b_trans, int m, int n, int k, float alpha,
                     const void *a, int lda, const void *b, int ldb, float beta, float *c, int ldc) {
    enum { ROW_MAJOR = 101, TRANSPOSED = 112 };
    assert_true(order == ROW_MAJOR && alpha == 1);
    gemm_library_calls[t]++;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = beta == 0 ? 0 : beta * c[(int64_t)i * ldc + j];
            for (int p = 0; p < k; p++)
                sum += scalar_get(t, a, a_trans == TRANSPOSED ? (int64_t)p * lda + i : (int64_t)i * lda + p) *
                       scalar_get(t, b, b_trans == TRANSPOSED ? (int64_t)j * ldb + p : (int64_t)p * ldb + j);
            c[(int64_t)i * ldc + j] = sum;
        }
}
static void sgemm(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const float *a, int lda,
                  const float *b, int ldb, float beta, float *c, int ldc) {
    multiply(KERNEL_F32, order, a_trans, b_trans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
static void sbgemm(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const kernel_bf16 *a, int lda,
                   const kernel_bf16 *b, int ldb, float beta, float *c, int ldc) {
    multiply(KERNEL_BF16, order, a_trans, b_trans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
const struct kernel_cblas gemm_library = {sgemm, sbgemm};

int gemm_setup(void **state) {
    (void)state;
    lacking_report();
    for (int isa = 0; isa <= KERNEL_ISA_COUNT; isa++) {
        const bool blas = isa == KERNEL_ISA_COUNT;
        const char *name = blas ? "openblas" : kernel_isa_name((enum kernel_isa)isa);
        if (!blas && !kernel_isa_usable((enum kernel_isa)isa)) continue;
        if (effort_emulator() && (blas || isa == KERNEL_ISA_ref)) continue;
        struct gemm_variant *v = &gemm_variants[gemm_variant_count++];
        kernel_select(&v->ops, blas ? kernel_isa_best() : (enum kernel_isa)isa,
                      blas ? KERNEL_BACKEND_OPENBLAS : KERNEL_BACKEND_TOISE);
        snprintf(v->name, sizeof v->name, "%s", name);
        v->flushes[KERNEL_BF16] = kernel_bf16_native(&v->ops);
    }
    scratch_size = kernel_gemm_scratch(3);
    scratch = guarded_scratch(scratch_size);
    if (effort_emulator()) return 0;
    struct gemm_variant *v = &gemm_variants[gemm_variant_count++];
    kernel_select(&v->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    kernel_select_cblas(&v->ops, &gemm_library);
    snprintf(v->name, sizeof v->name, "cblas");
    return 0;
}

struct kernel_team gemm_team(const struct gemm_variant *v, int threads, const struct kernel_caches *caches) {
    memset(scratch, 0xff, GEMM_POISON);
    return (struct kernel_team){
        .ops = &v->ops, .threads = threads, .scratch = scratch, .scratch_bytes = scratch_size, .caches = caches};
}

/* One number in eight is zero, denormal, tiny or huge; sums of products remain finite. */
static float hostile(uint64_t index, uint64_t stream) {
    uint32_t w[4];
    base_random_words(SEED, BASE_STREAM_TEST + stream, index, w);
    const float x = (float)((double)w[0] / 2147483648.0 - 1.0);
    switch (w[1] % 32) {
    case 0:
        return w[2] & 1 ? 0.0f : -0.0f;
    case 1:
        return x * 1e-39f;
    case 2:
        return x * 1e-30f;
    case 3:
        return x * 1e15f;
    default:
        return x;
    }
}

struct gemm_matrix gemm_matrix_new(int64_t rows, int64_t cols, enum kernel_dtype dtype, uint64_t stream) {
    struct gemm_matrix x = {.rows = rows, .cols = cols, .ld = cols + GEMM_PAD};
    const size_t element = kernel_dtype_bytes(dtype);
    x.bytes = rows * cols > 0 ? (size_t)((rows - 1) * x.ld + cols) * element : 0;
    x.data = guarded_bytes(x.bytes, element);
    x.exact = calloc((size_t)(rows * cols) + 1, sizeof *x.exact);
    x.size = calloc((size_t)(rows * cols) + 1, sizeof *x.size);
    assert_true(x.exact && x.size);
    for (int64_t i = 0; i < rows * cols; i++) {
        const int64_t at = i / cols * x.ld + i % cols;
        scalar_put(dtype, x.data, at, hostile((uint64_t)i, stream));
        x.exact[i] = (double)scalar_get(dtype, x.data, at);
        x.size[i] = fabs(x.exact[i]);
    }
    return x;
}

void gemm_matrix_free(struct gemm_matrix *x) {
    guarded_release(x->data);
    free(x->exact);
    free(x->size);
}

void gemm_matrix_flush(struct gemm_matrix *x) {
    for (int64_t i = 0; i < x->rows * x->cols; i++)
        if (x->size[i] < 0x1p-126) x->exact[i] = x->size[i] = 0;
}

struct gemm_problem gemm_problem_new(int64_t m, int64_t n, int64_t k, int layout, int dtypes, int turn) {
    const enum kernel_dtype in = dtypes > 0 ? KERNEL_BF16 : KERNEL_F32, out = dtypes > 1 ? KERNEL_BF16 : KERNEL_F32;
    const bool a_trans = layout & 1, b_trans = layout >> 1;
    struct gemm_problem p = {.a = gemm_matrix_new(a_trans ? k : m, a_trans ? m : k, in, 1),
                             .b = gemm_matrix_new(b_trans ? n : k, b_trans ? k : n, in, 2),
                             .bias = gemm_matrix_new(1, n, in, 3),
                             .d = gemm_matrix_new(m, n, out, 4),
                             .c = gemm_matrix_new(m, n, out, 5),
                             .other = gemm_matrix_new(m, n, out, 6),
                             .y = gemm_matrix_new(m, n, out, 7),
                             .x = gemm_matrix_new(m, n, out, 8)};
    p.g = (struct kernel_gemm){.m = m, .n = n, .k = k, .a_trans = a_trans, .b_trans = b_trans, .in = in, .out = out};
    p.g.a = p.a.data, p.g.lda = p.a.ld, p.g.b = p.b.data, p.g.ldb = p.b.ld;
    p.g.bias = turn & 1 ? p.bias.data : NULL, p.g.d = turn & 2 ? p.d.data : NULL;
    p.g.ldc = p.c.ld;
    memset(p.c.data, 0xff, p.c.bytes);
    memset(p.other.data, 0xff, p.other.bytes);
    memset(p.y.data, 0xff, p.y.bytes);
    return p;
}

void gemm_problem_free(struct gemm_problem *p) {
    gemm_matrix_free(&p->a), gemm_matrix_free(&p->b), gemm_matrix_free(&p->bias), gemm_matrix_free(&p->d);
    gemm_matrix_free(&p->c), gemm_matrix_free(&p->other), gemm_matrix_free(&p->y), gemm_matrix_free(&p->x);
}

void gemm_expect_same(const struct gemm_variant *v, const struct gemm_problem *p, const char *what,
                      const struct gemm_matrix *got, const struct gemm_matrix *want) {
    if (memcmp(got->data, want->data, got->bytes) != 0)
        fail_msg("%s: %s differs: m %lld n %lld k %lld, layout %d%d, in %d out %d", v->name, what, (long long)p->g.m,
                 (long long)p->g.n, (long long)p->g.k, p->g.a_trans, p->g.b_trans, p->g.in, p->g.out);
}

char *gemm_packed_new(const struct gemm_variant *v, const struct kernel_gemm *g, int threads) {
    const int64_t bytes = kernel_gemm_packed_bytes(&v->ops, g);
    char *memory = aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0xff, (size_t)(bytes + 127) / 64 * 64);
    const struct kernel_team team = gemm_team(v, threads, NULL);
    v->ops.gemm_pack(&team, g, memory);
    for (int64_t i = 0; i < 64; i++) assert_int_equal((unsigned char)memory[bytes + i], 0xff);
    return memory;
}
