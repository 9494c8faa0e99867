/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm": one a size, and one of what ranks leave each other; the schema is in results/README.md. */
#ifndef TOISE_BENCH_COMM_RECORD_H
#define TOISE_BENCH_COMM_RECORD_H

#include <jansson.h>

#include "bench/comm.h"
#include "bench/record.h"

/* New references. A record that FAILED holds no rate, and no samples to make one of. */
json_t *bench_comm_record(const struct bench_comm_size *size, const struct bench_origin *origin);
json_t *bench_comm_share_record(const struct bench_comm_share *share, const struct bench_origin *origin);

/* nccl-tests' (doc/PERFORMANCE.md): a buffer's bytes over the time; and what a link of a ring carried meanwhile, each
 * rank sending 2 (ranks - 1) / ranks of its buffer: comparable across numbers of ranks. */
double bench_comm_algbw(double bytes, double seconds);
double bench_comm_busbw(double bytes, double seconds, int ranks);

#endif
