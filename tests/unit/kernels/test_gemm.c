/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Every gemm that this host can run against FP64, within the bound of kernels.h: all layouts and dtypes, sizes around
 * the edges of tiles and blocks, unknown and tiny caches, numbers from denormal to huge, poisoned padding, scratch and
 * output. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scalar.h"
#include "unit/support/gemm_operands.h"
#include "unit/support/guarded.h"

enum { TINY_MOST = 300000 }; /* multiplications; beyond, tiny blocks need too many barriers */

enum addend { NOTHING, APART, ITSELF, ADDENDS };

struct test_case {
    int64_t m, n, k;
    bool a_trans, b_trans, bias;
    enum addend d;
    enum kernel_dtype in, out;
    int threads;
    const struct kernel_caches *caches;
};

static void case_fail(const struct gemm_variant *v, const struct test_case *t, const char *what, int64_t i, int64_t j,
                      double got, double want, double bound) {
    fail_msg("%s %c%c %s->%s m %lld n %lld k %lld bias %d d %d threads %d%s: %s at (%lld, %lld): %.9g, exact %.9g, "
             "bound %.3g",
             v->name, t->a_trans ? 'T' : 'N', t->b_trans ? 'T' : 'N', t->in == KERNEL_F32 ? "f32" : "bf16",
             t->out == KERNEL_F32 ? "f32" : "bf16", (long long)t->m, (long long)t->n, (long long)t->k, t->bias, t->d,
             t->threads, t->caches ? " tiny" : "", what, (long long)i, (long long)j, got, want, bound);
}

/* Every element is within the bound, and every padding byte is unchanged (0xff). */
static void case_check(const struct gemm_variant *v, const struct test_case *t, const struct gemm_matrix *c,
                       const double *exact, const double *size) {
    const double underflow = v->flushes[t->in] ? 0x1p-126 : 0x1p-149;
    const size_t element = kernel_dtype_bytes(t->out);
    for (int64_t i = 0; i < t->m && t->n > 0; i++) {
        for (int64_t j = 0; j < t->n; j++) {
            const double want = exact[i * t->n + j], got = (double)scalar_get(t->out, c->data, i * c->ld + j);
            double bound = (double)(t->k + 2) * (0x1p-24 * size[i * t->n + j] + underflow);
            if (t->out == KERNEL_BF16) bound += 0x1p-8 * (fabs(want) + bound) + 0x1p-134;
            if (!(fabs(got - want) <= bound)) case_fail(v, t, "wrong", i, j, got, want, bound);
        }
        const unsigned char *pad = (const unsigned char *)c->data + (size_t)(i * c->ld + t->n) * element;
        for (size_t p = 0; p < GEMM_PAD * element && i < t->m - 1; p++)
            if (pad[p] != 0xff) case_fail(v, t, "padding written", i, t->n, pad[p], 255, 0);
    }
}

/* What C should be, and the magnitudes that bound its error. */
static void case_exact(const struct test_case *t, const struct gemm_matrix *a, const struct gemm_matrix *b,
                       const struct gemm_matrix *bias, const struct gemm_matrix *d, double *exact, double *size) {
    for (int64_t i = 0; i < t->m * t->n; i++) {
        if (t->bias) exact[i] += bias->exact[i % t->n], size[i] += bias->size[i % t->n];
        if (t->d != NOTHING) exact[i] += d->exact[i], size[i] += d->size[i];
    }
    if (t->m == 0 || t->n == 0 || t->k == 0) return;
    kernel_reference_dgemm(t->a_trans, t->b_trans, t->m, t->n, t->k, a->exact, a->cols, b->exact, b->cols, 1, exact,
                           t->n);
    kernel_reference_dgemm(t->a_trans, t->b_trans, t->m, t->n, t->k, a->size, a->cols, b->size, b->cols, 1, size, t->n);
}

