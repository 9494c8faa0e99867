/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the quantiles by class. */
#include "fit/interval.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

static const double LOW = 0.05, HIGH = 0.95;
static const int BORROWED = 12;   /* pseudo-runs with the quantiles of all runs, in each class */
static const double WIDEN = 0.25; /* for every doubling beyond the largest run */

/* -1: none */
static int find(const struct fit_intervals *t, const struct cost_job *job) {
    for (int i = 0; i < t->count; i++) {
        const struct fit_class *c = &t->class[i];
        if (c->device == job->platform.class && c->framework == job->traits.framework &&
            c->fabric == job->platform.fabric)
            return i;
    }
    return -1;
}

static int collect(struct fit_intervals *t, const struct cost_job *job, struct base_error *e) {
    int i = find(t, job);
    if (i < 0 && t->count == FIT_CLASSES) return base_fail(e, BASE_BROKEN, "more than %d classes of runs", FIT_CLASSES);
    if (i < 0) {
        i = t->count++;
        t->class[i] = (struct fit_class){job->platform.class, job->traits.framework, job->platform.fabric, 0, 0, 0, 0};
    }
    t->class[i].runs++;
    t->class[i].accelerators = fmax(t->class[i].accelerators, job->accelerators);
    return BASE_OK;
}

/* Both quantiles of a class, shrunk towards those of all runs. */
static void settle(struct fit_intervals *t, int index, const struct fit_residual *r, int count, double low, double high,
                   double *x) {
    struct fit_class *c = &t->class[index];
    int n = 0;
    for (int i = 0; i < count; i++)
        if (find(t, r[i].job) == index) x[n++] = r[i].fold;
    c->low = (n * base_stats_quantile(x, n, LOW) + BORROWED * low) / (n + BORROWED);
    c->high = (n * base_stats_quantile(x, n, HIGH) + BORROWED * high) / (n + BORROWED);
}

int fit_intervals_fill(const struct fit_residual *r, int count, struct fit_intervals *t, struct base_error *e) {
    int code = BASE_OK;
    *t = (struct fit_intervals){.unseen_low = -INFINITY, .unseen_high = INFINITY};
    if (count == 0) return BASE_OK;
    double *x = malloc((size_t)count * sizeof *x);
    if (!x) return base_fail(e, BASE_BROKEN, "out of memory for %d residuals", count);
    for (int i = 0; i < count && !code; i++) code = collect(t, r[i].job, e);
    for (int i = 0; i < count; i++) x[i] = r[i].source;
    t->unseen_low = base_stats_quantile(x, count, LOW), t->unseen_high = base_stats_quantile(x, count, HIGH);
    for (int i = 0; i < count; i++) x[i] = r[i].fold;
    const double low = base_stats_quantile(x, count, LOW), high = base_stats_quantile(x, count, HIGH);
    for (int i = 0; i < t->count && !code; i++) settle(t, i, r, count, low, high, x);
    free(x);
    return code;
}

/* The factor on the logarithms of both sides. */
static double stretch(const struct fit_class *c, const struct cost_job *job) {
    return job->accelerators > c->accelerators ? 1 + WIDEN * log2(job->accelerators / c->accelerators) : 1;
}

int fit_interval(const struct fit_intervals *t, const struct cost_job *job, double step_s, double *low_s,
                 double *high_s) {
    const int i = find(t, job);
    const struct fit_class *c = i < 0 ? NULL : &t->class[i];
    *low_s = step_s * exp(-(c ? c->high * stretch(c, job) : t->unseen_high));
    *high_s = step_s * exp(-(c ? c->low * stretch(c, job) : t->unseen_low));
    return c ? c->runs : 0;
}

bool fit_interpolates(const struct fit_intervals *t, const struct cost_job *job) {
    const int i = find(t, job);
    return i >= 0 && job->accelerators <= t->class[i].accelerators;
}
