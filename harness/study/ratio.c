/* SPDX-License-Identifier: Apache-2.0
 *
 * Means of launches, jobs and nodes, and Student's t of their difference. */
#include "study/ratio.h"

#include <math.h>
#include <stdlib.h>

#include "base/stats.h"

const char *study_level_name(enum study_level level) {
    static const char *const names[] = {"launch", "job", "day", "node"};
    return names[level];
}

/* Welch and Satterthwaite's degrees of freedom for variances of n and m values. */
static double freedom(double base, double n, double new, double m) {
    const double a = base / n, b = new / m;
    return a + b > 0 ? (a + b) * (a + b) / (a * a / (n - 1) + b * b / (m - 1)) : n + m - 2;
}

struct study_ratio study_ratio_welch(const double *base, int n, const double *new, int m) {
    const double before = base_stats_variance(base, n), after = base_stats_variance(new, m);
    return (struct study_ratio){.log = base_stats_average(new, m) - base_stats_average(base, n),
                                .se = sqrt(before / n + after / m),
                                .df = freedom(before, n, after, m),
                                .sd = {sqrt(before), sqrt(after)},
                                .units = {n, m}};
}

struct study_ratio study_ratio_paired(const double *base, const double *new, int n) {
    const double mean = base_stats_average(new, n) - base_stats_average(base, n);
    double squares = 0;
    for (int i = 0; i < n; i++) squares += (new[i] - base[i] - mean) * (new[i] - base[i] - mean);
    const double sd = n > 1 ? sqrt(squares / (n - 1)) : NAN;
    return (struct study_ratio){
        .log = mean, .se = sd / sqrt(n), .df = n > 1 ? n - 1 : NAN, .sd = {sd, sd}, .units = {n, n}, .paired = true};
}

static int by_id(const void *a, const void *b) {
    const int x = ((const struct study_unit *)a)->id, y = ((const struct study_unit *)b)->id;
    return (x > y) - (x < y);
}

int study_units(const struct study_launch *launches, int n, enum study_level level, struct study_unit *units) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        const struct study_launch *l = &launches[i];
        const int id[] = {l->launch, l->job, l->day, l->node};
        units[i] = (struct study_unit){id[level], 1, l->log};
    }
    qsort(units, (size_t)n, sizeof *units, by_id);
    for (int i = 0; i < n; i++) {
        if (count && units[count - 1].id == units[i].id)
            units[count - 1].launches++, units[count - 1].log += units[i].log;
        else
            units[count++] = units[i];
    }
    for (int i = 0; i < count; i++) units[i].log /= units[i].launches;
    return count;
}

/* Room for the units of both sides. */
struct room {
    struct study_unit *base, *new;
    double *x, *y;
    int n, m;
};

static bool same_units(const struct room *k) {
    for (int i = 0; i < k->n && k->n == k->m; i++)
        if (k->base[i].id != k->new[i].id) return false;
    return k->n == k->m;
}

/* The highest level with enough units; fills the room with them. */
static enum study_level choose(const struct study_launch *base, int n, const struct study_launch *new, int m,
                               struct room *k) {
    for (enum study_level level = STUDY_LEVEL_NODE;; level--) {
        k->n = study_units(base, n, level, k->base), k->m = study_units(new, m, level, k->new);
        const bool enough = k->n >= STUDY_UNITS_LEAST && k->m >= STUDY_UNITS_LEAST;
        /* jobs and days of one launch are launches, unless days pair them */
        const bool single = level < STUDY_LEVEL_NODE && k->n == n && k->m == m;
        const bool pairs = level == STUDY_LEVEL_DAY && same_units(k);
        if (level == STUDY_LEVEL_LAUNCH || (enough && (!single || pairs))) return level;
    }
}

