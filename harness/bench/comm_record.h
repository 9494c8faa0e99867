/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm": one per size, and one of ranks sharing a node. The schema is in results/README.md. */
#ifndef TOISE_BENCH_COMM_RECORD_H
#define TOISE_BENCH_COMM_RECORD_H

#include <jansson.h>

#include "bench/comm.h"
#include "bench/record.h"

/* Return new references. A FAILED record has no rate and no samples. */
json_t *bench_comm_record(const struct bench_comm_size *size, const struct bench_origin *origin);
json_t *bench_comm_share_record(const struct bench_comm_share *share, const struct bench_origin *origin);

/* As in nccl-tests (doc/PERFORMANCE.md). algbw: a buffer's bytes over the time. busbw: what a link of a ring carried
 * meanwhile. Each rank sends 2 (ranks - 1) / ranks of its buffer, so busbw compares across numbers of ranks. */
double bench_comm_algbw(double bytes, double seconds);
double bench_comm_busbw(double bytes, double seconds, int ranks);

#endif
