/* SPDX-License-Identifier: Apache-2.0
 *
 * An event simulation of a pipeline's schedule, with uneven stages, point-to-point messages and gradient messages.
 * Ranks that do the same (data and tensor parallel ones) are one stage here, so the cost does not grow with them. Times
 * are seconds. */
#ifndef TOISE_COSTMODEL_SCHEDULE_H
#define TOISE_COSTMODEL_SCHEDULE_H

#include "plan/schedule.h"

/* What one virtual stage does with one micro-batch. Stage c * devices + d is chunk c of device d. */
struct cost_stage {
    double forward, backward; /* backward: both gradients, and what is recomputed for them */
    double weight;            /* of backward, the weight gradient's part: zero-bubble puts it off */
    double gather;            /* message that brings its weights before each forward and backward (FSDP); 0: none */
    double reduce;            /* gradient message after its last backward, or after each; 0: none */
};

struct cost_pipeline {
    struct plan_pipeline plan;
    const struct cost_stage *stages; /* [chunks * devices] */
    double hop;                      /* activations (or their gradient) from a stage to its neighbour */
    bool blocking;                   /* a hop costs its receiver time, not delay alone */
    bool overlap;                    /* gathers (one ahead) and reduces run beside compute, one after the other */
    bool reduce_each;                /* gradients are reduced after every micro-batch (FSDP) */
    int slow_first, slow_count;      /* so many devices from this one on compute... */
    double slower;                   /* ...1 + slower times as long */
};

enum { COST_GATHER = PLAN_WEIGHT + 1, COST_REDUCE }; /* messages, beside the tasks of enum plan_task */

/* One thing that one device did. */
struct cost_event {
    int task; /* enum plan_task, or a message */
    int device, chunk;
    int64_t micro_batch;
    double start, end;
};

struct cost_timeline {
    double span;       /* from the start to the end of the last device's last task */
    double busy;       /* compute of the busiest device */
    double bubble;     /* share of all devices' time, to the end of the last one's compute, that waits for others */
    double exposed;    /* messages that nothing covers: what the span would lose if gathers and reduces took no time */
    double work, idle; /* device seconds, to the end of the last one's compute; bubble is idle / (work + idle) */
    int64_t events;    /* written */
    int64_t in_flight; /* most micro-batch chunks whose activations the first device holds at once */
};

/* Simulates every micro-batch. events: NULL or room for cost_pipeline_events(p). BASE_BROKEN: out of memory. */
int cost_pipeline_run(const struct cost_pipeline *p, struct cost_timeline *t, struct cost_event *events,
                      struct base_error *e);
int64_t cost_pipeline_events(const struct cost_pipeline *p);
/* The same timeline, for searches. With one chunk a device each further round of micro-batches takes the same time
 * beyond a few multiples of the devices, so two short simulations tell; several chunks may settle late, and are
 * simulated whole. */
int cost_pipeline_estimate(const struct cost_pipeline *p, struct cost_timeline *t, struct base_error *e);

#endif
