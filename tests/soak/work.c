/* SPDX-License-Identifier: Apache-2.0
 *
 * work UNITS: computes so many equal matmuls on one thread, and ends. A launch of known work: UNITS x 1.05 is a
 * slow-down of 5%, apart from the start of the process. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"

enum { M = 192 };

int main(int argc, char **argv) {
    const long units = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    static float a[M * M], b[M * M], c[M * M];
    struct kernel_ops ops;
    struct kernel_caches caches = {0};
    static char scratch[64 << 20] __attribute__((aligned(4096)));
    if (units < 1 || kernel_scratch_bytes(1, 1, 1) > sizeof scratch) {
        fputs("usage: work UNITS\n", stderr);
        return 2;
    }
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    const struct kernel_team team = {
        .ops = &ops, .threads = 1, .caches = &caches, .scratch = scratch, .scratch_bytes = sizeof scratch};
    const struct kernel_gemm gemm = {.m = M, .n = M, .k = M, .a = a, .lda = M, .b = b, .ldb = M, .c = c, .ldc = M};
    for (int i = 0; i < M * M; i++) a[i] = b[i] = 1;
    for (long u = 0; u < units; u++) ops.gemm(&team, &gemm);
    return c[0] == M ? 0 : 1;
}
