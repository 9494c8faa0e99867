/* SPDX-License-Identifier: Apache-2.0
 *
 * Freivalds' check at sizes of values where rounding is not relative: denormal sums pass, and a wrong element still
 * fails. What it finds in a training step is in gate/test_gate.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "check/matmul.h"
#include "check/rounding.h"

enum { M = 64, N = 48, K = 200 };

static double residual(float size, enum kernel_dtype out, double wrong) {
    float *a = malloc(M * K * sizeof *a), *b = malloc(K * N * sizeof *b), *c = calloc(M * N, sizeof *c);
    double *space = malloc(5 * (M + N + K) * sizeof *space);
    char *scratch = aligned_alloc(64, kernel_scratch_bytes(1, 64, 64) / 64 * 64 + 64);
    struct kernel_ops ops;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    const struct kernel_team team = {
        .ops = &ops, .threads = 1, .scratch = scratch, .scratch_bytes = kernel_scratch_bytes(1, 64, 64)};
    base_random_normal(1, BASE_STREAM_TEST, 0, M * K, a);
    base_random_normal(2, BASE_STREAM_TEST, 0, K * N, b);
    for (int i = 0; i < M * K; i++) a[i] *= size;
    const struct kernel_gemm g = {
        .m = M, .n = N, .k = K, .in = KERNEL_F32, .out = out, .a = a, .lda = K, .b = b, .ldb = N, .c = c, .ldc = N};
    double worst = check_gemm(&team, ops.gemm, &g, &g, 3, space);
    if (wrong != 0 && out == KERNEL_F32) {
        c[5 * N + 7] += (float)wrong * fabsf(c[5 * N + 7]) + (float)wrong * size;
        worst = check_freivalds(&team, &g, 3, NULL, space);
    }
    free(a), free(b), free(c), free(space), free(scratch);
    return worst;
}

static void test_denormals(void **state) {
    (void)state;
    static const float sizes[] = {1, 1e-30f, 1e-38f, 1e-40f, 1e-42f, 1e-44f, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(residual(sizes[i], KERNEL_F32, 0) < CHECK_THRESHOLD / 4);
        assert_true(residual(sizes[i], KERNEL_BF16, 0) < CHECK_THRESHOLD / 4);
    }
    assert_true(residual(1, KERNEL_F32, 1) > 10 * CHECK_THRESHOLD);
    assert_true(residual(1e-30f, KERNEL_F32, 1) > 10 * CHECK_THRESHOLD);
    assert_true(residual(1e-38f, KERNEL_F32, 1) > 10 * CHECK_THRESHOLD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_denormals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
