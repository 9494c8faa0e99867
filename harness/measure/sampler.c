/* SPDX-License-Identifier: Apache-2.0
 *
 * Calibrates the loop, takes samples, and derives the time of a call. Nothing prints or allocates between two readings
 * of the clock. */
#include "measure/sampler.h"

#include <math.h>

#include "base/clock.h"

enum {
    LEAST_SAMPLES = 6, /* fewest samples whose range is a 95% interval of the median */
    LEAST_WINDOWS = 3, /* fewest quota windows whose spread is meaningful */
    SAMPLES = 24,      /* samples that the budget is divided into */
    TRIES = 3,         /* calibrations, since a quota may interrupt one */
    OVERTIME = 20      /* limit, in budgets, for calls so slow that they need more time for the fewest samples */
};
static const double SAMPLE_S = 0.001; /* minimum: keeps the clock's grain and the team's start negligible */

static bool under_quota(const struct measure_sampler *s) {
    return s->quota_s > 0;
}

/* Grows the loop until it is long enough for the clock, then sizes it for the budget. */
void measure_sampler_calibrate(const struct measure_sampler *s, struct measure_timed *t) {
    const double sample_s = under_quota(s) ? SAMPLE_S : fmax(SAMPLE_S, s->seconds / SAMPLES);
    for (int try = 0; try < (under_quota(s) ? TRIES : 1); try++) {
        int count = 1;
        double seconds = s->run(s->context, count);
        while (seconds < SAMPLE_S && count < s->calls_max) seconds = s->run(s->context, count *= 2);
        if (try && seconds / count > t->call.median) continue;
        t->calls = (int)fmin(fmax(1, round(count * sample_s / seconds)), s->calls_max);
        t->call.median = seconds / count;
    }
}

static void update_interval(const struct measure_sampler *s, struct measure_timed *t) {
    const double *seconds = t->samples.seconds;
    const int count = t->samples.count;
    t->call = base_stats_median(seconds, count, MEASURE_CONFIDENCE);
    if (under_quota(s)) {
        const struct base_mean m = base_stats_mean(seconds, count);
        t->call = (struct base_interval){m.mean, m.low, m.high, count >= LEAST_WINDOWS ? MEASURE_CONFIDENCE : 0};
    }
    t->call.median /= t->calls;
    t->call.low /= t->calls;
    t->call.high /= t->calls;
}

/* Seconds of a loop of `calls` calls. Under a quota it is the mean over loops that run without a pause for a whole
 * quota window. *window: seconds of all loops. */
static double timed(const struct measure_sampler *s, int calls, double start, double *window) {
    int loops = 1;
    *window = s->run(s->context, calls);
    if (!under_quota(s)) return *window;
    while ((*window = base_clock_now() - start) < s->quota_s) s->run(s->context, calls), loops++;
    return *window / loops;
}

void measure_sampler_take(const struct measure_sampler *s, struct measure_timed *t) {
    struct measure_interference before, after;
    double start = base_clock_now(), window;
    while (under_quota(s) && base_clock_now() - start < s->quota_lead_s) s->run(s->context, t->calls);
    measure_watch_read(s->watch, &before);
    start = base_clock_now();
    const double seconds = timed(s, t->calls, start, &window);
    measure_watch_read(s->watch, &after);
    const struct measure_interference between = measure_interference_difference(&after, &before);
    measure_samples_add(&t->samples, start, seconds, NULL, &between,
                        measure_interference_marks(&between, window, s->watch->cpus.count));
    update_interval(s, t);
}

int measure_sampler_least(const struct measure_sampler *s) {
    return under_quota(s) ? LEAST_WINDOWS : LEAST_SAMPLES;
}

bool measure_sampler_narrow(const struct measure_sampler *s, const struct measure_timed *t) {
    return t->samples.count >= measure_sampler_least(s) &&
           (t->call.high - t->call.low) / 2 <= s->width * t->call.median;
}

bool measure_sampler_goes_on(const struct measure_sampler *s, double spent, int count, bool narrow) {
    const bool few = count < measure_sampler_least(s);
    return count < s->samples_max &&
           (spent < s->seconds / 2 || (spent < s->seconds && !narrow) || (few && spent < OVERTIME * s->seconds));
}
