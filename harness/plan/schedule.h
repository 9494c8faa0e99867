/* SPDX-License-Identifier: Apache-2.0
 *
 * Which micro-batch each stage of a pipeline works on, one after the other. Stage c * devices + d of the model is
 * chunk c of device d. */
#ifndef TOISE_PLAN_SCHEDULE_H
#define TOISE_PLAN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum plan_schedule {
    PLAN_GPIPE,       /* all forward, then all backward (Huang et al. 2019) */
    PLAN_1F1B,        /* one forward, one backward (Narayanan et al. 2019, PipeDream-flush), */
                      /* with several chunks of layers a device: interleaved (Narayanan et al. 2021) */
    PLAN_ZERO_BUBBLE, /* weight gradients fill the bubble, ZB-H1 (Qi et al. 2024) */
    PLAN_SCHEDULES
};

struct plan_pipeline {
    enum plan_schedule schedule;
    int devices, chunks; /* chunks of a device */
    int64_t micro_batches;
};

enum plan_task { PLAN_FORWARD, PLAN_BACKWARD, PLAN_WEIGHT }; /* weight: gradients of weights that backward left out */

struct plan_step {
    enum plan_task task;
    int chunk;
    int64_t micro_batch;
};

const char *plan_schedule_name(enum plan_schedule schedule);
/* false: unknown; *schedule is left alone. */
bool plan_schedule_find(const char *name, enum plan_schedule *schedule);

/* BASE_USAGE: sizes that the schedule cannot have (interleaved: micro-batches in whole multiples of the devices). */
int plan_pipeline_check(const struct plan_pipeline *p, struct base_error *e);
/* Micro-batch chunks whose activations a device holds at once, at most. */
int64_t plan_pipeline_in_flight(const struct plan_pipeline *p, int device);
/* Tasks of one device. */
int64_t plan_pipeline_steps(const struct plan_pipeline *p);
/* Fills steps[plan_pipeline_steps(p)]. */
void plan_pipeline_order(const struct plan_pipeline *p, int device, struct plan_step *steps);

#endif
