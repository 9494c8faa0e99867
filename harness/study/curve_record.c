/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "curve". */
#include <math.h>
#include <string.h>

#include "plan/ledger.h"
#include "records/set.h"
#include "study/curve.h"

/* The drawn figure of an iteration of `step_s` seconds. */
static double figure_of(const struct study_curve *c, const struct cost_job *job, double step_s) {
    switch (c->figure) {
    case STUDY_CURVE_FLOPS:
        return plan_flop_count(&job->model, &job->batch, PLAN_RECOMPUTE_NONE).model / (job->accelerators * step_s) /
               1e12;
    case STUDY_CURVE_TOKENS:
        return (double)(job->batch.global_batch * job->batch.seq) / (job->accelerators * step_s);
    default:
        return step_s;
    }
}

static const char *figure_label(enum study_curve_figure figure) {
    static const char *const labels[STUDY_CURVE_FIGURES] = {
        [STUDY_CURVE_FLOPS] = "model TFLOP/s per accelerator",
        [STUDY_CURVE_TOKENS] = "tokens/s per accelerator",
        [STUDY_CURVE_TIME] = "time of an iteration, s",
    };
    return labels[figure];
}

static bool extrapolated(const struct study_curve *c, const struct study_curve_point *point) {
    return !fit_interpolates(&c->fitted.intervals, &c->runs.run[point->run].job);
}

static json_t *point_json(const struct study_curve *c, const struct study_curve_point *point) {
    const struct fit_run *run = &c->runs.run[point->run];
    const struct fit_prediction *p = &c->predictions[point->run];
    const double low = figure_of(c, &run->job, p->low_s), high = figure_of(c, &run->job, p->high_s);
    json_t *o = json_object();
    record_set(o, "id", json_string(run->id)), record_set(o, "source", json_string(run->source));
    record_set_integer(o, "line", run->line), record_set_integer(o, "tier", run->tier);
    record_set_number(o, "x", point->x), record_set(o, "name", json_string(point->name));
    record_set_number(o, "published", figure_of(c, &run->job, run->measured_s));
    record_set_number(o, "predicted", figure_of(c, &run->job, p->step_s));
    record_set_number(o, "low", fmin(low, high)), record_set_number(o, "high", fmax(low, high));
    record_set_number(o, "published_s", run->measured_s), record_set_number(o, "predicted_s", p->step_s);
    record_set_number(o, "predicted_s_low", p->low_s), record_set_number(o, "predicted_s_high", p->high_s);
    record_set_number(o, "error", p->step_s / run->measured_s - 1);
    record_set(o, "inside", json_boolean(p->low_s <= run->measured_s && run->measured_s <= p->high_s));
    record_set(o, "label", json_string(extrapolated(c, point) ? "extrapolated" : "interpolated"));
    return o;
}

struct part {
    const struct study_curve *curve;
    int group; /* -1: all */
};

static bool takes(const struct fit_run *run, const void *context) {
    const struct part *part = context;
    const struct study_curve *c = part->curve;
    if (part->group < 0) return true;
    for (int i = 0; i < c->count; i++)
        if (&c->runs.run[c->points[i].run] == run) return c->points[i].group == part->group;
    return false;
}

static json_t *summary_json(const struct study_curve *c, int group) {
    const struct part part = {c, group};
    int outside = 0;
    for (int i = 0; i < c->count; i++)
        outside += (group < 0 || c->points[i].group == group) && extrapolated(c, &c->points[i]);
    const struct fit_score s = fit_score(&c->runs, c->drawn, c->predictions, takes, &part);
    json_t *o = json_object();
    record_set_integer(o, "n", s.n), record_set_integer(o, "extrapolated", outside);
    record_set_number(o, "mean", s.mean), record_set_number(o, "median", s.median), record_set_number(o, "max", s.max);
    record_set_number(o, "bias", s.bias), record_set_number(o, "coverage", s.coverage),
        record_set_number(o, "half_width", s.half_width);
    record_set_number(o, "rate_mean", fit_score(&c->runs, c->drawn, c->rates, takes, &part).mean);
    return o;
}

static json_t *groups_json(const struct study_curve *c) {
    json_t *list = json_array();
    for (int g = 0; g < c->groups; g++) {
        const json_t *group = json_array_get(json_object_get(c->file, "groups"), (size_t)g);
        json_t *points = json_array();
        for (int i = 0; i < c->count; i++)
            if (c->points[i].group == g) json_array_append_new(points, point_json(c, &c->points[i]));
        json_array_append_new(list, json_pack("{s:O, s:o, s:o}", "label", json_object_get(group, "label"), "points",
                                              points, "summary", summary_json(c, g)));
    }
    return list;
}

/* The sources that were left out of the fit. */
static json_t *left_out(const struct study_curve *c) {
    json_t *list = json_array(), *known;
    for (int i = 0; i < c->runs.count; i++) {
        const char *source = c->runs.run[i].source;
        size_t k;
        bool is_new = c->fit[i].weight == 0 && !json_object_get(c->fitted.runs, source);
        bool asked = c->drawn[i].weight > 0;
        json_array_foreach(json_object_get(c->file, "leave_out"), k, known) asked =
            asked || !strcmp(json_string_value(known), source);
        json_array_foreach(list, k, known) is_new = is_new && strcmp(json_string_value(known), source) != 0;
        if (is_new && asked) json_array_append_new(list, json_string(source));
    }
    return list;
}

static json_t *config_json(const struct study_curve *c) {
    json_t *o =
        json_pack("{s:O, s:s, s:O, s:s, s:o, s:i}", "curve", json_object_get(c->file, "name"), "file", c->path, "title",
                  json_object_get(c->file, "title"), "table", c->table, "left_out", left_out(c), "rows", c->runs.count);
    int fitted = 0;
    for (int i = 0; i < c->runs.count; i++) fitted += c->fit[i].weight > 0;
    record_set_integer(o, "fitted_on", fitted);
    if (json_object_get(c->file, "stated")) record_set(o, "stated", json_incref(json_object_get(c->file, "stated")));
    if (json_object_get(c->file, "sources")) record_set(o, "sources", json_incref(json_object_get(c->file, "sources")));
    if (json_object_get(c->file, "notes")) record_set(o, "notes", json_incref(json_object_get(c->file, "notes")));
    return o;
}

json_t *study_curve_record(const struct study_curve *c) {
    const json_t *x = json_object_get(c->file, "x");
    const char *scale = json_string_value(json_object_get(x, "scale"));
    json_t *record = record_head("curve", RECORD_PASSED, ""), *result = json_object();
    record_set(record, "config", config_json(c));
    record_set(result, "x",
               json_pack("{s:O, s:s, s:b}", "label", json_object_get(x, "label"), "scale", scale ? scale : "linear",
                         "names", c->column_count > 1));
    record_set(result, "y", json_pack("{s:s}", "label", figure_label(c->figure)));
    record_set(result, "groups", groups_json(c));
    record_set(result, "summary", summary_json(c, -1));
    record_set(record, "result", result);
    return record;
}
