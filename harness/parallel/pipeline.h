/* SPDX-License-Identifier: Apache-2.0
 *
 * What pipeline stages send: activations to the next stage, their gradient to the one before. A rank's tasks have the
 * order of plan/schedule.h. A message is received straight into the activations' memory, as soon as that is free, and
 * sent from there. So it travels while other micro-batches are computed. */
#ifndef TOISE_PARALLEL_PIPELINE_H
#define TOISE_PARALLEL_PIPELINE_H

#include "comm/comm.h"
#include "model/model.h"
#include "plan/plan.h"

struct parallel_pipeline {
    struct comm *comm; /* the stages; NULL: there is one, and nothing is sent */
    struct model *model;
    const struct plan *plan;
    struct plan_step *steps; /* this rank's tasks */
    int64_t count;
    struct comm_request *entry, *exit;  /* [chunks * slots] activations that come in and go out */
    struct comm_request come[2], go[2]; /* gradients likewise, in turns */
    int64_t slots;                      /* the most of a chunk */
    enum plan_task last;                /* of a micro-batch, after which its memory is free */
    int64_t done[MODEL_CHUNKS];         /* such tasks of a chunk */
    int64_t backwards;                  /* backward tasks of all chunks that are done */
    int64_t next[2];                    /* by kind of task: the first whose message is not yet awaited, */
    int64_t asked;                      /* and how many backward tasks come before it */
    bool silent;                        /* send nothing: values are not those of the model */
};

/* plan and model must outlive it. stages: NULL if there is one. */
int parallel_pipeline_open(struct parallel_pipeline *pipeline, const struct plan *plan, struct model *model,
                           struct comm *stages, struct base_error *e);
void parallel_pipeline_close(struct parallel_pipeline *pipeline);

/* Tasks of `micro_batches` micro-batches: of a step, or of 1. Then each task in turn: enter waits until its input is
 * there, and leave sends its result. end waits until all is sent. */
void parallel_pipeline_begin(struct parallel_pipeline *pipeline, int64_t micro_batches);
void parallel_pipeline_enter(struct parallel_pipeline *pipeline, int64_t task);
void parallel_pipeline_leave(struct parallel_pipeline *pipeline, int64_t task);
void parallel_pipeline_end(struct parallel_pipeline *pipeline);

#endif
