/* SPDX-License-Identifier: Apache-2.0
 *
 * How long does a call take? A loop of calls is cut once for the budget, then sampled until the interval of their
 * median is narrow or the budget ends. Under a CPU quota a sample is a window as long as a roof's, and a call's time
 * is wall time over calls: a median would be that of the bursts between the stops. */
#ifndef TOISE_MEASURE_SAMPLER_H
#define TOISE_MEASURE_SAMPLER_H

#include "measure/samples.h"

struct measure_sampler {
    double (*run)(void *context, int calls); /* seconds of so many calls, one after the other */
    void *context;
    const struct measure_watch *watch;
    double seconds;      /* the budget */
    double width;        /* wanted half-width of the interval over the median */
    int calls_max;       /* in a sample */
    int samples_max;     /* the capacity of samples */
    double quota_s;      /* measure_quota_window under a CPU quota; 0: none */
    double quota_lead_s; /* measure_quota_lead */
};

struct measure_timed {
    int calls;                      /* in a sample, or in each turn of a quota's window */
    struct measure_samples samples; /* without phases; of `calls` calls each, under a quota their mean */
    struct base_interval call;      /* seconds of one call: median, under a quota mean, with its interval */
};

/* Sets calls, and call.median to what one takes about. */
void measure_sampler_calibrate(const struct measure_sampler *s, struct measure_timed *t);
/* Takes one sample and settles call anew. */
void measure_sampler_take(const struct measure_sampler *s, struct measure_timed *t);
/* The fewest samples that have an interval. */
int measure_sampler_least(const struct measure_sampler *s);
bool measure_sampler_narrow(const struct measure_sampler *s, const struct measure_timed *t);
/* Whether to take one more: half the budget at least, all of it while not narrow, and more for calls so slow that
 * they are too few. */
bool measure_sampler_goes_on(const struct measure_sampler *s, double spent, int count, bool narrow);

#endif
