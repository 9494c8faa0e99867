/* SPDX-License-Identifier: Apache-2.0
 *
 * Event simulation of a pipeline's schedule, with uneven stages, p2p and gradient messages. Ranks that do the same
 * (data and tensor parallel ones) are one stage, so the cost does not grow with their number. It does not know where
 * the times come from. Times are seconds. */
#ifndef TOISE_COSTMODEL_SCHEDULE_H
#define TOISE_COSTMODEL_SCHEDULE_H

#include "plan/schedule.h"

/* Times of one virtual stage for one micro-batch. Stage c * devices + d is chunk c of device d. */
struct cost_stage {
    double forward;
    double backward; /* both gradients, and the recompute for them */
    double weight;   /* the weight gradient's part of backward; zero-bubble delays it */
    double gather;   /* all-gather of the weights before each forward and backward (FSDP); 0: none */
    double reduce;   /* gradient message after the last backward, or after each; 0: none */
};

struct cost_pipeline {
    struct plan_pipeline plan;
    const struct cost_stage *stages; /* [chunks * devices] */
    double hop;                      /* p2p of activations, or of their gradient, to the neighbouring stage */
    bool blocking;                   /* a hop occupies its receiver; otherwise it only delays the task */
    bool overlap;                    /* gathers (one prefetched) and reduces overlap compute; they share one queue */
    bool reduce_each;                /* gradients are reduced after every micro-batch (FSDP) */
    int slow_first;                  /* the first of slow_count slow devices */
    int slow_count;
    double slower; /* slow devices compute 1 + slower times as long */
};

enum { COST_GATHER = PLAN_WEIGHT + 1, COST_REDUCE }; /* messages; they extend enum plan_task */

/* A task or message of one device. */
struct cost_event {
    int task; /* enum plan_task, or a message */
    int device, chunk;
    int64_t micro_batch;
    double start, end;
};

struct cost_timeline {
    double span;       /* from the start to the end of the last task or message */
    double busy;       /* compute of the busiest device */
    double bubble;     /* idle / (work + idle) */
    double exposed;    /* exposed messages: how much shorter the span is if gathers and reduces take no time */
    double work, idle; /* device seconds of all devices, until the last one ends its compute */
    int64_t events;    /* number of events written */
    int64_t in_flight; /* most micro-batch chunks whose activations the first device holds at once */
};

/* Simulates every micro-batch. events: NULL, or an array of cost_pipeline_events(p). BASE_BROKEN: out of memory. */
int cost_pipeline_run(const struct cost_pipeline *p, struct cost_timeline *t, struct cost_event *events,
                      struct base_error *e);
int64_t cost_pipeline_events(const struct cost_pipeline *p);
/* Fills span, busy, exposed, idle and bubble, for searches. With one chunk a device, each further `devices`
 * micro-batches take the same time after the first few. So two short simulations are enough. Several chunks may settle
 * late and are simulated whole. */
int cost_pipeline_estimate(const struct cost_pipeline *p, struct cost_timeline *t, struct base_error *e);

#endif
