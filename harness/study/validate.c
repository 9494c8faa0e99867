/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicts the rows of a table by every predictor that is asked for. */
#include "study/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "records/set.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct cost_ablation whole;

/* Whether an earlier row is unused for the same reason. */
static bool told_before(const struct fit_runs *r, int row, const char *why) {
    for (int i = 0; i < row; i++)
        if (!strcmp(fit_run_why(&r->run[i]), why)) return true;
    return false;
}

/* Lists each reason once, with its first line and the number of others, as far as the message has room. */
static int refuse(const struct study_validate *v, struct base_error *e) {
    const struct fit_runs *r = &v->runs;
    char list[800] = "";
    int told = 0;
    if (r->count == 0)
        return base_fail(e, BASE_USAGE, "%s: the table has no rows; add runs below the column names", v->table);
    for (int i = 0; i < r->count; i++) {
        const char *why = fit_run_why(&r->run[i]);
        char text[400], others[32] = "";
        int more = 0;
        if (told_before(r, i, why)) continue;
        for (int j = i + 1; j < r->count; j++) more += !strcmp(fit_run_why(&r->run[j]), why);
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

static int open(struct study_validate *v, const char *table, struct base_error *e) {
    *v = (struct study_validate){.table = table};
    int code = fit_runs_read(table, &v->runs, e);
    if (code) return code;
    v->rows = calloc((size_t)v->runs.count + 1, sizeof *v->rows);
    if (!v->rows) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", v->runs.count);
    fit_weigh(&v->runs, NULL, v->rows);
    for (int i = 0; i < v->runs.count; i++)
        if (v->rows[i].weight > 0) return BASE_OK;
    return refuse(v, e);
}

static int make(struct study_validate *v, enum study_validate_by by, struct base_error *e) {
    v->by[by] = calloc((size_t)v->runs.count + 1, sizeof **v->by);
    return v->by[by] ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d rows", v->runs.count);
}

/* Predicts by v->fitted, with its intervals. */
static int predict(struct study_validate *v, struct base_error *e) {
    const int code = make(v, STUDY_BY_PARAMETERS, e);
    for (int i = 0; i < v->runs.count && !code; i++) {
        struct fit_prediction *p = &v->by[STUDY_BY_PARAMETERS][i];
        struct cost_step s;
        *p = (struct fit_prediction){NAN, NAN, NAN};
        if (v->rows[i].weight == 0) continue;
        cost_step(v->rows[i].job, &v->fitted.parameters, &whole, &s);
        p->step_s = s.total;
        fit_interval(&v->fitted.intervals, v->rows[i].job, s.total, &p->low_s, &p->high_s);
    }
    return code;
}

int study_validate_read(struct study_validate *v, const char *table, const char *parameters, struct base_error *e) {
    int code = open(v, table, e);
    if (!code) code = fit_result_read(parameters, &v->fitted, e);
    if (!code) code = predict(v, e);
    if (!code) code = make(v, STUDY_BY_RATE, e);
    for (int i = 0; i < v->runs.count && !code; i++) {
        const double step_s = v->rows[i].weight > 0 ? fit_naive_step(v->rows[i].job, v->fitted.naive_share) : NAN;
        v->by[STUDY_BY_RATE][i] = (struct fit_prediction){step_s, NAN, NAN};
    }
    return code;
}

/* Times of a row predicted without its tenth and without its source, by the model and by the baseline. */
struct left_out {
    double *fold, *source, *naive_fold, *naive_source, *device, *later;
};

static int leave_out(struct study_validate *v, const struct study_validate_watch *watch, struct left_out *t,
                     struct base_error *e) {
    const struct cost_parameters *start = &v->fitted.parameters;
    watch->phase(watch->context, "fits without each tenth");
    int code = fit_leave_out(&v->runs, v->rows, FIT_SPLIT_TENTH, &whole, start, t->fold, e);
    watch->phase(watch->context, "fits without each source");
    if (!code) code = fit_leave_out(&v->runs, v->rows, FIT_SPLIT_SOURCE, &whole, start, t->source, e);
    watch->phase(watch->context, "fits without each accelerator");
    if (!code) code = fit_leave_out(&v->runs, v->rows, FIT_SPLIT_DEVICE, &whole, start, t->device, e);
    if (!code) code = fit_leave_out(&v->runs, v->rows, FIT_SPLIT_LATER, &whole, start, t->later, e);
    if (!code) code = fit_naive(&v->runs, v->rows, FIT_SPLIT_TENTH, t->naive_fold, e);
    if (!code) code = fit_naive(&v->runs, v->rows, FIT_SPLIT_SOURCE, t->naive_source, e);
    return code;
}

static int predict_left_out(struct study_validate *v, const struct left_out *t, struct base_error *e) {
    int code = make(v, STUDY_BY_TENTHS, e);
    if (!code) code = make(v, STUDY_BY_SOURCES, e);
    if (!code) code = make(v, STUDY_BY_RATE, e);
    if (!code) code = make(v, STUDY_BY_DEVICES, e);
    if (!code) code = make(v, STUDY_BY_LATER, e);
    for (int i = 0; i < v->runs.count && !code; i++) {
        v->by[STUDY_BY_DEVICES][i] = (struct fit_prediction){t->device[i], NAN, NAN};
        v->by[STUDY_BY_LATER][i] = (struct fit_prediction){t->later[i], NAN, NAN};
    }
    if (!code)
        code =
            fit_leave_out_intervals(&v->runs, v->rows, FIT_SPLIT_TENTH, t->fold, t->source, v->by[STUDY_BY_TENTHS], e);
    if (!code)
        code = fit_leave_out_intervals(&v->runs, v->rows, FIT_SPLIT_SOURCE, t->fold, t->source, v->by[STUDY_BY_SOURCES],
                                       e);
    if (!code)
        code = fit_leave_out_intervals(&v->runs, v->rows, FIT_SPLIT_SOURCE, t->naive_fold, t->naive_source,
                                       v->by[STUDY_BY_RATE], e);
    return code;
}

int study_validate_fit(struct study_validate *v, const char *table, const struct study_validate_watch *watch,
                       struct base_error *e) {
    struct cost_parameters p;
    int code = open(v, table, e);
    if (code) return code;
    const size_t n = (size_t)v->runs.count;
    double *room = malloc(6 * n * sizeof *room);
    if (!room) return base_fail(e, BASE_BROKEN, "out of memory for %zu rows", n);
    struct left_out t = {room, room + n, room + 2 * n, room + 3 * n, room + 4 * n, room + 5 * n};
    watch->phase(watch->context, "the fit");
    v->fit = true;
    code = cost_parameters_prior(&p, e);
    if (!code) code = fit_parameters(v->rows, v->runs.count, &whole, &p, &v->cost, e);
    v->fitted.parameters = p;
    if (!code) code = leave_out(v, watch, &t, e);
    if (!code) code = fit_result_make(&v->runs, v->rows, &p, t.fold, t.source, &v->fitted, e);
    if (!code) code = predict(v, e);
    if (!code) code = predict_left_out(v, &t, e);
    free(room);
    return code;
}

static json_t *ablated(const struct study_validate *v, const char *name, double cost, const struct cost_parameters *p,
                       const struct cost_ablation *ablation, const double *source) {
    json_t *tiers = json_array();
    struct study_validate w = *v; /* scored like any other prediction */
    struct fit_prediction *steps = calloc((size_t)v->runs.count + 1, sizeof *steps);
    for (int tier = 1; tier <= 2 && steps; tier++) {
        json_t *o = json_object();
        w.by[STUDY_BY_PARAMETERS] = steps;
        for (int i = 0; i < v->runs.count; i++) {
            struct cost_step s = {.total = NAN};
            if (v->rows[i].weight > 0) cost_step(v->rows[i].job, p, ablation, &s);
            steps[i] = (struct fit_prediction){s.total, NAN, NAN};
        }
        record_set_integer(o, "tier", tier);
        record_set(o, "parameters", study_validate_score(&w, STUDY_BY_PARAMETERS, tier, NULL));
        for (int i = 0; i < v->runs.count; i++) steps[i].step_s = source[i];
        record_set(o, "sources", study_validate_score(&w, STUDY_BY_PARAMETERS, tier, NULL));
        json_array_append_new(tiers, o);
    }
    free(steps);
    return json_pack("{s:s, s:f, s:o}", "without", name, "cost", cost, "tiers", tiers);
}

/* "3 of 9: without overlap, 18 s left" */
static void announce(const struct study_validate_watch *watch, const char *part, size_t done, size_t all,
                     double began) {
    char text[128], left[32] = "";
    if (done > 0)
        base_text_duration((base_clock_now() - began) / (double)done * (double)(all - done), left, sizeof left);
    snprintf(text, sizeof text, "%zu of %zu: without %s%s%s%s", done + 1, all, part, *left ? ", " : "", left,
             *left ? " left" : "");
    watch->phase(watch->context, text);
}

int study_validate_ablate(struct study_validate *v, const struct study_validate_watch *watch, struct base_error *e) {
    static const struct {
        const char *name;
        struct cost_ablation ablation;
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
        struct cost_parameters p = v->fitted.parameters;
        double cost;
        announce(watch, parts[i].name, i, COUNT(parts), began);
        code = fit_parameters(v->rows, v->runs.count, &parts[i].ablation, &p, &cost, e);
        if (!code) code = fit_leave_out(&v->runs, v->rows, FIT_SPLIT_SOURCE, &parts[i].ablation, &p, source, e);
        if (!code) json_array_append_new(v->ablations, ablated(v, parts[i].name, cost, &p, &parts[i].ablation, source));
    }
    free(source);
    return code;
}

void study_validate_close(struct study_validate *v) {
    for (int i = 0; i < STUDY_BYS; i++) free(v->by[i]);
    json_decref(v->ablations);
    fit_result_free(&v->fitted);
    free(v->rows);
    fit_runs_free(&v->runs);
}
