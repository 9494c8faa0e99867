/* SPDX-License-Identifier: Apache-2.0
 *
 * The variants of gemm that this host can run, and hostile operands for them. The gemm tests share them. */
#ifndef TOISE_TESTS_GEMM_OPERANDS_H
#define TOISE_TESTS_GEMM_OPERANDS_H

#include "kernels.h"

enum { GEMM_PAD = 3, GEMM_POISON = 65536 };

struct gemm_variant {
    struct kernel_ops ops;
    char name[32];
    bool flushes[KERNEL_DTYPE_COUNT]; /* flushes denormal inputs and results, by input dtype */
};

/* The sets, OpenBLAS, and the plain loops of gemm_library as a library of the caller. */
extern struct gemm_variant gemm_variants[KERNEL_ISA_COUNT + 2];
extern int gemm_variant_count;

/* Caches so small that every block is a few panels. Teams use them in every other run. */
extern const struct kernel_caches gemm_tiny_caches;

/* A CBLAS library of plain loops, which counts its calls by dtype. */
extern const struct kernel_cblas gemm_library;
extern int gemm_library_calls[KERNEL_DTYPE_COUNT];

/* Set-up of a cmocka group. */
int gemm_setup(void **state);
/* A team of up to 3 threads on poisoned, guarded scratch. */
struct kernel_team gemm_team(const struct gemm_variant *v, int threads, const struct kernel_caches *caches);

/* A stored matrix between guards: rows x cols of a dtype, with GEMM_PAD more columns except in the last row. Also
 * the same in FP64 without padding. All bytes outside the elements are 0xff. */
struct gemm_matrix {
    int64_t rows, cols, ld;
    size_t bytes;
    char *data;
    double *exact, *size;
};

struct gemm_matrix gemm_matrix_new(int64_t rows, int64_t cols, enum kernel_dtype dtype, uint64_t stream);
void gemm_matrix_free(struct gemm_matrix *x);
/* Flushes denormals to zero in the FP64 copies. */
void gemm_matrix_flush(struct gemm_matrix *x);

/* Operands of one size, and a second C, Y and X. dtypes: FP32, BF16 into FP32, BF16; turn: with bias, with D. */
struct gemm_problem {
    struct gemm_matrix a, b, bias, d, c, other, y, x;
    struct kernel_gemm g;
};
struct gemm_problem gemm_problem_new(int64_t m, int64_t n, int64_t k, int layout, int dtypes, int turn);
void gemm_problem_free(struct gemm_problem *p);
/* Fails unless all bytes are the same, gaps included. */
void gemm_expect_same(const struct gemm_variant *v, const struct gemm_problem *p, const char *what,
                      const struct gemm_matrix *got, const struct gemm_matrix *want);
/* B packed into memory of exactly the promised size, by a team of its own. The caller frees it. */
char *gemm_packed_new(const struct gemm_variant *v, const struct kernel_gemm *g, int threads);

#endif
