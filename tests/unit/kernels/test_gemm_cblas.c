/* SPDX-License-Identifier: Apache-2.0
 *
 * The matmuls of a library that the caller supplies: which calls reach it, and that a BF16 C that scratch memory holds
 * only in strips of rows is the same as in one. test_gemm.c has the bounds on hostile operands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/gemm_operands.h"

enum { M = 23, N = 19, DEPTH = 31 };

static struct gemm_variant *find(const char *name) {
    for (int v = 0; v < gemm_variant_count; v++)
        if (!strcmp(gemm_variants[v].name, name)) return &gemm_variants[v];
    fail_msg("no variant %s", name);
    return NULL;
}

/* Runs C = op(A) op(B) + bias + D on so much scratch memory, and returns how often it called the library. */
static int run(const struct gemm_variant *v, struct kernel_gemm g, size_t scratch_bytes, void *c, size_t bytes) {
    struct kernel_team team = gemm_team(v, 2, NULL);
    team.scratch_bytes = scratch_bytes < team.scratch_bytes ? scratch_bytes : team.scratch_bytes;
    memset(c, 0xff, bytes);
    memset(gemm_library_calls, 0, sizeof gemm_library_calls);
    g.c = c;
    team.ops->gemm(&team, &g);
    return gemm_library_calls[g.in];
}

static void test_strips(void **state) {
    (void)state;
    for (int layout = 0; layout < 4; layout++) {
        const bool a_trans = layout & 1, b_trans = layout >> 1;
        struct gemm_matrix a = gemm_matrix_new(a_trans ? DEPTH : M, a_trans ? M : DEPTH, KERNEL_BF16, 1);
        struct gemm_matrix b = gemm_matrix_new(b_trans ? N : DEPTH, b_trans ? DEPTH : N, KERNEL_BF16, 2);
        struct gemm_matrix bias = gemm_matrix_new(1, N, KERNEL_BF16, 3), d = gemm_matrix_new(M, N, KERNEL_BF16, 4);
        struct kernel_gemm g = {.m = M, .n = N, .k = DEPTH, .a_trans = a_trans, .b_trans = b_trans, .in = KERNEL_BF16};
        g.out = KERNEL_BF16, g.a = a.data, g.b = b.data, g.lda = a.ld, g.ldb = b.ld, g.bias = bias.data, g.d = d.data;
        g.ldc = d.ld;
        char *whole = malloc(d.bytes), *strips = malloc(d.bytes);
        assert_true(whole && strips);
        assert_int_equal(run(find("cblas"), g, SIZE_MAX, whole, d.bytes), 1);
        assert_int_equal(run(find("cblas"), g, 4 * N * 5 + 3, strips, d.bytes), (M + 4) / 5);
        assert_memory_equal(whole, strips, d.bytes);
        free(whole), free(strips);
        gemm_matrix_free(&a), gemm_matrix_free(&b), gemm_matrix_free(&bias), gemm_matrix_free(&d);
    }
}

/* Empty sizes, a size beyond 32 bits, a B packed ahead, and BF16 where the library has none are toise's own. */
static void test_which(void **state) {
    (void)state;
    static float a[M * DEPTH], b[DEPTH * N], c[M * N];
    static const struct kernel_cblas without = {.sgemm = NULL};
    struct gemm_variant v = *find("cblas");
    struct kernel_gemm g = {.m = M, .n = N, .k = DEPTH, .a = a, .b = b, .lda = DEPTH, .ldb = N, .ldc = N};
    assert_string_equal(kernel_variant(&v.ops, "gemm"), "cblas");
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 1);
    g.k = 0;
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 0);
    assert_true(c[0] == 0 && c[M * N - 1] == 0);
    g.k = DEPTH, g.m = 1, g.lda = (int64_t)1 << 32;
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 0);
    g.m = 0;
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 0);
    g.m = M, g.lda = DEPTH, g.in = KERNEL_BF16;
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 1);
    v.ops.cblas = &without;
    assert_int_equal(run(&v, g, SIZE_MAX, c, sizeof c), 0);
    assert_true(c[0] == 0 && c[M * N - 1] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strips), cmocka_unit_test(test_which)};
    unsetenv("CHECK_EMULATOR"); /* libraries are what this tests, and it takes a second */
    return cmocka_run_group_tests(tests, gemm_setup, NULL);
}
