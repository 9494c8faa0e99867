/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm": one a size, and one of what ranks leave each other; the schema is in results/README.md. */
#ifndef TOISE_RUN_COMM_RECORD_H
#define TOISE_RUN_COMM_RECORD_H

#include <jansson.h>

#include "run/comm.h"

/* What all records of a launch have in common. */
struct run_comm_origin {
    const char *launch;
    const struct comm *world;
    int threads;              /* of a rank */
    const char *threads_from; /* rank 0's, of run_place */
    json_t *machine;          /* borrowed */
};

/* New references. A record that FAILED holds no rate, and no samples to make one of. */
json_t *run_comm_record(const struct run_comm_size *size, const struct run_comm_origin *origin);
json_t *run_comm_share_record(const struct run_comm_share *share, const struct run_comm_origin *origin);

/* nccl-tests' (doc/PERFORMANCE.md): a buffer's bytes over the time; and what a link of a ring carried meanwhile, each
 * rank sending 2 (ranks - 1) / ranks of its buffer: comparable across numbers of ranks. */
double run_comm_algbw(double bytes, double seconds);
double run_comm_busbw(double bytes, double seconds, int ranks);

#endif
