/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicts points ahead, and scores what was predicted. */
#include "scale/predict.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "records/set.h"

static json_t *measured_n(const struct scale_curve *c) {
    json_t *list = json_array();
    for (int k = 0; k < c->count; k++)
        if (scale_point_rated(&c->points[k])) json_array_append_new(list, json_integer(c->points[k].n));
    return list;
}

static json_t *prediction_of(const struct scale_model *m, int n) {
    const struct scale_value rate = scale_model_rate(m, n);
    const double tokens = scale_tokens(m->curve, n);
    char date[32];
    json_t *o = json_object();
    base_clock_date(date);
    record_set_integer(o, "n", n);
    record_set(o, "by", json_string(m->name));
    record_set(o, "time", json_string(date));
    record_set(o, "from", measured_n(m->curve));
    record_set_number(o, "tokens_per_s", rate.value);
    record_set_number(o, "low", rate.low);
    record_set_number(o, "high", rate.high);
    record_set_number(o, "step_s", tokens / rate.value);
    record_set_number(o, "step_s_low", tokens / rate.high);
    record_set_number(o, "step_s_high", tokens / rate.low);
    return o;
}

json_t *scale_predict_ahead(const struct scale_curve *c, const struct scale_model models[SCALE_LAWS]) {
    json_t *list = json_array();
    for (int i = 0; i < c->options->ahead; i++) {
        const int n = c->options->n[i];
        const struct scale_point *p = scale_point_of(c, n);
        for (int law = 0; law < SCALE_LAWS && !p; law++)
            if (!*models[law].refused) json_array_append_new(list, prediction_of(&models[law], n));
    }
    return list;
}

/* Whether every run of the point ended after the prediction was written. Dates of one form compare as texts. */
static bool made_before(const json_t *prediction, const struct scale_point *p) {
    const char *time = record_text(prediction, "time");
    for (int i = 0; i < p->count; i++)
        if (strcmp(time, record_text(p->runs[i].record, "time")) > 0) return false;
    return *time;
}

/* Whether the list has this prediction already: a later record repeats those it scored. */
static bool has(const json_t *list, const json_t *prediction) {
    const json_t *old;
    size_t i;
    json_array_foreach(list, i, old) {
        if (record_whole(old, "n") == record_whole(prediction, "n") &&
            !strcmp(record_text(old, "by"), record_text(prediction, "by")) &&
            !strcmp(record_text(old, "time"), record_text(prediction, "time")))
            return true;
    }
    return false;
}

static void score(const struct scale_curve *c, const json_t *prediction, json_t *list) {
    const struct scale_point *p = scale_point_of(c, (int)record_whole(prediction, "n"));
    const double predicted = record_real(prediction, "tokens_per_s");
    if (!p || !scale_point_rated(p) || !(predicted > 0) || !made_before(prediction, p) || has(list, prediction)) return;
    json_t *o = json_deep_copy(prediction);
    record_set_number(o, "measured_tokens_per_s", p->rate.value);
    record_set_number(o, "error", predicted / p->rate.value - 1);
    record_set(o, "inside",
               json_boolean(record_real(prediction, "low") <= p->rate.value &&
                            p->rate.value <= record_real(prediction, "high")));
    json_array_append_new(list, o);
}

json_t *scale_predict_scored(const struct scale_curve *c, const json_t *work) {
    json_t *list = json_array();
    for (size_t i = 0; i < c->record_count; i++) {
        const json_t *record = c->records[i].record, *prediction;
        size_t k;
        if (strcmp(record_text(record, "kind"), "scale") != 0 || !json_equal(record_at(record, "config.work"), work))
            continue;
        json_array_foreach(record_at(record, "result.predictions"), k, prediction) score(c, prediction, list);
        json_array_foreach(record_at(record, "result.scored"), k, prediction) score(c, prediction, list);
    }
    return list;
}

json_t *scale_predict_summary(const json_t *scored) {
    json_t *all = json_object();
    const json_t *p;
    size_t i;
    json_array_foreach(scored, i, p) {
        const char *by = record_text(p, "by");
        const double error = fabs(record_real(p, "error"));
        json_t *o = json_object_get(all, by);
        if (!o)
            record_set(all, by, o = json_pack("{s:i, s:i, s:f, s:f}", "n", 0, "inside", 0, "mean", 0.0, "max", 0.0));
        const double n = (double)record_whole(o, "n");
        record_set_number(o, "mean", (record_real(o, "mean") * n + error) / (n + 1));
        record_set_number(o, "max", fmax(record_real(o, "max"), error));
        record_set_integer(o, "n", (int64_t)n + 1);
        record_set_integer(o, "inside", record_whole(o, "inside") + record_true(p, "inside"));
    }
    return all;
}
