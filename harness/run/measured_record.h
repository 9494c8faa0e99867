/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "project" for a machine that toise measured. */
#ifndef TOISE_RUN_MEASURED_RECORD_H
#define TOISE_RUN_MEASURED_RECORD_H

#include <jansson.h>

#include "project/measured.h"

/* A new reference. PASSED, or FAILED where its memory does not hold the plan's ranks. */
json_t *run_measured_record(const struct project_measured *priced, const struct project_machine *machine,
                            const struct plan *plan);

#endif
