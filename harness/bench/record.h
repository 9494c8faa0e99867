/* SPDX-License-Identifier: Apache-2.0
 *
 * What the records of this room's two commands, "kernel" and "comm", share. */
#ifndef TOISE_BENCH_RECORD_H
#define TOISE_BENCH_RECORD_H

#include "measure/sampler.h"
#include "records/set.h"

/* Where a launch's records come from. */
struct bench_origin {
    const char *launch; /* its id */
    int ranks, nodes;
    int threads;              /* of a rank */
    const char *threads_from; /* rank 0's, of measure_place */
    json_t *machine;          /* borrowed */
};

/* A new record with schema, status, launch, machine, workload (none) and layout. */
json_t *bench_record_head(const char *kind, enum record_status status, const char *why,
                          const struct bench_origin *origin);
/* Every sample in the order taken, {key: [seconds of one call], "calls": in a sample, ...}; a new reference. */
json_t *bench_record_samples(const struct measure_timed *timed, const char *key);
/* call_s, its interval and confidence, under the names that begin with `key`. */
void bench_record_call(json_t *object, const struct measure_timed *timed, const char *key);

#endif
