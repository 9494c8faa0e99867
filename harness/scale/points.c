/* SPDX-License-Identifier: Apache-2.0
 *
 * Points of a curve: the runs of one n, their rate, and their ratio to the base. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "scale/parts.h"

enum { RUNS_MOST = 4096 }; /* of a point */
static const struct scale_value UNKNOWN = {NAN, NAN, NAN};

/* The logarithms of a point's rates. Returns how many. */
static int logs_of(const struct scale_point *p, double x[RUNS_MOST]) {
    const int n = p->count < RUNS_MOST ? p->count : RUNS_MOST;
    for (int i = 0; i < n; i++) x[i] = log(p->runs[i].rate);
    return n;
}

/* The geometric mean of a point's rates with its interval over runs. One run has its own interval, of its steps. */
static void set_rate(struct scale_point *p) {
    double x[RUNS_MOST];
    const int n = logs_of(p, x);
    const double mean = base_stats_average(x, n);
    p->rate.value = exp(mean);
    p->of = n == 1 ? "step" : p->runs[0].repeat && p->runs[n - 1].repeat ? "repeat" : "launch";
    if (n == 1) {
        p->rate.low = record_real(p->runs->record, "result.tokens_per_s_low");
        p->rate.high = record_real(p->runs->record, "result.tokens_per_s_high");
        return;
    }
    const double half = base_stats_student(0.5 + SCALE_CONFIDENCE / 2, n - 1) * sqrt(base_stats_variance(x, n) / n);
    p->rate.low = exp(mean - half);
    p->rate.high = exp(mean + half);
}

/* The mean over runs of a figure that `of` finds in a record; NAN: no run has it. */
static double mean_over(const struct scale_point *p, double (*of)(const json_t *record)) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < p->count; i++) {
        const double x = of(p->runs[i].record);
        if (isfinite(x)) sum += x, n++;
    }
    return n ? sum / n : NAN;
}

static double exposed_of(const json_t *record) {
    return record_real(record, "result.exposed_s");
}

static double compute_of(const json_t *record) {
    const json_t *rank;
    double slowest = NAN;
    size_t i;
    json_array_foreach(record_at(record, "result.per_rank"), i, rank) slowest =
        fmax(slowest, record_real(rank, "compute_s"));
    return slowest;
}

static double wait_of(const json_t *record) {
    const json_t *ranks = record_at(record, "result.per_rank"), *rank;
    double sum = 0;
    size_t i;
    json_array_foreach(ranks, i, rank) sum += record_real(rank, "wait_s");
    return json_array_size(ranks) ? sum / (double)json_array_size(ranks) : NAN;
}

/* Runs of both points in the same repeats of the same sweep. Returns how many; fills their logarithms. */
static int pair_runs(const struct scale_point *base, const struct scale_point *p, double *x, double *y) {
    int pairs = 0;
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < base->count && pairs < RUNS_MOST; k++) {
            const struct scale_run *a = &base->runs[k], *b = &p->runs[i];
            if (!a->repeat || a->repeat != b->repeat ||
                strcmp(record_text(a->record, "launch.id"), record_text(b->record, "launch.id")) != 0)
                continue;
            x[pairs] = log(a->rate), y[pairs++] = log(b->rate);
            break;
        }
    return pairs;
}

/* Half the interval of a single run's logarithm; NAN: unknown. */
static double own_half(const struct scale_point *p) {
    return log(p->rate.high / p->rate.low) / 2;
}

/* Speed-up and efficiency. Pairs if there are two, else all runs of both; of two single runs their own intervals. */
static void set_ratio(const struct scale_curve *c, struct scale_point *p) {
    double x[RUNS_MOST], y[RUNS_MOST];
    const struct scale_point *base = &c->points[c->base];
    const double units = (double)base->n / p->n;
    const int pairs = p == base ? 0 : pair_runs(base, p, x, y);
    double log_of, half = 0;
    p->paired = pairs > 1;
    if (p->paired) {
        const struct study_ratio r = study_ratio_paired(x, y, pairs);
        log_of = r.log, half = log(study_ratio_high(&r, 1 - SCALE_CONFIDENCE)) - r.log;
    } else {
        const int n = logs_of(base, x), m = logs_of(p, y);
        const struct study_ratio r = study_ratio_welch(x, n, y, m);
        log_of = p == base ? 0 : r.log;
        if (p != base) half = log(study_ratio_high(&r, 1 - SCALE_CONFIDENCE)) - r.log;
        if (isnan(half)) half = hypot(own_half(base), own_half(p));
    }
    p->speedup = (struct scale_value){exp(log_of), exp(log_of - half), exp(log_of + half)};
    p->efficiency = (struct scale_value){units * p->speedup.value, units * p->speedup.low, units * p->speedup.high};
}

static void set_point(const struct scale_curve *c, struct scale_point *p) {
    p->n = p->runs->n, p->ranks = p->runs->ranks, p->nodes = p->runs->nodes, p->batch = p->runs->batch;
    p->why = "";
    p->rate = p->speedup = p->efficiency = UNKNOWN;
    p->step_s = p->compute_s = p->exposed_s = p->wait_s = NAN;
    for (int i = 0; i < p->count; i++)
        if (p->runs[i].status > p->status) p->status = p->runs[i].status, p->why = p->runs[i].why;
    for (int i = 0; i < p->count; i++)
        if (isnan(p->runs[i].rate)) return;
    set_rate(p);
    p->step_s = scale_tokens(c, p->n) / p->rate.value;
    p->compute_s = mean_over(p, compute_of);
    p->exposed_s = mean_over(p, exposed_of);
    p->wait_s = mean_over(p, wait_of);
}

/* How much runs of a point vary, over all points. */
static void pool(struct scale_curve *c) {
    double squares = 0;
    c->run_df = 0;
    for (int k = 0; k < c->count; k++) {
        const struct scale_point *p = &c->points[k];
        for (int i = 0; i < p->count && scale_point_rated(p); i++) {
            const double off = log(p->runs[i].rate / p->rate.value);
            squares += off * off;
        }
        if (scale_point_rated(p)) c->run_df += p->count - 1;
    }
    c->run_sd = c->run_df > 0 ? sqrt(squares / c->run_df) : NAN;
}

int scale_points_make(struct scale_curve *c, struct base_error *e) {
    c->points = calloc((size_t)c->run_count, sizeof *c->points);
    if (!c->points) return base_fail(e, BASE_BROKEN, "out of memory for %d points", c->run_count);
    for (int i = 0; i < c->run_count; i++) {
        struct scale_point *last = c->count ? &c->points[c->count - 1] : NULL;
        if (last && last->runs->n == c->runs[i].n)
            last->count++;
        else
            c->points[c->count++] = (struct scale_point){.runs = &c->runs[i], .count = 1};
    }
    for (int k = 0; k < c->count; k++) set_point(c, &c->points[k]);
    c->base = 0;
    while (c->base < c->count && !scale_point_rated(&c->points[c->base])) c->base++;
    if (c->base == c->count) c->base = -1;
    for (int k = 0; k < c->count && c->base >= 0; k++)
        if (scale_point_rated(&c->points[k])) set_ratio(c, &c->points[k]);
    pool(c);
    return BASE_OK;
}

const struct scale_point *scale_point_of(const struct scale_curve *c, int n) {
    for (int k = 0; k < c->count; k++)
        if (c->points[k].n == n) return &c->points[k];
    return NULL;
}
