/* SPDX-License-Identifier: Apache-2.0
 *
 * Who competes: instruction sets, with B packed ahead or not, and OpenBLAS. */
#ifndef TOISE_BENCH_KERNEL_VARIANTS_H
#define TOISE_BENCH_KERNEL_VARIANTS_H

#include <stdio.h>

#include "bench/kernel_cases.h"

struct bench_kernel_variant {
    char name[24];    /* "avx2", "avx2+packed", "openblas" */
    const char *held; /* kernel_variant() of what is its own */
    bool packed;      /* matmul: B was packed ahead, outside what is timed */
    struct kernel_ops ops;
};
enum { BENCH_VARIANTS_MAX = 2 * KERNEL_ISA_COUNT + 1 };

struct bench_kernel_variants {
    struct bench_kernel_variant at[BENCH_VARIANTS_MAX];
    int count;
};

/* Those that a list names, "avx2,avx2+packed,openblas"; NULL: `best`, with and without packing, and OpenBLAS. */
int bench_kernel_variants_choose(struct bench_kernel_variants *v, const char *list, enum kernel_isa best,
                                 struct base_error *e);
void bench_kernel_variants_without_openblas(struct bench_kernel_variants *v);
/* Those of them that a case has, into `own`; returns how many: instruction sets whose kernel is one of their own,
 * packed weights for matmuls, OpenBLAS for those in FP32. */
int bench_kernel_variants_of(const struct bench_kernel_variants *v, const struct bench_kernel_case *c,
                             struct bench_kernel_variant own[BENCH_VARIANTS_MAX]);
/* Leaves the cases that one of them has. */
void bench_kernel_variants_keep(const struct bench_kernel_variants *v, struct bench_kernel_cases *cases);
/* How their matmuls are cut, and from what. */
void bench_kernel_variants_explain(FILE *page, const struct bench_kernel_variants *v, const struct kernel_caches *c,
                                   int threads);

#endif
