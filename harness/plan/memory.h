/* SPDX-License-Identifier: Apache-2.0
 *
 * Part of plan_make. */
#ifndef TOISE_PLAN_MEMORY_H
#define TOISE_PLAN_MEMORY_H

#include "plan/plan.h"

/* Fills plan->part and plan->shape from the request and the place. */
void plan_part_fill(struct plan *plan);
/* Layers of the rank of which backward computes again what is not kept. */
int64_t plan_layers_again(const struct plan *plan);
/* Fills plan->arenas and memory_bytes. params: those of plan->part. */
void plan_memory_fill(struct plan *plan, const struct model_params *params);

#endif