static void case_run(struct gemm_variant *v, const struct test_case *t) {
    guarded_place = (enum guarded_place)((guarded_place + 1) % GUARDED_PLACES);
    guarded_what = v->name;
    struct gemm_matrix a = gemm_matrix_new(t->a_trans ? t->k : t->m, t->a_trans ? t->m : t->k, t->in, 1);
    struct gemm_matrix b = gemm_matrix_new(t->b_trans ? t->n : t->k, t->b_trans ? t->k : t->n, t->in, 2);
    struct gemm_matrix bias = gemm_matrix_new(1, t->n, t->in, 3), d = gemm_matrix_new(t->m, t->n, t->out, 4);
    struct gemm_matrix c = gemm_matrix_new(t->m, t->n, t->out, 5);
    double *exact = calloc((size_t)(t->m * t->n) + 1, 8), *size = calloc((size_t)(t->m * t->n) + 1, 8);
    char *once = malloc(c.bytes);
    assert_true(exact && size && once);
    if (v->flushes[t->in]) gemm_matrix_flush(&a), gemm_matrix_flush(&b);
    case_exact(t, &a, &b, &bias, &d, exact, size);

    struct kernel_gemm g = {.m = t->m,
                            .n = t->n,
                            .k = t->k,
                            .a_trans = t->a_trans,
                            .b_trans = t->b_trans,
                            .in = t->in,
                            .out = t->out,
                            .a = a.data,
                            .b = b.data,
                            .lda = a.ld,
                            .ldb = b.ld,
                            .ldc = c.ld,
                            .bias = t->bias ? bias.data : NULL,
                            .d = t->d == NOTHING ? NULL : (t->d == APART ? d.data : c.data),
                            .c = c.data};
    for (int repeat = 0; repeat < 2; repeat++) {
        memset(c.data, 0xff, c.bytes);
        const struct kernel_team team = gemm_team(v, t->threads, t->caches);
        if (t->d == ITSELF) memcpy(c.data, d.data, c.bytes);
        v->ops.gemm(&team, &g);
        if (repeat == 0) memcpy(once, c.data, c.bytes);
    }
    case_check(v, t, &c, exact, size);
    if (memcmp(once, c.data, c.bytes) != 0) case_fail(v, t, "another result when repeated", 0, 0, 0, 0, 0);
    free(once);
    free(exact);
    free(size);
    gemm_matrix_free(&a), gemm_matrix_free(&b), gemm_matrix_free(&bias), gemm_matrix_free(&d), gemm_matrix_free(&c);
}

/* One size in every layout and dtype; the options (bias, D, threads) alternate. */
static void size_run(struct gemm_variant *v, int64_t m, int64_t n, int64_t k) {
    static unsigned turn;
    for (int layout = 0; layout < 4; layout++) {
        for (int dtypes = 0; dtypes < 3; dtypes++) {
            struct test_case t = {.m = m, .n = n, .k = k, .a_trans = layout & 1, .b_trans = layout >> 1};
            t.in = dtypes > 0 ? KERNEL_BF16 : KERNEL_F32;
            t.out = dtypes > 1 ? KERNEL_BF16 : KERNEL_F32;
            t.bias = turn % 2, t.d = turn / 2 % ADDENDS, t.threads = 1 + (int)(turn % 5 % 3);
            turn++;
            case_run(v, &t);
            t.caches = &gemm_tiny_caches;
            if (m * n * k <= TINY_MOST) case_run(v, &t);
        }
    }
    turn++; /* a size is 12 turns: without this a dtype would always meet the same options */
}

static void test_tile_edges(void **state) {
    (void)state;
    static const int64_t ms[] = {1, 4, 7, 14, 29}, ns[] = {1, 16, 47}, ks[] = {0, 1, 2, 35};
    for (int v = 0; v < gemm_variant_count; v++)
        for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) size_run(&gemm_variants[v], ms[m], ns[n], ks[k]);
}

static void test_block_edges(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{14, 32, 384}, {15, 33, 385},   {13, 31, 768}, {28, 64, 769},  {5, 17, 1700},
                                       {1024, 3, 20}, {1025, 33, 9},   {2, 3072, 18}, {15, 3073, 33}, {3, 3080, 780},
                                       {1040, 1, 40}, {200, 130, 410}, {61, 120, 40}, {14, 16, 2400}};
    for (int v = 0; v < gemm_variant_count; v++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            size_run(&gemm_variants[v], sizes[s][0], sizes[s][1], sizes[s][2]);
}

