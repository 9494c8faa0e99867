/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a layout that every record of a plan has in common. */
#ifndef TOISE_PLAN_RECORD_H
#define TOISE_PLAN_RECORD_H

#include <jansson.h>

#include "plan/plan.h"

/* A new object of world, dp, micro_batch, accumulation and threads. Callers add keys of their own. */
json_t *plan_layout_record(const struct plan *plan);

#endif
