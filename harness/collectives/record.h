/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm": one per size, and one of ranks sharing a node. The schema is in results/README.md. */
#ifndef TOISE_COLLECTIVES_RECORD_H
#define TOISE_COLLECTIVES_RECORD_H

#include <jansson.h>

#include "collectives/collectives.h"
#include "measure/record.h"

/* Return new references. A FAILED record has no rate and no samples. */
json_t *collectives_record(const struct collectives_size *size, const struct measure_origin *origin);
json_t *collectives_share_record(const struct collectives_share *share, const struct measure_origin *origin);

/* As in nccl-tests (doc/PERFORMANCE.md). algbw: a buffer's bytes over the time. busbw: what a link of a ring carried
 * meanwhile. Each rank sends 2 (ranks - 1) / ranks of its buffer, so busbw compares across numbers of ranks. */
double collectives_algbw(double bytes, double seconds);
double collectives_busbw(double bytes, double seconds, int ranks);

#endif
