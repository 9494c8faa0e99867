/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicts the rows of a table in every way that is asked for. */
#include "run/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "run/record_set.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct project_ablation whole;

bool run_validate_due(const struct project_run *run) {
    return run->complete && (run->tier == 1 || run->tier == 2);
}

/* Whether a row before is unused for the same reason. */
static bool told_before(const struct project_runs *r, int row, const char *why) {
    for (int i = 0; i < row; i++)
        if (!strcmp(project_run_why(&r->run[i]), why)) return true;
    return false;
}

/* Each reason once, with the lines that it is of, as far as the message goes. */
static int refuse(const struct run_validate *v, struct base_error *e) {
    const struct project_runs *r = &v->runs;
    char list[800] = "";
    int told = 0;
    if (r->count == 0)
        return base_fail(e, BASE_USAGE, "%s: none of its 0 rows can be predicted: add runs below the column names",
                         v->table);
    for (int i = 0; i < r->count; i++) {
        const char *why = project_run_why(&r->run[i]);
        char text[400], others[32] = "";
        int more = 0;
        if (told_before(r, i, why)) continue;
        for (int j = i + 1; j < r->count; j++) more += !strcmp(project_run_why(&r->run[j]), why);
        const size_t used = strlen(list);
        if (more) snprintf(others, sizeof others, " and %d more", more);
        snprintf(text, sizeof text, "%sline %d%s: %s", used ? "; " : "", r->run[i].line, others, why);
        if (used + strlen(text) + 32 >= sizeof list) break;
        memcpy(list + used, text, strlen(text) + 1);
        told += 1 + more;
    }
    if (told < r->count)
        snprintf(list + strlen(list), sizeof list - strlen(list), "; and %d rows more", r->count - told);
    return base_fail(e, BASE_USAGE, "%.150s: none of its %d rows can be predicted: %s", v->table, r->count, list);
}

static int open(struct run_validate *v, const char *table, struct base_error *e) {
    *v = (struct run_validate){.table = table};
    int code = project_runs_read(table, &v->runs, e);
    if (code) return code;
    v->rows = calloc((size_t)v->runs.count + 1, sizeof *v->rows);
    if (!v->rows) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", v->runs.count);
    project_fit_weigh(&v->runs, NULL, v->rows);
    for (int i = 0; i < v->runs.count; i++)
        if (v->rows[i].weight > 0) return BASE_OK;
    return refuse(v, e);
}

static int make(struct run_validate *v, enum run_validate_by by, struct base_error *e) {
    v->by[by] = calloc((size_t)v->runs.count + 1, sizeof **v->by);
    return v->by[by] ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d rows", v->runs.count);
}

/* By v->fitted, with its intervals. */
static int predict(struct run_validate *v, struct base_error *e) {
    const int code = make(v, RUN_BY_PARAMETERS, e);
    for (int i = 0; i < v->runs.count && !code; i++) {
        struct project_prediction *p = &v->by[RUN_BY_PARAMETERS][i];
        struct project_step s;
        *p = (struct project_prediction){NAN, NAN, NAN};
        if (v->rows[i].weight == 0) continue;
        project_step(v->rows[i].job, &v->fitted.parameters, &whole, &s);
        p->step_s = s.total;
        project_interval(&v->fitted.intervals, v->rows[i].job, s.total, &p->low_s, &p->high_s);
    }
    return code;
}

int run_validate_read(struct run_validate *v, const char *table, const char *parameters, struct base_error *e) {
    int code = open(v, table, e);
    if (!code) code = project_fitted_read(parameters, &v->fitted, e);
    if (!code) code = predict(v, e);
    if (!code) code = make(v, RUN_BY_RATE, e);
    for (int i = 0; i < v->runs.count && !code; i++) {
        const double step_s = v->rows[i].weight > 0 ? project_naive_step(v->rows[i].job, v->fitted.naive_share) : NAN;
        v->by[RUN_BY_RATE][i] = (struct project_prediction){step_s, NAN, NAN};
    }
    return code;
}

/* Times of a row with its tenth and with its source left out: by the model, by the rival. */
struct left_out {
    double *fold, *source, *naive_fold, *naive_source;
};

static int leave_out(struct run_validate *v, const struct run_validate_watch *watch, struct left_out *t,
                     struct base_error *e) {
    const struct project_parameters *start = &v->fitted.parameters;
    watch->phase(watch->context, "fits, with each tenth left out");
    int code = project_leave_out(&v->runs, v->rows, PROJECT_SPLIT_TENTH, &whole, start, t->fold, e);
    watch->phase(watch->context, "fits, with each source left out");
    if (!code) code = project_leave_out(&v->runs, v->rows, PROJECT_SPLIT_SOURCE, &whole, start, t->source, e);
    if (!code) code = project_naive(&v->runs, v->rows, PROJECT_SPLIT_TENTH, t->naive_fold, e);
    if (!code) code = project_naive(&v->runs, v->rows, PROJECT_SPLIT_SOURCE, t->naive_source, e);
    return code;
}

