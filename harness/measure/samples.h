/* SPDX-License-Identifier: Apache-2.0
 *
 * Every timed step of a launch, kept: when it began, how long it took, how long each phase of it, and what
 * interfered. All memory is taken beforehand; adding a sample only writes numbers. */
#ifndef TOISE_MEASURE_SAMPLES_H
#define TOISE_MEASURE_SAMPLES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/stats.h"
#include "measure/interference.h"

/* Confidence of a median's interval, asked and needed. */
#define MEASURE_CONFIDENCE 0.95
/* The interval is known well enough, and zero lies below it: the median can be told from nothing. */
static inline bool measure_measurable(const struct base_interval *interval) {
    return interval->confidence >= MEASURE_CONFIDENCE && interval->low > 0;
}

struct measure_samples {
    int capacity, count, phases;
    const char *const *names;                  /* [phases], the caller's, e.g. "forward" */
    double *start;                             /* [capacity], on base_clock_now's clock */
    double *seconds;                           /* [capacity] */
    double *phase;                             /* [capacity][phases], seconds */
    struct measure_interference *interference; /* [capacity], differences */
    unsigned *marks;                           /* [capacity], of enum measure_mark */
};

int measure_samples_open(struct measure_samples *samples, int capacity, int phases, const char *const *names,
                         struct base_error *e);
/* Keeps one step; false when full. interference may be NULL: none read; phase where there are none. */
bool measure_samples_add(struct measure_samples *samples, double start, double seconds, const double *phase,
                         const struct measure_interference *interference, unsigned marks);
/* {"step_s": [], "start_s": [] from the first one's start, "phase_s": {name: []}, "interference": {field: []},
 * "marks": [["steal", ...], ...]}, arrays in the order of the steps; what is not finite is null */
json_t *measure_samples_json(const struct measure_samples *samples);
void measure_samples_close(struct measure_samples *samples);

#endif