int study_ratio_launches(const struct study_launch *base, int n, const struct study_launch *new, int m,
                         struct study_ratio *r, struct base_error *e) {
    const size_t room = (size_t)n + (size_t)m + 1;
    struct study_unit *units = malloc(room * sizeof *units);
    double *logs = malloc(room * sizeof *logs);
    int code = BASE_OK;
    if (units && logs) {
        struct room k = {units, units + n, logs, logs + n, 0, 0};
        const enum study_level level = choose(base, n, new, m, &k);
        for (int i = 0; i < k.n; i++) k.x[i] = k.base[i].log;
        for (int i = 0; i < k.m; i++) k.y[i] = k.new[i].log;
        const bool paired = level >= STUDY_LEVEL_DAY && same_units(&k);
        *r = paired ? study_ratio_paired(k.x, k.y, k.n) : study_ratio_welch(k.x, k.n, k.y, k.m);
        r->level = level;
    } else {
        code = base_fail(e, BASE_BROKEN, "out of memory for %zu launches", room);
    }
    free(units), free(logs);
    return code;
}

/* Half the interval's width as a logarithm. */
static double half_width(const struct study_ratio *r, double alpha) {
    return isfinite(r->se) ? base_stats_student(1 - alpha / 2, r->df) * r->se : NAN;
}

double study_ratio_low(const struct study_ratio *r, double alpha) {
    return exp(r->log - half_width(r, alpha));
}

double study_ratio_high(const struct study_ratio *r, double alpha) {
    return exp(r->log + half_width(r, alpha));
}

/* Twice the probability of Student's t above `distance` standard errors. */
static double tail(const struct study_ratio *r, double distance) {
    if (!isfinite(r->se)) return NAN;
    if (r->se == 0) return distance > 0 ? 0 : 1;
    return fmin(1, 2 * base_stats_student_cdf(-distance / r->se, r->df));
}

double study_ratio_p(const struct study_ratio *r) {
    return tail(r, fabs(r->log));
}

double study_ratio_p_outside(const struct study_ratio *r, double delta) {
    return tail(r, log1p(delta) - fabs(r->log));
}

double study_ratio_detectable(const struct study_ratio *r, double alpha, double power) {
    if (!isfinite(r->se)) return NAN;
    return expm1((base_stats_student(1 - alpha / 2, r->df) + base_stats_student(power, r->df)) * r->se);
}

/* The same samples with n units a side. */
static struct study_ratio resized(const struct study_ratio *r, double n) {
    const double base = r->sd[0] * r->sd[0], new = r->sd[1] * r->sd[1];
    struct study_ratio s = *r;
    s.se = r->paired ? sqrt(base / n) : sqrt((base + new) / n);
    s.df = r->paired ? n - 1 : freedom(base, n, new, n);
    return s;
}

long study_ratio_needed(const struct study_ratio *r, double difference, double alpha, double power) {
    enum { MOST = 1000000 };
    long low = 2, high = 2;
    if (!isfinite(r->se) || !(difference > 0)) return -1;
    for (;; low = high, high *= 2) {
        const struct study_ratio s = resized(r, (double)high);
        if (study_ratio_detectable(&s, alpha, power) <= difference) break;
        if (high > MOST) return -1;
    }
    while (low + 1 < high) {
        const long middle = low + (high - low) / 2;
        const struct study_ratio s = resized(r, (double)middle);
        *(study_ratio_detectable(&s, alpha, power) <= difference ? &high : &low) = middle;
    }
    return high > STUDY_LAUNCHES_LEAST ? high : STUDY_LAUNCHES_LEAST;
}

struct ranked {
    double p;
    int at;
};

static int by_p(const void *a, const void *b) {
    const double x = ((const struct ranked *)a)->p, y = ((const struct ranked *)b)->p;
    return (x > y) - (x < y);
}

int study_holm(double *p, int n, struct base_error *e) {
    struct ranked *order = malloc(((size_t)n + 1) * sizeof *order);
    int count = 0;
    double least = 0;
    if (!order) return base_fail(e, BASE_BROKEN, "out of memory for %d p values", n);
    for (int i = 0; i < n; i++)
        if (!isnan(p[i])) order[count++] = (struct ranked){p[i], i};
    qsort(order, (size_t)count, sizeof *order, by_p);
    for (int i = 0; i < count; i++) {
        least = fmax(least, fmin(1, order[i].p * (count - i)));
        p[order[i].at] = least;
    }
    free(order);
    return BASE_OK;
}
