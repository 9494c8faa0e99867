/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a priced step into a pipeline to simulate. The simulation checks the closed form of step.h and makes the trace.
 * It does not price anything itself. */
#ifndef TOISE_COSTMODEL_STAGES_H
#define TOISE_COSTMODEL_STAGES_H

#include "costmodel/schedule.h"
#include "costmodel/step.h"

/* Fills *pipeline and *stages; the caller frees *stages with free(). Stages have as many layers as in the price.
 * Embedding and head are on the first and last stage. A stage's gradient message is its exposed part in the price.
 * Under ZeRO-3 (FSDP) without a pipeline, every layer is a chunk of one device, with its own gather and reduce-scatter.
 * Then the simulation decides what is exposed. BASE_BROKEN: out of memory. */
int cost_stages_fill(const struct cost_job *job, const struct cost_step *step, struct cost_pipeline *pipeline,
                     struct cost_stage **stages, struct base_error *e);

#endif
