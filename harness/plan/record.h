/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a layout that every record of a plan has in common. */
#ifndef TOISE_PLAN_RECORD_H
#define TOISE_PLAN_RECORD_H

#include <jansson.h>

#include "plan/plan.h"

/* A new object of world, dp, micro_batch, accumulation and threads. Callers add keys of their own. */
json_t *plan_layout_record(const struct plan *plan);

/* A result's "communication": {"tp": {"total_s", "exposed_s"}, ...}, by the axis whose ranks talk; those that share
 * sequences also sum gradients, as data parallel ones. A stage's messages are in flight from when they are awaited, so
 * their total says nothing. */
json_t *plan_communication_record(const struct plan_layout *layout, const double total_s[PLAN_TALKING],
                                  const double exposed_s[PLAN_TALKING]);

#endif
