/* SPDX-License-Identifier: Apache-2.0
 *
 * One slow node in a job where everybody waits: what it makes of a step, by the event simulation. */
#ifndef TOISE_COSTMODEL_STRAGGLER_H
#define TOISE_COSTMODEL_STRAGGLER_H

#include "costmodel/job.h"
#include "costmodel/step.h"

struct cost_straggler {
    double slower; /* asked: the node takes 1 + slower times as long over every stage that it holds */
    double step_s; /* the step with it, where it hurts most */
    double loss;   /* of the step without it */
    int rank;      /* the first pipeline rank of that place */
};

/* A replica's stages on the node take longer, and the other replicas wait for its gradients; a node holds several
 * stages where the ranks of a stage fill less than it (struct cost_platform's node_accelerators). Messages between
 * stages, the optimizer and what is paid once a step are as before. Every place of the node in the pipeline is tried.
 * BASE_BROKEN: out of memory. */
int cost_straggler_find(const struct cost_job *job, const struct cost_step *step, double slower,
                        struct cost_straggler *x, struct base_error *e);

#endif