static void test_empty(void **state) {
    (void)state;
    for (int v = 0; v < gemm_variant_count; v++) {
        size_run(&gemm_variants[v], 0, 5, 7);
        size_run(&gemm_variants[v], 5, 0, 7);
        size_run(&gemm_variants[v], 0, 0, 0);
    }
}

/* All ones times all twos, except a NaN in row 3 of A, an infinity in row 15 and a 0 in column 7 of B. By IEEE-754
 * row 3 is NaN and row 15 infinite, except for infinity times 0. D adds another infinity at (5, 9). */
static float not_finite_expected(int i, int j) {
    enum { DEPTH = 21 };
    if (i == 3 || (i == 15 && j == 7)) return NAN;
    if (i == 15) return INFINITY;
    return i == 5 && j == 9 ? -INFINITY : 2.0f * (j == 7 ? DEPTH - 1 : DEPTH);
}

static void test_not_finite(void **state) {
    (void)state;
    enum { M = 17, N = 35, DEPTH = 21 };
    static float a[M * DEPTH], b[DEPTH * N], c[M * N], d[M * N]; /* sized for either dtype */
    for (int turn = 0; turn < 12 * gemm_variant_count; turn++) {
        const struct gemm_variant *v = &gemm_variants[turn / 12];
        const enum kernel_dtype in = turn % 3 > 0 ? KERNEL_BF16 : KERNEL_F32, out = turn % 3 > 1 ? in : KERNEL_F32;
        struct kernel_gemm g = {.m = M, .n = N, .k = DEPTH, .a = a, .b = b, .c = c, .d = d, .in = in, .out = out};
        g.a_trans = turn / 3 & 1, g.b_trans = turn / 6 & 1;
        g.lda = g.a_trans ? M : DEPTH, g.ldb = g.b_trans ? DEPTH : N, g.ldc = N;
        const int64_t row = g.a_trans ? 1 : DEPTH, along = g.a_trans ? M : 1;
        for (int i = 0; i < M * DEPTH; i++) scalar_put(in, a, i, 1);
        for (int i = 0; i < DEPTH * N; i++) scalar_put(in, b, i, 2);
        for (int i = 0; i < M * N; i++) scalar_put(out, d, i, 0);
        scalar_put(in, a, 3 * row + 20 * along, NAN);
        scalar_put(in, a, 15 * row, INFINITY);
        scalar_put(in, b, g.b_trans ? 7 * DEPTH : 7, 0);
        scalar_put(out, d, 5 * N + 9, -INFINITY);
        const struct kernel_team team = gemm_team(v, 2, turn % 2 ? &gemm_tiny_caches : NULL);
        v->ops.gemm(&team, &g);
        for (int i = 0; i < M * N; i++) {
            const float got = scalar_get(out, c, i), want = not_finite_expected(i / N, i % N);
            if (isnan(want) ? !isnan(got) : got != want)
                fail_msg("%s layout %d dtypes %d: (%d, %d) is %g, not %g", v->name, turn / 3 % 4, turn % 3, i / N,
                         i % N, (double)got, (double)want);
        }
    }
}

struct polls {
    pthread_t caller;
    int right, wrong;
};

static void poll_count(void *context) {
    struct polls *polls = context;
    if (pthread_equal(pthread_self(), polls->caller))
        polls->right++;
    else
        polls->wrong++;
}

static void test_poll(void **state) {
    (void)state;
    enum { SIZE = 384 };
    static float a[SIZE * SIZE], b[SIZE * SIZE], c[SIZE * SIZE];
    for (int v = 0; v < gemm_variant_count; v++) {
        struct polls polls = {.caller = pthread_self()};
        struct kernel_team team = gemm_team(&gemm_variants[v], 3, NULL);
        team.poll = poll_count, team.poll_context = &polls;
        struct kernel_gemm g = {.m = SIZE, .n = SIZE, .k = SIZE, .a = a, .b = b, .c = c};
        g.lda = g.ldb = g.ldc = SIZE;
        gemm_variants[v].ops.gemm(&team, &g);
        assert_int_equal(polls.wrong, 0);
        assert_true(polls.right > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile_edges), cmocka_unit_test(test_block_edges), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_poll),
    };
    return cmocka_run_group_tests(tests, gemm_setup, NULL);
}
