/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise kernels`, and the cases and variants that they come to. */
#ifndef TOISE_CLI_KERNELS_OPTIONS_H
#define TOISE_CLI_KERNELS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "bench/kernel_bench.h"
#include "bench/kernel_cases.h"

struct cli_kernels_flags {
    const char *ops, *shapes, *model, *dtypes, *variants, *out;
    int64_t seq, micro_batch, threads, seed;
    double seconds, width;
    bool json, explain, dry_run, probe, help;
    bool model_given, seq_given, batch_given;
};

struct cli_kernels_setup {
    struct bench_kernel_cases cases;
    struct bench_kernel_variant variants[BENCH_VARIANTS_MAX];
    int variant_count;
    struct bench_kernel_options options;
    char model[64]; /* "" when the shapes come from a file */
    int64_t seq, micro_batch;
};

int cli_kernels_flags_parse(struct cli_kernels_flags *flags, int argc, char *const *argv, struct base_error *e);
void cli_kernels_flags_help(FILE *out);
/* The cases are freed by bench_kernel_cases_close, also after an error. */
int cli_kernels_resolve(const struct cli_kernels_flags *flags, struct cli_kernels_setup *setup, struct base_error *e);
/* The variants that a list names, all when NULL, into the setup. */
int cli_kernels_variants_resolve(const char *list, struct cli_kernels_setup *setup, struct base_error *e);
/* Takes OpenBLAS from them. */
void cli_kernels_without_openblas(struct cli_kernels_setup *setup);
/* Those of them that a case has, into `own`: instruction sets whose kernel is one of their own, packed weights for
 * matmuls, OpenBLAS for those in FP32. */
int cli_kernels_variants(const struct cli_kernels_setup *setup, const struct bench_kernel_case *c,
                         struct bench_kernel_variant own[BENCH_VARIANTS_MAX]);

/* The words of a comma-separated list, into words[most], cut from `text`; -1 when they are more, or longer. */
enum { CLI_KERNELS_LIST = 512 };
int cli_kernels_words(const char *list, char text[CLI_KERNELS_LIST], const char *words[], int most);

/* Adds the shapes of a file to the list, in one dtype. A line is a shape; what follows # is a comment:
 *   NT M N K                                                   matmul, how A and B are stored (N as used, T transposed)
 *   attention BATCH HEADS KV_HEADS SEQ HEAD_DIM [window N] [alibi]
 *   rows ROWS COLS                                             norms, activation functions, cross-entropy, column sums
 *   elements N                                                 AdamW, sums of squares, conversions, copies
 * With A transposed C is FP32 and is added to, as gradients of weights are. BASE_USAGE names file, line, field, fix. */
int cli_kernels_shapes(const char *path, enum kernel_dtype dtype, struct bench_kernel_cases *cases,
                       struct base_error *e);

#endif
