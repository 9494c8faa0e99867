/* SPDX-License-Identifier: Apache-2.0
 *
 * The variants that are compared: instruction sets, each with and without B packed ahead, and OpenBLAS. */
#ifndef TOISE_BENCH_KERNEL_VARIANTS_H
#define TOISE_BENCH_KERNEL_VARIANTS_H

#include <stdio.h>

#include "bench/kernel_cases.h"

struct bench_kernel_variant {
    char name[24];    /* "avx2", "avx2+packed", "openblas", "cblas" */
    const char *held; /* kernel_variant() of its own kernel */
    bool packed;      /* matmul: B is packed before the timing */
    struct kernel_ops ops;
};
enum { BENCH_VARIANTS_MAX = 2 * KERNEL_ISA_COUNT + 2 };

struct bench_kernel_variants {
    struct bench_kernel_variant at[BENCH_VARIANTS_MAX];
    int count;
};

/* Chooses the variants of a list, "avx2,avx2+packed,openblas". NULL: `best` with and without packing, and OpenBLAS. */
int bench_kernel_variants_choose(struct bench_kernel_variants *v, const char *list, enum kernel_isa best,
                                 struct base_error *e);
void bench_kernel_variants_without_openblas(struct bench_kernel_variants *v);
/* Adds the variant cblas: the library in *ops. It applies to matmuls in FP32, and in BF16 if it has these. */
void bench_kernel_variants_add_library(struct bench_kernel_variants *v, const struct kernel_ops *ops);
/* Copies the variants that apply to a case into `own` and returns how many. An instruction set applies if it has its
 * own kernel, packing applies to matmuls with weights, OpenBLAS to matmuls in FP32. */
int bench_kernel_variants_of(const struct bench_kernel_variants *v, const struct bench_kernel_case *c,
                             struct bench_kernel_variant own[BENCH_VARIANTS_MAX]);
/* Keeps the cases to which a variant applies. */
void bench_kernel_variants_keep(const struct bench_kernel_variants *v, struct bench_kernel_cases *cases);
/* Explains their matmul blocking and the cache sizes behind it. */
void bench_kernel_variants_explain(FILE *page, const struct bench_kernel_variants *v, const struct kernel_caches *c,
                                   int threads);

#endif
