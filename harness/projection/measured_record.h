/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "project" for a machine that toise measured. */
#ifndef TOISE_PROJECTION_MEASURED_RECORD_H
#define TOISE_PROJECTION_MEASURED_RECORD_H

#include <jansson.h>

#include "projection/measured.h"

/* A new reference. PASSED, or FAILED where its memory does not hold the plan's ranks. */
json_t *projection_measured_record(const struct projection_measured *priced, const struct machine *machine,
                                   const struct plan *plan);

#endif
