/* SPDX-License-Identifier: Apache-2.0
 *
 * Times one call. A loop of calls is sized once for the budget. It is sampled until the interval of the median is
 * narrow or the budget ends. Under a CPU quota a sample is a window as long as a roof's, and a call's time is wall time
 * over calls, because a median would show only the bursts between throttling. */
#ifndef TOISE_MEASURE_SAMPLER_H
#define TOISE_MEASURE_SAMPLER_H

#include "measure/samples.h"

struct measure_sampler {
    double (*run)(void *context, int calls); /* runs `calls` calls one after the other; returns the seconds */
    void *context;
    const struct measure_watch *watch;
    double seconds;      /* the budget */
    double width;        /* wanted half-width of the interval, relative to the median */
    int calls_max;       /* in a sample */
    int samples_max;     /* capacity of samples */
    double quota_s;      /* measure_quota_window under a CPU quota; 0: no quota */
    double quota_lead_s; /* measure_quota_lead */
};

struct measure_timed {
    int calls;                      /* in a sample, or in each loop of a quota's window */
    struct measure_samples samples; /* without phases; each of `calls` calls, or under a quota their mean */
    struct base_interval call;      /* seconds of one call: the median, or under a quota the mean, with its interval */
};

/* Sets calls, and call.median to the rough time of one call. */
void measure_sampler_calibrate(const struct measure_sampler *s, struct measure_timed *t);
/* Takes one sample and updates call. */
void measure_sampler_take(const struct measure_sampler *s, struct measure_timed *t);
/* The smallest number of samples that has an interval. */
int measure_sampler_least(const struct measure_sampler *s);
bool measure_sampler_narrow(const struct measure_sampler *s, const struct measure_timed *t);
/* Whether to take another sample. Sampling spends at least half the budget, and all of it if the interval is not
 * narrow. It takes longer if calls are so slow that samples are too few. */
bool measure_sampler_goes_on(const struct measure_sampler *s, double spent, int count, bool narrow);

#endif
