/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the integers of cblas_sgemm have 64 bits. Libraries say so in different ways, or not at all, so a call
 * decides. Its leading dimension of B is 1 for who reads 32 bits, and 2^32 + 1 for who reads 64. Both find memory. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "backend/backend.h"

enum { ROW_MAJOR = 101, AS_STORED = 111 };

/* cblas_sgemm as a build with 64-bit integers declares it. By the calling conventions of x86-64 and AArch64 a build
 * with 32 bits finds the lower halves. */
typedef void wide_sgemm(int order, int a_trans, int b_trans, int64_t m, int64_t n, int64_t k, float alpha,
                        const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/* C = (1, 1) times the column (1, x), where x is 2 at distance 1 and 8 at distance 2^32 + 1. B is 16 GiB of addresses,
 * of which two pages become memory. */
static float product(const struct backend *b) {
    const int64_t far = ((int64_t)1 << 32) + 1;
    const size_t bytes = ((size_t)far + 1) * sizeof(float);
    const float a[2] = {1, 1};
    float c = 0;
    wide_sgemm *sgemm;
    float *column = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (column == MAP_FAILED) return 0; /* addresses are limited (ulimit -v) */
    madvise(column, bytes, MADV_NOHUGEPAGE);
    column[0] = 1, column[1] = 2, column[far] = 8;
    memcpy(&sgemm, &b->cblas.sgemm, sizeof sgemm);
    sgemm(ROW_MAJOR, AS_STORED, AS_STORED, 1, 1, 2, 1, a, 2, column, far, 0, &c, 1);
    munmap(column, bytes);
    return c;
}

int backend_integers(const struct backend *b, struct base_error *e) {
    char *(*config)(void);
    int (*bits)(void);
    const bool openblas = backend_find(b, "openblas_get_config", &config) && strstr(config(), "USE64BITINT");
    const bool blis = backend_find(b, "bli_info_get_blas_int_type_size", &bits) && bits() == 64;
    if (!openblas && !blis && product(b) != 9) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--backend: integers of %s have 64 bits (ILP64); take the build with 32-bit integers (LP64)%s",
                     b->path, b->name && !strcmp(b->name, "MKL") ? ", or unset MKL_INTERFACE_LAYER" : "");
}
