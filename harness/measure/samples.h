/* SPDX-License-Identifier: Apache-2.0
 *
 * All timed steps of a launch: start, duration, duration of each phase, and interference. Memory is allocated
 * beforehand; adding a sample only writes numbers.
 *
 * The room measure/ says when to sample and what a sample is worth. It promises samplers (sampler.h), measured and
 * nominal roofs (peak.h, bandwidth.h, and all of a machine: roofs.h), and the interference in each window
 * (interference.h). It also places ranks and threads (placement.h). Samples are marked, never dropped. It needs base/,
 * comm/ and the kernels. It does not know what is timed. */
#ifndef TOISE_MEASURE_SAMPLES_H
#define TOISE_MEASURE_SAMPLES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/stats.h"
#include "measure/interference.h"

/* Confidence that the interval of a median should have. */
#define MEASURE_CONFIDENCE 0.95
/* Whether the interval is reliable and above zero, so that the median differs from zero. */
static inline bool measure_measurable(const struct base_interval *interval) {
    return interval->confidence >= MEASURE_CONFIDENCE && interval->low > 0;
}

struct measure_samples {
    int capacity, count, phases;
    const char *const *names;                  /* [phases], owned by the caller, e.g. "forward" */
    double *start;                             /* [capacity], by base_clock_now */
    double *seconds;                           /* [capacity] */
    double *phase;                             /* [capacity][phases], seconds */
    struct measure_interference *interference; /* [capacity], differences */
    unsigned *marks;                           /* [capacity], of enum measure_mark */
};

int measure_samples_open(struct measure_samples *samples, int capacity, int phases, const char *const *names,
                         struct base_error *e);
/* Adds one step; false: full. interference may be NULL if none was read, and phase if there are no phases. */
bool measure_samples_add(struct measure_samples *samples, double start, double seconds, const double *phase,
                         const struct measure_interference *interference, unsigned marks);
/* {"step_s": [], "start_s": [] from the first start, "phase_s": {name: []}, "interference": {field: []}, "marks":
 * [["steal", ...], ...]}. Arrays are in the order of the steps; null for what is not finite. */
json_t *measure_samples_json(const struct measure_samples *samples);
/* One sample on its own, for a journal; and adds it to samples of the same phases. False: it is none, or they are
 * full. */
json_t *measure_samples_one(const struct measure_samples *samples, int i);
bool measure_samples_take(struct measure_samples *samples, const json_t *one);
void measure_samples_close(struct measure_samples *samples);

#endif
