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

/* What one slow node costs when all others wait for it. Nobody knows which node is slow, so every place in the pipeline
 * is tried. */
struct cost_straggler {
    double slower; /* as asked: the node's stages take 1 + slower times as long */
    double step_s; /* the step with the node in its worst place */
    double loss;   /* share by which the step is longer than without it */
    int rank;      /* first pipeline rank of the worst place */
};

/* One replica's stages on the node take longer, and the other replicas wait for its gradients. A node holds several
 * stages if the ranks of a stage do not fill it (node_accelerators of struct cost_platform). p2p, the optimizer and
 * other costs once per step do not change. BASE_BROKEN: out of memory. */
int cost_straggler_find(const struct cost_job *job, const struct cost_step *step, double slower,
                        struct cost_straggler *x, struct base_error *e);

#endif