static int predict_left_out(struct run_validate *v, const struct left_out *t, struct base_error *e) {
    int code = make(v, RUN_BY_TENTHS, e);
    if (!code) code = make(v, RUN_BY_SOURCES, e);
    if (!code) code = make(v, RUN_BY_RATE, e);
    if (!code)
        code = project_leave_out_intervals(&v->runs, v->rows, PROJECT_SPLIT_TENTH, t->fold, t->source,
                                           v->by[RUN_BY_TENTHS], e);
    if (!code)
        code = project_leave_out_intervals(&v->runs, v->rows, PROJECT_SPLIT_SOURCE, t->fold, t->source,
                                           v->by[RUN_BY_SOURCES], e);
    if (!code)
        code = project_leave_out_intervals(&v->runs, v->rows, PROJECT_SPLIT_SOURCE, t->naive_fold, t->naive_source,
                                           v->by[RUN_BY_RATE], e);
    return code;
}

int run_validate_fit(struct run_validate *v, const char *table, const struct run_validate_watch *watch,
                     struct base_error *e) {
    struct project_parameters p;
    int code = open(v, table, e);
    if (code) return code;
    const size_t n = (size_t)v->runs.count;
    double *room = malloc(4 * n * sizeof *room);
    if (!room) return base_fail(e, BASE_BROKEN, "out of memory for %zu rows", n);
    struct left_out t = {room, room + n, room + 2 * n, room + 3 * n};
    watch->phase(watch->context, "the fit");
    v->fit = true;
    project_parameters_prior(&p);
    code = project_fit(v->rows, v->runs.count, &whole, &p, &v->cost, e);
    v->fitted.parameters = p;
    if (!code) code = leave_out(v, watch, &t, e);
    if (!code) code = project_fitted_make(&v->runs, v->rows, &p, t.fold, t.source, &v->fitted, e);
    if (!code) code = predict(v, e);
    if (!code) code = predict_left_out(v, &t, e);
    free(room);
    return code;
}

static json_t *ablated(const struct run_validate *v, const char *name, double cost, const struct project_parameters *p,
                       const struct project_ablation *ablation, const double *source) {
    json_t *tiers = json_array();
    struct run_validate w = *v; /* scored like any other prediction */
    struct project_prediction *steps = calloc((size_t)v->runs.count + 1, sizeof *steps);
    for (int tier = 1; tier <= 2 && steps; tier++) {
        json_t *o = json_object();
        w.by[RUN_BY_PARAMETERS] = steps;
        for (int i = 0; i < v->runs.count; i++) {
            struct project_step s = {.total = NAN};
            if (v->rows[i].weight > 0) project_step(v->rows[i].job, p, ablation, &s);
            steps[i] = (struct project_prediction){s.total, NAN, NAN};
        }
        set_integer(o, "tier", tier);
        set(o, "parameters", run_validate_score(&w, RUN_BY_PARAMETERS, tier, NULL));
        for (int i = 0; i < v->runs.count; i++) steps[i].step_s = source[i];
        set(o, "sources", run_validate_score(&w, RUN_BY_PARAMETERS, tier, NULL));
        json_array_append_new(tiers, o);
    }
    free(steps);
    return json_pack("{s:s, s:f, s:o}", "without", name, "cost", cost, "tiers", tiers);
}

/* "3 of 9: without overlap, 18 s left" */
static void announce(const struct run_validate_watch *watch, const char *part, size_t done, size_t all, double began) {
    char text[128], left[32] = "";
    if (done > 0)
        base_text_duration((base_clock_now() - began) / (double)done * (double)(all - done), left, sizeof left);
    snprintf(text, sizeof text, "%zu of %zu: without %s%s%s%s", done + 1, all, part, *left ? ", " : "", left,
             *left ? " left" : "");
    watch->phase(watch->context, text);
}

int run_validate_ablate(struct run_validate *v, const struct run_validate_watch *watch, struct base_error *e) {
    static const struct {
        const char *name;
        struct project_ablation ablation;
    } parts[] = {
        {"nothing", {0}},
        {"tile and wave quantisation", {.quantisation = true}},
        {"alignment, and the cliff of odd sizes", {.alignment = true}},
        {"achieved bandwidths: nominal", {.achieved = true}},
        {"bubble and imbalance of the pipeline", {.schedule = true}},
        {"overlap", {.overlap = true}},
        {"interference of what overlaps", {.interference = true}},
        {"time for blocking launches", {.blocking = true}},
        {"frameworks' elementwise factors", {.passes = true}},
    };
    double *source = malloc(((size_t)v->runs.count + 1) * sizeof *source);
    int code = source ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d rows", v->runs.count);
    const double began = base_clock_now();
    v->ablations = json_array();
    for (size_t i = 0; i < COUNT(parts) && !code; i++) {
        struct project_parameters p = v->fitted.parameters;
        double cost;
        announce(watch, parts[i].name, i, COUNT(parts), began);
        code = project_fit(v->rows, v->runs.count, &parts[i].ablation, &p, &cost, e);
        if (!code) code = project_leave_out(&v->runs, v->rows, PROJECT_SPLIT_SOURCE, &parts[i].ablation, &p, source, e);
        if (!code) json_array_append_new(v->ablations, ablated(v, parts[i].name, cost, &p, &parts[i].ablation, source));
    }
    free(source);
    return code;
}

void run_validate_close(struct run_validate *v) {
    for (int i = 0; i < RUN_BYS; i++) free(v->by[i]);
    json_decref(v->ablations);
    project_fitted_free(&v->fitted);
    free(v->rows);
    project_runs_free(&v->runs);
}
