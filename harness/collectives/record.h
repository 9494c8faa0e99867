/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm": one per size, one for the lines fitted to all sizes, and one of ranks sharing a node. The
 * schema is in results/README.md. */
#ifndef TOISE_COLLECTIVES_RECORD_H
#define TOISE_COLLECTIVES_RECORD_H

#include <jansson.h>

#include "collectives/collectives.h"
#include "collectives/fit.h"
#include "measure/record.h"

/* Return new references. A FAILED record has no rate and no samples. */
json_t *collectives_record(const struct collectives_size *size, const struct measure_origin *origin);
json_t *collectives_share_record(const struct collectives_share *share, const struct measure_origin *origin);

/* The lines fitted to points[n], the times of one operation in one group; `of` is any of its sizes. INCONCLUSIVE: too
 * few points. */
json_t *collectives_fit_record(const struct collectives_size *of, const struct collectives_point *points, int n,
                               const struct collectives_fit *fit, const struct measure_origin *origin);

/* As in nccl-tests (doc/PERFORMANCE.md). algbw: a buffer's bytes over the time. busbw: what a link carried meanwhile,
 * by the operation's factor (op.h), so that it compares across operations and numbers of ranks. */
double collectives_algbw(double bytes, double seconds);
double collectives_busbw(const struct collectives_op *op, double bytes, double seconds, int ranks);

#endif
