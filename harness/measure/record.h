/* SPDX-License-Identifier: Apache-2.0
 *
 * What records of kinds "kernel" and "comm" have in common. */
#ifndef TOISE_MEASURE_RECORD_H
#define TOISE_MEASURE_RECORD_H

#include "measure/sampler.h"
#include "records/launch.h"

/* The launch that records come from. */
struct measure_origin {
    const struct record_launch *launch;
    int ranks;
    int threads;              /* per rank */
    const char *threads_from; /* rank 0's, from measure_place */
    json_t *machine;          /* borrowed */
};

/* A new record with schema, status, launch, machine, workload (none) and layout. */
json_t *measure_record_head(const char *kind, enum record_status status, const char *why,
                            const struct measure_origin *origin);
/* Every sample in order, {key: [seconds of one call], "calls": per sample, ...}. Returns a new reference. */
json_t *measure_record_samples(const struct measure_timed *timed, const char *key);
/* Sets the time of a call as `key`, its interval as key_low and key_high, and its confidence. */
void measure_record_call(json_t *object, const struct measure_timed *timed, const char *key);

#endif
