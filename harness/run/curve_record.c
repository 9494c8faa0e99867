/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "curve". */
#include <math.h>
#include <string.h>

#include "run/curve.h"
#include "run/record_set.h"

/* The figure that an iteration of `step_s` seconds makes. */
static double figure_of(const struct run_curve *c, const struct project_job *job, double step_s) {
    struct project_step s;
    switch (c->figure) {
    case RUN_CURVE_FLOPS:
        project_step_flop(job, &s);
        return s.model_flop / (job->accelerators * step_s) / 1e12;
    case RUN_CURVE_TOKENS:
        return (double)(job->batch.global_batch * job->batch.seq) / (job->accelerators * step_s);
    default:
        return step_s;
    }
}

static const char *figure_label(enum run_curve_figure figure) {
    static const char *const labels[RUN_CURVE_FIGURES] = {
        [RUN_CURVE_FLOPS] = "model TFLOP/s per accelerator",
        [RUN_CURVE_TOKENS] = "tokens/s per accelerator",
        [RUN_CURVE_TIME] = "time of an iteration, s",
    };
    return labels[figure];
}

static bool extrapolated(const struct run_curve *c, const struct run_curve_point *point) {
    return !project_interpolates(&c->fitted.intervals, &c->runs.run[point->run].job);
}

static json_t *point_json(const struct run_curve *c, const struct run_curve_point *point) {
    const struct project_run *run = &c->runs.run[point->run];
    const struct project_prediction *p = &c->predictions[point->run];
    const double low = figure_of(c, &run->job, p->low_s), high = figure_of(c, &run->job, p->high_s);
    json_t *o = json_object();
    set(o, "id", json_string(run->id)), set(o, "source", json_string(run->source));
    set_integer(o, "line", run->line), set_integer(o, "tier", run->tier);
    set_number(o, "x", point->x), set(o, "name", json_string(point->name));
    set_number(o, "published", figure_of(c, &run->job, run->measured_s));
    set_number(o, "predicted", figure_of(c, &run->job, p->step_s));
    set_number(o, "low", fmin(low, high)), set_number(o, "high", fmax(low, high));
    set_number(o, "published_s", run->measured_s), set_number(o, "predicted_s", p->step_s);
    set_number(o, "predicted_s_low", p->low_s), set_number(o, "predicted_s_high", p->high_s);
    set_number(o, "error", p->step_s / run->measured_s - 1);
    set(o, "inside", json_boolean(p->low_s <= run->measured_s && run->measured_s <= p->high_s));
    set(o, "label", json_string(extrapolated(c, point) ? "extrapolated" : "interpolated"));
    return o;
}

struct part {
    const struct run_curve *curve;
    int group; /* -1: all */
};

static bool takes(const struct project_run *run, const void *context) {
    const struct part *part = context;
    const struct run_curve *c = part->curve;
    if (part->group < 0) return true;
    for (int i = 0; i < c->count; i++)
        if (&c->runs.run[c->points[i].run] == run) return c->points[i].group == part->group;
    return false;
}

static json_t *summary_json(const struct run_curve *c, int group) {
    const struct part part = {c, group};
    int outside = 0;
    for (int i = 0; i < c->count; i++)
        outside += (group < 0 || c->points[i].group == group) && extrapolated(c, &c->points[i]);
    const struct project_score s = project_score(&c->runs, c->drawn, c->predictions, takes, &part);
    json_t *o = json_object();
    set_integer(o, "n", s.n), set_integer(o, "extrapolated", outside);
    set_number(o, "mean", s.mean), set_number(o, "median", s.median), set_number(o, "max", s.max);
    set_number(o, "bias", s.bias), set_number(o, "coverage", s.coverage), set_number(o, "half_width", s.half_width);
    set_number(o, "rate_mean", project_score(&c->runs, c->drawn, c->rates, takes, &part).mean);
    return o;
}

static json_t *groups_json(const struct run_curve *c) {
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

/* Sources of the table, without whose runs was fitted. */
static json_t *left_out(const struct run_curve *c) {
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

static json_t *config_json(const struct run_curve *c) {
    json_t *o =
        json_pack("{s:O, s:s, s:O, s:s, s:o, s:i}", "curve", json_object_get(c->file, "name"), "file", c->path, "title",
                  json_object_get(c->file, "title"), "table", c->table, "left_out", left_out(c), "rows", c->runs.count);
    int fitted = 0;
    for (int i = 0; i < c->runs.count; i++) fitted += c->fit[i].weight > 0;
    set_integer(o, "fitted_on", fitted);
    if (json_object_get(c->file, "stated")) set(o, "stated", json_incref(json_object_get(c->file, "stated")));
    if (json_object_get(c->file, "sources")) set(o, "sources", json_incref(json_object_get(c->file, "sources")));
    if (json_object_get(c->file, "notes")) set(o, "notes", json_incref(json_object_get(c->file, "notes")));
    return o;
}

json_t *run_curve_record(const struct run_curve *c) {
    const json_t *x = json_object_get(c->file, "x");
    const char *scale = json_string_value(json_object_get(x, "scale"));
    json_t *record = run_record_head("curve", RUN_PASSED, ""), *result = json_object();
    set(record, "config", config_json(c));
    set(result, "x",
        json_pack("{s:O, s:s, s:b}", "label", json_object_get(x, "label"), "scale", scale ? scale : "linear", "names",
                  c->column_count > 1));
    set(result, "y", json_pack("{s:s}", "label", figure_label(c->figure)));
    set(result, "groups", groups_json(c));
    set(result, "summary", summary_json(c, -1));
    set(record, "result", result);
    return record;
}
