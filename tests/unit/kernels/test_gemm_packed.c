/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Bit-for-bit equality in every gemm: a packed B gives the same as a plain one, and an epilogue the same as the plain
 * matmul followed by the pass. All layouts and dtypes, sizes at the edges of tiles and of tiny blocks, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scalar.h"
#include "unit/support/gemm_operands.h"

static void run(const struct gemm_variant *v, const struct kernel_gemm *g, void *c, int threads,
                const struct kernel_caches *caches) {
    struct kernel_gemm to = *g;
    to.c = c;
    const struct kernel_team team = gemm_team(v, threads, caches);
    v->ops.gemm(&team, &to);
}

/* One team packs, another multiplies. */
static void packed_run(struct gemm_variant *v, struct gemm_problem *p, int threads,
                       const struct kernel_caches *caches) {
    char *memory = gemm_packed_new(v, &p->g, 1 + threads % 3);
    struct kernel_gemm g = p->g;
    g.b = memory, g.ldb = 0, g.b_packed = true;
    run(v, &g, p->c.data, threads, caches);
    const char *held = kernel_variant(&v->ops, "gemm");
    if (!strcmp(held, "cblas") || (!strcmp(held, "openblas") && p->g.in == KERNEL_F32)) {
        /* a packed B goes to the table's own matmul, a plain one to the library */
        struct gemm_variant own = *v;
        kernel_select(&own.ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
        run(&own, &p->g, p->other.data, threads, caches);
    } else {
        run(v, &p->g, p->other.data, threads, caches);
    }
    gemm_expect_same(v, p, "packed B", &p->c, &p->other);
    free(memory);
}

static void epilogue_run(struct gemm_variant *v, struct gemm_problem *p, int threads,
                         const struct kernel_caches *caches) {
    const struct kernel_team team = {.ops = &v->ops, .threads = 1};
    struct kernel_gemm g = p->g;
    const size_t element = kernel_dtype_bytes(g.out), row = (size_t)g.n * element;
    /* the pass takes contiguous rows */
    char *c = malloc((size_t)g.m * row + 1), *x = malloc((size_t)g.m * row + 1), *y = malloc((size_t)g.m * row + 1);
    assert_true(c && x && y);
    run(v, &g, p->other.data, threads, caches);
    for (int64_t i = 0; i < g.m; i++) {
        memcpy(c + (size_t)i * row, p->other.data + (size_t)(i * g.ldc) * element, row);
        memcpy(x + (size_t)i * row, p->x.data + (size_t)(i * g.ldc) * element, row);
    }
    g.epilogue = KERNEL_EPILOGUE_GELU, g.y = p->y.data;
    run(v, &g, p->c.data, threads, caches);
    gemm_expect_same(v, p, "C beside GELU", &p->c, &p->other);
    v->ops.gelu_forward(&team, g.out, g.m * g.n, c, y);
    for (int64_t i = 0; i < g.m; i++) memcpy(p->other.data + (size_t)(i * g.ldc) * element, y + (size_t)i * row, row);
    gemm_expect_same(v, p, "GELU", &p->y, &p->other);
    memset(p->c.data, 0xff, p->c.bytes);
    g.epilogue = KERNEL_EPILOGUE_GELU_GRAD, g.x = p->x.data;
    run(v, &g, p->c.data, threads, caches);
    v->ops.gelu_backward(&team, g.out, g.m * g.n, x, c, y);
    for (int64_t i = 0; i < g.m; i++) memcpy(p->other.data + (size_t)(i * g.ldc) * element, y + (size_t)i * row, row);
    gemm_expect_same(v, p, "GELU's gradient", &p->c, &p->other);
    free(c), free(x), free(y);
}

static void sizes_run(void (*check)(struct gemm_variant *, struct gemm_problem *, int, const struct kernel_caches *)) {
    static const int64_t sizes[][3] = {{1, 1, 1},     {1, 40, 7},   {6, 16, 8},  {7, 17, 33},
                                       {14, 32, 64},  {15, 65, 21}, {29, 47, 2}, {50, 3, 100},
                                       {33, 97, 130}, {5, 300, 40}, {20, 40, 0}, {70, 530, 540}};
    int turn = 0;
    for (int v = 0; v < gemm_variant_count; v++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int layout = 0; layout < 4; layout++)
                for (int dtypes = 0; dtypes < 3; dtypes++, turn++) {
                    const bool tiny = turn % 2 && sizes[s][0] * sizes[s][1] * sizes[s][2] < 1000000;
                    struct gemm_problem p =
                        gemm_problem_new(sizes[s][0], sizes[s][1], sizes[s][2], layout, dtypes, turn / 2);
                    check(&gemm_variants[v], &p, 1 + turn / 3 % 3, tiny ? &gemm_tiny_caches : NULL);
                    gemm_problem_free(&p);
                }
}

static void test_packed(void **state) {
    (void)state;
    sizes_run(packed_run);
}

static void test_epilogues(void **state) {
    (void)state;
    sizes_run(epilogue_run);
}

/* The layout that kernels.h states, element by element; everything else is zero. */
static void test_packed_layout(void **state) {
    (void)state;
    enum { N = 70, K = 11 };
    for (int v = 0; v < gemm_variant_count; v++)
        for (int b_trans = 0; b_trans < 2; b_trans++)
            for (int in = 0; in < KERNEL_DTYPE_COUNT; in++) {
                struct gemm_matrix b = gemm_matrix_new(b_trans ? N : K, b_trans ? K : N, (enum kernel_dtype)in, 9);
                const struct kernel_gemm g = {.n = N, .k = K, .b_trans = b_trans, .in = in, .b = b.data, .ldb = b.ld};
                const int64_t bytes = kernel_gemm_packed_bytes(&gemm_variants[v].ops, &g);
                struct kernel_blocking cut;
                kernel_gemm_blocking(&gemm_variants[v].ops, NULL, g.in, &cut);
                const enum kernel_dtype t = cut.numbers == 2 ? KERNEL_BF16 : KERNEL_F32;
                char *packed = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
                assert_non_null(packed);
                const struct kernel_team team = gemm_team(&gemm_variants[v], 2, NULL);
                gemm_variants[v].ops.gemm_pack(&team, &g, packed);
                for (int64_t p = 0; p < K; p++)
                    for (int64_t j = 0; j < N; j++) {
                        const int64_t at = kernel_packed_index(&cut, K, p, j);
                        const double want = b.exact[b_trans ? j * K + p : p * N + j];
                        assert_true((double)scalar_get(t, packed, at) == want);
                        scalar_put(t, packed, at, 0);
                    }
                for (int64_t i = 0; i < bytes; i++) assert_int_equal(packed[i], 0);
                free(packed);
                gemm_matrix_free(&b);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_packed), cmocka_unit_test(test_epilogues),
                                       cmocka_unit_test(test_packed_layout)};
    return cmocka_run_group_tests(tests, gemm_setup, NULL);
}
