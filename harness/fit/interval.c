/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the quantiles by class. */
#include "fit/interval.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

static const double LOW = 0.05, HIGH = 0.95;
static const int BORROWED = 12;   /* pseudo-runs with the quantiles of all runs of the kind, in each class */
static const int FEW = 8;         /* runs of a kind that have no quantiles of their own */
static const double WIDEN = 0.25; /* for every doubling beyond the largest run */

/* -1: none */
static int find(const struct fit_intervals *t, const struct cost_job *job) {
    for (int i = 0; i < t->count; i++) {
        const struct fit_class *c = &t->class[i];
        if (c->device == job->platform.class && c->framework == job->traits.framework &&
            c->fabric == job->platform.fabric && c->kind == cost_job_kind(job))
            return i;
    }
    return -1;
}

static int collect(struct fit_intervals *t, const struct cost_job *job, struct base_error *e) {
    int i = find(t, job);
    if (i < 0 && t->count == FIT_CLASSES) return base_fail(e, BASE_BROKEN, "more than %d classes of runs", FIT_CLASSES);
    if (i < 0) {
        i = t->count++;
        t->class[i] = (struct fit_class){.device = job->platform.class,
                                         .framework = job->traits.framework,
                                         .fabric = job->platform.fabric,
                                         .kind = cost_job_kind(job)};
    }
    t->class[i].runs++;
    t->class[i].accelerators = fmax(t->class[i].accelerators, job->accelerators);
    return BASE_OK;
}

struct quantiles {
    double low, high;
};

static const struct quantiles nothing = {INFINITY, -INFINITY};

static struct quantiles widest(struct quantiles a, struct quantiles b) {
    return (struct quantiles){fmin(a.low, b.low), fmax(a.high, b.high)};
}

/* Residuals as `fold` says, of runs of a kind, or of all kinds if they are few. x: room for all. */
static struct quantiles quantiles_of(const struct fit_residual *r, int count, int kind, bool fold, double *x) {
    int n = 0;
    for (int i = 0; i < count; i++)
        if (kind == COST_KINDS || (int)cost_job_kind(r[i].job) == kind) x[n++] = fold ? r[i].fold : r[i].source;
    if (n < FEW && kind < COST_KINDS) return quantiles_of(r, count, COST_KINDS, fold, x);
    return (struct quantiles){base_stats_quantile(x, n, LOW), base_stats_quantile(x, n, HIGH)};
}

/* Both quantiles of a class, shrunk towards those of all runs of its kind. */
static void settle(struct fit_intervals *t, int index, const struct fit_residual *r, int count, double *x) {
    struct fit_class *c = &t->class[index];
    const struct quantiles kind = quantiles_of(r, count, c->kind, true, x);
    int n = 0;
    for (int i = 0; i < count; i++)
        if (find(t, r[i].job) == index) x[n++] = r[i].fold;
    c->low = (n * base_stats_quantile(x, n, LOW) + BORROWED * kind.low) / (n + BORROWED);
    c->high = (n * base_stats_quantile(x, n, HIGH) + BORROWED * kind.high) / (n + BORROWED);
}

static int runs_of(const struct fit_intervals *t, int kind) {
    int n = 0;
    for (int i = 0; i < t->count; i++) n += (int)t->class[i].kind == kind ? t->class[i].runs : 0;
    return n;
}

/* What was never fitted is never more certain than runs of its kind that were. */
static void unseen(struct fit_intervals *t, const struct fit_residual *r, int count, double *x) {
    struct quantiles all = nothing, q[COST_KINDS];
    for (int k = 0; k < COST_KINDS; k++) {
        q[k] = widest(quantiles_of(r, count, k, false, x), quantiles_of(r, count, k, true, x));
        all = widest(all, q[k]);
    }
    for (int k = 0; k < COST_KINDS; k++) {
        const struct quantiles own = runs_of(t, k) < FEW ? all : q[k];
        t->unseen_low[k] = own.low, t->unseen_high[k] = own.high;
    }
}

int fit_intervals_fill(const struct fit_residual *r, int count, struct fit_intervals *t, struct base_error *e) {
    int code = BASE_OK;
    *t = (struct fit_intervals){.count = 0};
    for (int k = 0; k < COST_KINDS; k++) t->unseen_low[k] = -INFINITY, t->unseen_high[k] = INFINITY;
    if (count == 0) return BASE_OK;
    double *x = malloc((size_t)count * sizeof *x);
    if (!x) return base_fail(e, BASE_BROKEN, "out of memory for %d residuals", count);
    for (int i = 0; i < count && !code; i++) code = collect(t, r[i].job, e);
    for (int i = 0; i < t->count && !code; i++) settle(t, i, r, count, x);
    if (!code) unseen(t, r, count, x);
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
    const enum cost_kind kind = cost_job_kind(job);
    *low_s = step_s * exp(-(c ? c->high * stretch(c, job) : t->unseen_high[kind]));
    *high_s = step_s * exp(-(c ? c->low * stretch(c, job) : t->unseen_low[kind]));
    return c ? c->runs : 0;
}

bool fit_interpolates(const struct fit_intervals *t, const struct cost_job *job) {
    const int i = find(t, job);
    return i >= 0 && job->accelerators <= t->class[i].accelerators;
}
