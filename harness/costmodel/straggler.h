/* SPDX-License-Identifier: Apache-2.0
 *
 * What one slow node costs when all others wait for it, by the event simulation. It does not know which node is slow,
 * so it tries every place in the pipeline. */
#ifndef TOISE_COSTMODEL_STRAGGLER_H
#define TOISE_COSTMODEL_STRAGGLER_H

#include "costmodel/job.h"
#include "costmodel/step.h"

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
