/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipeline schedules: the order in which each device works on micro-batches. Stage c * devices + d of the model is
 * chunk c of device d. */
#ifndef TOISE_PLAN_SCHEDULE_H
#define TOISE_PLAN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum plan_schedule {
    PLAN_GPIPE,       /* all forwards, then all backwards (Huang et al. 2019) */
    PLAN_1F1B,        /* one forward, one backward (Narayanan et al. 2019, PipeDream-flush), */
                      /* with several chunks of layers on each device: interleaved (Narayanan et al. 2021) */
    PLAN_ZERO_BUBBLE, /* weight gradients fill the bubble, ZB-H1 (Qi et al. 2024) */
    PLAN_SCHEDULES
};

struct plan_pipeline {
    enum plan_schedule schedule;
    int devices, chunks; /* chunks on each device */
    int64_t micro_batches;
};

enum plan_task { PLAN_FORWARD, PLAN_BACKWARD, PLAN_WEIGHT }; /* PLAN_WEIGHT: weight gradients that backward deferred */
enum { PLAN_TASKS = PLAN_WEIGHT + 1 };

struct plan_step {
    enum plan_task task;
    int chunk;
    int64_t micro_batch;
};

const char *plan_schedule_name(enum plan_schedule schedule);
/* False: unknown name; *schedule is unchanged. */
bool plan_schedule_find(const char *name, enum plan_schedule *schedule);
/* What a user may write: the names, then "zb" for zero-bubble; NULL: no more words. And what such a word means. */
const char *plan_schedule_word(int i);
enum plan_schedule plan_schedule_of(int word);

/* BASE_USAGE: sizes that the schedule does not allow. Interleaving needs a multiple of `devices` micro-batches. */
int plan_pipeline_check(const struct plan_pipeline *p, struct base_error *e);
/* The most micro-batch chunks that a device has between their forward and their backward. */
int64_t plan_pipeline_in_flight(const struct plan_pipeline *p, int device);
/* A micro-batch's last task on a device. */
enum plan_task plan_pipeline_last(const struct plan_pipeline *p);
/* The most of one chunk between their forward and that task, so whose activations are kept at once; and between their
 * backward and that task, if it is another. */
int64_t plan_pipeline_slots(const struct plan_pipeline *p, int device, int chunk);
int64_t plan_pipeline_late(const struct plan_pipeline *p, int device, int chunk);
/* The share of a step in which a device waits for others, if all stages take equally long and messages no time. GPipe
 * and 1F1B: (devices - 1) / (devices - 1 + micro-batches * chunks) (Narayanan et al. 2021). Zero-bubble, of a task that
 * is as long as each of the others: idle / (idle + 3 micro-batches), where idle is devices - 1 (Qi et al. 2024, table
 * 2), and one more for each micro-batch that the pipeline lacks to be full. */
double plan_pipeline_bubble(const struct plan_pipeline *p);
/* The number of tasks of one device. */
int64_t plan_pipeline_steps(const struct plan_pipeline *p);
/* Calls each for its tasks, in order; fills steps[plan_pipeline_steps(p)] with them. */
typedef void plan_each_step(void *context, const struct plan_step *step);
void plan_pipeline_each(const struct plan_pipeline *p, int device, plan_each_step *each, void *context);
void plan_pipeline_order(const struct plan_pipeline *p, int device, struct plan_step *steps);

#endif
