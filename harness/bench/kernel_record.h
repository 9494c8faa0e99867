/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "kernel", one per variant of a case, and "openblas". The schema is in results/README.md. */
#ifndef TOISE_BENCH_KERNEL_RECORD_H
#define TOISE_BENCH_KERNEL_RECORD_H

#include <jansson.h>

#include "bench/kernel_bench.h"
#include "bench/openblas.h"
#include "measure/record.h"

/* The source of a launch's cases: a model or a file of shapes; the other is NULL. */
struct bench_kernel_origin {
    struct measure_origin launch;
    const char *model, *shapes;
    int64_t seq, micro_batch; /* the model's */
};

/* Returns a new reference. A FAILED record has no rate and no samples. */
json_t *bench_kernel_record(const struct bench_kernel_set *set, int variant, const struct bench_kernel_origin *origin);
/* A record of kind "openblas": the core type in use, and a faster one. */
json_t *bench_openblas_record(const struct bench_openblas *openblas, const struct bench_kernel_origin *origin);
/* Describes a case without measurements, for records and for --dry-run. */
json_t *bench_kernel_case_json(const struct bench_kernel_case *c);

#endif
