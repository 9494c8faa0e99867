/* SPDX-License-Identifier: Apache-2.0
 *
 * What follows from a model's parameters, for its value and for every draw. */
#include "scale/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/stats.h"
#include "records/set.h"

static const double FURTHEST = 1e12; /* units; further is never */
enum { LINE = 20, NOISE_SEED = 77 };

int scale_model_open(struct scale_model *m, struct base_error *e) {
    m->draw = malloc(SCALE_DRAWS * sizeof *m->draw);
    m->noise = malloc(SCALE_DRAWS * sizeof *m->noise);
    if (!m->draw || !m->noise) return base_fail(e, BASE_BROKEN, "out of memory for %d draws of a model", SCALE_DRAWS);
    base_random_normal(NOISE_SEED, BASE_STREAM_STATS, 0, SCALE_DRAWS, m->noise);
    return BASE_OK;
}

void scale_model_close(struct scale_model *m) {
    free(m->draw), free(m->noise);
    m->draw = NULL, m->noise = NULL;
}

/* The interval of what `of` finds in each draw. */
static struct scale_value interval_of(const struct scale_model *m, double value,
                                      double (*of)(const struct scale_model *m, int i, const void *context),
                                      const void *context) {
    static const double tail = (1 - SCALE_CONFIDENCE) / 2;
    double x[SCALE_DRAWS];
    for (int i = 0; i < SCALE_DRAWS; i++) {
        x[i] = of(m, i, context);
        if (isnan(x[i])) return (struct scale_value){value, NAN, NAN};
    }
    struct scale_value v = {value, 0, 0};
    v.low = base_stats_quantile(x, SCALE_DRAWS, tail);
    v.high = base_stats_quantile(x, SCALE_DRAWS, 1 - tail);
    return v;
}

static double draw_rate(const struct scale_model *m, int i, const void *n) {
    return m->rate(m, m->draw[i], *(const double *)n) * exp(m->run_sd * m->noise[i]);
}

struct scale_value scale_model_rate(const struct scale_model *m, double n) {
    return interval_of(m, m->rate(m, m->value, n), draw_rate, &n);
}

static double efficiency(const struct scale_model *m, const double *a, double n) {
    const double base = m->curve->points[m->curve->base].n;
    return m->rate(m, a, n) / m->rate(m, a, base) * base / n;
}

static double draw_efficiency(const struct scale_model *m, int i, const void *n) {
    return efficiency(m, m->draw[i], *(const double *)n);
}

struct scale_value scale_model_efficiency(const struct scale_model *m, double n) {
    return interval_of(m, efficiency(m, m->value, n), draw_efficiency, &n);
}

static double draw_parameter(const struct scale_model *m, int i, const void *context) {
    const struct scale_parameter *p = context;
    return p->of(m->draw[i]);
}

struct scale_value scale_model_parameter(const struct scale_model *m, const struct scale_parameter *p) {
    return interval_of(m, p->of(m->value), draw_parameter, p);
}

/* By bisection of log(n): efficiencies of all models fall with n. A model may be unable to say beyond some n. */
static double half(const struct scale_model *m, const double *a) {
    double low = m->curve->points[m->curve->base].n, high = FURTHEST;
    if (isnan(efficiency(m, a, high))) return NAN;
    if (efficiency(m, a, high) >= 0.5) return INFINITY;
    for (int i = 0; i < 60; i++) {
        const double middle = sqrt(low * high);
        *(efficiency(m, a, middle) < 0.5 ? &high : &low) = middle;
    }
    return high;
}

static double draw_half(const struct scale_model *m, int i, const void *unused) {
    (void)unused;
    return half(m, m->draw[i]);
}

struct scale_value scale_model_half(const struct scale_model *m) {
    return interval_of(m, half(m, m->value), draw_half, NULL);
}

json_t *scale_value_json(const struct scale_value *v) {
    json_t *o = json_object();
    record_set_number(o, "value", v->value);
    record_set_number(o, "low", v->low);
    record_set_number(o, "high", v->high);
    return o;
}

