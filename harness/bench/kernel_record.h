/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "kernel", one a variant of a case, and "openblas"; the schema is in results/README.md. */
#ifndef TOISE_BENCH_KERNEL_RECORD_H
#define TOISE_BENCH_KERNEL_RECORD_H

#include <jansson.h>

#include "bench/kernel_bench.h"
#include "bench/openblas.h"
#include "bench/record.h"

/* Where a launch's cases come from: a model or a file of shapes; NULL: the other. */
struct bench_kernel_origin {
    struct bench_origin launch;
    const char *model, *shapes;
    int64_t seq, micro_batch; /* of the model */
};

/* A new reference. A record that FAILED holds no rate, and no samples to make one of. */
json_t *bench_kernel_record(const struct bench_kernel_set *set, int variant, const struct bench_kernel_origin *origin);
/* Of kind "openblas": which core type is in use, and which would be faster. */
json_t *bench_openblas_record(const struct bench_openblas *openblas, const struct bench_kernel_origin *origin);
/* What a case is, without anything measured: for records and for --dry-run. */
json_t *bench_kernel_case_json(const struct bench_kernel_case *c);

#endif
