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
#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "check/matmul.h"
#include "check/rounding.h"

enum { M = 64, N = 48, K = 200 };

/* The residual of a matmul whose A has this size of values; `wrong`: one element of C is so much off. */
static double residual(float size, enum kernel_dtype in, enum kernel_dtype out, bool wrong) {
    float *x = malloc(M * K * sizeof *x), *y = malloc(K * N * sizeof *y), *c = calloc(M * N, sizeof *c);
    kernel_bf16 *half = malloc((M * K + K * N) * sizeof *half);
    double *space = malloc(5 * (M + N + K) * sizeof *space);
    const size_t bytes = (kernel_scratch_bytes(1, 64, 64) + 63) / 64 * 64;
    char *scratch = aligned_alloc(64, bytes);
    struct kernel_ops ops;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    const struct kernel_team team = {.ops = &ops, .threads = 1, .scratch = scratch, .scratch_bytes = bytes};
    base_random_normal(1, BASE_STREAM_TEST, 0, M * K, x);
    base_random_normal(2, BASE_STREAM_TEST, 0, K * N, y);
    for (int i = 0; i < M * K; i++) x[i] *= size;
    ops.to_bf16(&team, M * K, x, half);
    ops.to_bf16(&team, K * N, y, half + M * K);
    const bool bf16 = in == KERNEL_BF16;
    const struct kernel_gemm g = {.m = M,
                                  .n = N,
                                  .k = K,
                                  .in = in,
                                  .out = out,
                                  .a = bf16 ? (void *)half : x,
                                  .lda = K,
                                  .b = bf16 ? (void *)(half + M * K) : y,
                                  .ldb = N,
                                  .c = c,
                                  .ldc = N};
    double worst = check_gemm(&team, ops.gemm, &g, &g, 3, space);
    if (wrong) {
        c[5 * N + 7] += size + fabsf(c[5 * N + 7]);
        worst = check_freivalds(&team, &g, 3, NULL, space);
    }
    free(x), free(y), free(c), free(half), free(space), free(scratch);
    return worst;
}

static void test_denormals(void **state) {
    (void)state;
    static const float sizes[] = {1, 1e-30f, 1e-38f, 1e-40f, 1e-42f, 1e-44f, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int k = 0; k < 4; k++)
            assert_true(residual(sizes[i], (enum kernel_dtype)(k / 2), (enum kernel_dtype)(k % 2), false) <
                        CHECK_THRESHOLD / 4);
    for (int in = 0; in < KERNEL_DTYPE_COUNT; in++) {
        assert_true(residual(1, (enum kernel_dtype)in, KERNEL_F32, true) > 10 * CHECK_THRESHOLD);
        assert_true(residual(1e-30f, (enum kernel_dtype)in, KERNEL_F32, true) > 10 * CHECK_THRESHOLD);
    }
    assert_true(residual(1e-38f, KERNEL_F32, KERNEL_F32, true) > 10 * CHECK_THRESHOLD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_denormals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