/* Why n units cannot run at all: each rank needs a sequence, and each thread a CPU where all share one node. */
static bool impossible(const struct scale_curve *c, double n, char why[SCALE_WHY]) {
    const json_t *first = c->runs[0].record;
    const double ranks = n * scale_unit_ranks(c), own = ceil(ranks / scale_nodes(c, n));
    const double cpus = (double)record_whole(first, "machine.cpus"),
                 threads = (double)record_whole(first, "layout.threads");
    *why = 0;
    if (scale_batch(c, n) < ranks)
        snprintf(why, SCALE_WHY, "a batch of %.0f sequences has none for some of %.0f ranks", scale_batch(c, n),
                 ceil(ranks));
    else if (c->unit == RECORD_RANK && cpus > 0 && own * threads > cpus)
        snprintf(why, SCALE_WHY,
                 "a node of %.0f CPUs has no room for %.0f ranks of %.0f thread%s, and the points say "
                 "nothing of more nodes",
                 cpus, own, threads, threads > 1 ? "s" : "");
    return *why;
}

/* {n, tokens_per_s, low, high, efficiency, ...} */
static json_t *at(const struct scale_model *m, double n) {
    const struct scale_value rate = scale_model_rate(m, n), share = scale_model_efficiency(m, n);
    json_t *o = json_object();
    record_set_number(o, "n", n);
    record_set_number(o, "tokens_per_s", rate.value);
    record_set_number(o, "low", rate.low);
    record_set_number(o, "high", rate.high);
    record_set_number(o, "efficiency", share.value);
    record_set_number(o, "efficiency_low", share.low);
    record_set_number(o, "efficiency_high", share.high);
    return o;
}

static json_t *extrapolations(const struct scale_model *m) {
    static const int times[] = {10, 100};
    const struct scale_curve *c = m->curve;
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const double n = (double)times[i] * c->points[c->count - 1].n;
        char why[SCALE_WHY];
        json_t *o = impossible(c, n, why) ? json_pack("{s:f, s:s}", "n", n, "why", why) : at(m, n);
        record_set_integer(o, "times", times[i]);
        record_set(o, "label", json_string("extrapolated"));
        json_array_append_new(list, o);
    }
    return list;
}

/* From the smallest point to ten times the largest: whole numbers, about evenly in log(n). */
static json_t *line_of(const struct scale_model *m) {
    const struct scale_curve *c = m->curve;
    const double first = c->points[0].n, last = 10.0 * c->points[c->count - 1].n;
    json_t *list = json_array();
    char why[SCALE_WHY];
    for (double i = 0, before = 0; i < LINE; i++) {
        const double n = round(first * pow(last / first, i / (LINE - 1)));
        if (n > before && (i == 0 || !impossible(c, n, why))) json_array_append_new(list, at(m, n));
        before = n;
    }
    return list;
}

json_t *scale_model_json(const struct scale_model *m) {
    json_t *o = json_object(), *parameters = json_object();
    char why[SCALE_WHY];
    if (*m->refused) {
        record_set(o, "refused", json_string(m->refused));
        json_decref(parameters);
        return o;
    }
    for (const struct scale_parameter *p = m->parameters; p->name; p++) {
        const struct scale_value v = scale_model_parameter(m, p);
        record_set(parameters, p->name, scale_value_json(&v));
    }
    const struct scale_value halves = scale_model_half(m);
    record_set(o, "parameters", parameters);
    record_set_number(o, "misfit", m->misfit);
    record_set_number(o, "lack_p", m->lack_p);
    record_set_number(o, "run_sd", m->run_sd);
    record_set(o, "run_sd_assumed", json_boolean(m->run_sd_assumed));
    record_set(o, "half_efficiency_n", isnan(halves.value) ? json_null() : scale_value_json(&halves));
    if (isfinite(halves.value) && impossible(m->curve, halves.value, why))
        record_set(o, "half_efficiency_why", json_string(why));
    record_set(o, "line", line_of(m));
    record_set(o, "extrapolated", extrapolations(m));
    return o;
}
