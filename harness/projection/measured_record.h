/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of kind "project" for a machine that toise has measured. It has no training cost. */
#ifndef TOISE_PROJECTION_MEASURED_RECORD_H
#define TOISE_PROJECTION_MEASURED_RECORD_H

#include <jansson.h>

#include "projection/measured.h"

/* Returns a new record. It is FAILED if the node's memory is too small for the plan's ranks, else PASSED. */
json_t *projection_measured_record(const struct projection_measured *priced, const struct machine *machine,
                                   const struct plan *plan);

#endif
