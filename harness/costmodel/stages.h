/* SPDX-License-Identifier: Apache-2.0
 *
 * A priced step as a pipeline to simulate: the event simulation checks the closed form, and gives the trace. */
#ifndef TOISE_COSTMODEL_STAGES_H
#define TOISE_COSTMODEL_STAGES_H

#include "costmodel/schedule.h"
#include "costmodel/step.h"

/* Fills pipeline->stages, which the caller frees with free(). Layers are spread as the price has them; embedding and
 * head are on the first and last stage; the gradient message of a stage is what the price leaves exposed of it. Under
 * ZeRO-3 (FSDP) without a pipeline every layer is a chunk of the one device, with its gathers and its scatter as
 * messages of their own: what they expose is then the simulation's own answer.
 * BASE_BROKEN: out of memory. */
int cost_stages_fill(const struct cost_job *job, const struct cost_step *step, struct cost_pipeline *pipeline,
                     struct cost_stage **stages, struct base_error *e);

#endif
