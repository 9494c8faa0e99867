/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of kind "scale". */
#include <math.h>
#include <string.h>

#include "records/record.h"
#include "scale/ledger.h"
#include "scale/parts.h"
#include "scale/predict.h"

static void set_value(json_t *o, const char *key, const struct scale_value *v) {
    char end[64];
    record_set_number(o, key, v->value);
    snprintf(end, sizeof end, "%s_low", key);
    record_set_number(o, end, v->low);
    snprintf(end, sizeof end, "%s_high", key);
    record_set_number(o, end, v->high);
}

/* What all runs trained. */
static json_t *work_of(const struct scale_curve *c) {
    static const char *const keys[] = {"model", "layers", "precision", "seq", "data", "init"};
    const json_t *first = c->runs[0].record;
    json_t *o = json_object();
    if (record_at(first, "workload")) record_set(o, "workload", json_incref(record_at(first, "workload")));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(record_at(first, "config"), keys[i]);
        if (value) record_set(o, keys[i], json_incref(value));
    }
    record_set_number(o, c->mode == RECORD_STRONG ? "global_batch" : "unit_batch", scale_batch(c, 1));
    record_set(o, "mode", json_string(record_scaling_mode_name((int)c->mode)));
    record_set(o, "unit", json_string(record_scaling_unit_name((int)c->unit)));
    record_set_number(o, "unit_ranks", scale_unit_ranks(c));
    if (record_at(first, "layout.threads")) record_set(o, "threads", json_incref(record_at(first, "layout.threads")));
    return o;
}

static json_t *config_of(const struct scale_curve *c) {
    json_t *o = json_object();
    record_set_number(o, "confidence", SCALE_CONFIDENCE);
    record_set(o, "work", work_of(c));
    record_set_integer(o, "runs", c->run_count);
    if (c->left_out) record_set_integer(o, "left_out", c->left_out);
    if (c->met_again) record_set_integer(o, "met_again", c->met_again);
    return o;
}

static json_t *runs_of(const struct scale_point *p) {
    json_t *list = json_array();
    for (int i = 0; i < p->count; i++) {
        const struct scale_run *r = &p->runs[i];
        json_t *o = json_object();
        record_set_number(o, "tokens_per_s", r->rate);
        record_set(o, "status", json_string(study_launch_status_name(r->status)));
        if (*r->why) record_set(o, "why", json_string(r->why));
        if (r->repeat) record_set_integer(o, "repeat", r->repeat);
        record_set(o, "launch", json_string(record_text(r->record, "launch.id")));
        if (r->from->sha256[0]) record_set(o, "sha256", json_string(r->from->sha256));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *point_of(const struct scale_curve *c, const struct scale_point *p) {
    json_t *o = json_object();
    record_set_integer(o, "n", p->n);
    record_set(o, "ranks", p->ranks ? json_integer(p->ranks) : json_null());
    record_set(o, "nodes", p->nodes ? json_integer(p->nodes) : json_null());
    record_set_number(o, "global_batch", p->batch);
    record_set(o, "status", json_string(study_launch_status_name(p->status)));
    if (*p->why) record_set(o, "why", json_string(p->why));
    record_set(o, "runs", runs_of(p));
    if (!scale_point_rated(p)) return o;
    record_set(o, "of", json_string(p->of));
    record_set_number(o, "tokens_per_s", p->rate.value);
    record_set_number(o, "low", p->rate.low);
    record_set_number(o, "high", p->rate.high);
    record_set_number(o, "tokens_per_s_per_node", p->nodes ? p->rate.value / p->nodes : NAN);
    record_set_number(o, "tokens_per_s_per_unit", p->rate.value / p->n);
    set_value(o, "speedup", &p->speedup);
    set_value(o, "efficiency", &p->efficiency);
    record_set(o, "paired", json_boolean(p->paired));
    record_set(o, "base", json_boolean(p == &c->points[c->base]));
    record_set_number(o, "step_s", p->step_s);
    record_set_number(o, "compute_s", p->compute_s);
    record_set_number(o, "exposed_s", p->exposed_s);
    record_set_number(o, "wait_s", p->wait_s);
    return o;
}

static json_t *base_of(const struct scale_curve *c) {
    const struct scale_point *p = &c->points[c->base];
    json_t *o = json_object();
    record_set_integer(o, "n", p->n);
    record_set_number(o, "tokens_per_s", p->rate.value);
    record_set_number(o, "low", p->rate.low);
    record_set_number(o, "high", p->rate.high);
    record_set_number(o, "step_s", p->step_s);
    record_set_integer(o, "runs", p->count);
    return o;
}

/* The ledger's parts at each point, beside what was measured. */
static json_t *ledger_parts(const struct scale_model *m) {
    json_t *list = json_array();
    for (int k = 0; k < m->curve->count; k++) {
        const struct scale_parts p = scale_ledger_parts(m, m->curve->points[k].n);
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o}", "n", m->curve->points[k].n, "compute_s",
                                              record_number(p.compute_s), "exposed_s", record_number(p.exposed_s),
                                              "imbalance_s", record_number(p.imbalance_s)));
    }
    return list;
}

static int set_fits(const struct scale_curve *c, json_t *result, struct base_error *e) {
    struct scale_model models[SCALE_LAWS] = {{0}};
    struct scale_ledger ledger;
    int code = scale_laws_fit(c, models, e);
    if (!code) code = scale_ledger_fit(c, &ledger, &models[SCALE_LEDGER], e);
    json_t *fits = json_object();
    for (int law = 0; law < SCALE_LAWS && !code; law++) {
        json_t *o = scale_model_json(&models[law]);
        if (law == SCALE_LEDGER && !*models[law].refused) {
            record_set(o, "parts", ledger_parts(&models[law]));
            record_set(o, "assumed", scale_ledger_assumed(&models[law]));
        }
        record_set(fits, models[law].name, o);
    }
    record_set(result, "fits", fits);
    if (!code && c->options->ahead) record_set(result, "predictions", scale_predict_ahead(c, models));
    for (int law = 0; law < SCALE_LAWS; law++) scale_model_close(&models[law]);
    return code;
}

static enum record_status status_of(const struct scale_curve *c, char why[SCALE_WHY]) {
    int rated = 0, worst = -1;
    *why = 0;
    for (int k = 0; k < c->count; k++) {
        rated += scale_point_rated(&c->points[k]);
        if (worst < 0 || c->points[k].status > c->points[worst].status) worst = k;
    }
    const struct scale_point *bad = &c->points[worst];
    if (bad->status >= STUDY_LAUNCH_FAILED) {
        snprintf(why, SCALE_WHY, "n = %d: %.280s", bad->n, bad->why);
        return RECORD_FAILED;
    }
    if (c->options->why && *c->options->why)
        snprintf(why, SCALE_WHY, "%s", c->options->why);
    else if (c->options->ahead)
        snprintf(why, SCALE_WHY, "%d points are ahead: predicted, not measured", c->options->ahead);
    else if (bad->status == STUDY_LAUNCH_INCONCLUSIVE)
        snprintf(why, SCALE_WHY, "n = %d: %.280s", bad->n, bad->why);
    else if (rated < 2)
        snprintf(why, SCALE_WHY, "one point is no curve: give runs on at least two numbers of %ss",
                 record_scaling_unit_name((int)c->unit));
    if (*why) return RECORD_INCONCLUSIVE;
    if (bad->status != STUDY_LAUNCH_UNVERIFIED) return RECORD_PASSED;
    snprintf(why, SCALE_WHY, "imported figures: toise checked nothing");
    return RECORD_UNVERIFIED;
}

static int result_of(const struct scale_curve *c, const json_t *work, json_t *result, struct base_error *e) {
    json_t *points = json_array();
    record_set(result, "mode", json_string(record_scaling_mode_name((int)c->mode)));
    record_set(result, "unit", json_string(record_scaling_unit_name((int)c->unit)));
    for (int k = 0; k < c->count; k++) json_array_append_new(points, point_of(c, &c->points[k]));
    record_set(result, "points", points);
    if (c->options->skipped && json_array_size(c->options->skipped))
        record_set(result, "skipped", json_deep_copy(c->options->skipped));
    record_set(result, "flags", scale_flags(c));
    if (c->base < 0) return BASE_OK;
    record_set(result, "base", base_of(c));
    const int code = set_fits(c, result, e);
    json_t *scored = scale_predict_scored(c, work);
    if (json_array_size(scored)) record_set(result, "score", scale_predict_summary(scored));
    record_set(result, "scored", scored);
    return code;
}

int scale_record(const struct scale_curve *c, json_t **record, struct base_error *e) {
    char why[SCALE_WHY];
    const enum record_status status = status_of(c, why);
    json_t *o = record_head("scale", status, why), *result = json_object(), *config = config_of(c);
    json_t *machine = record_at(c->runs[0].record, "machine");
    record_set(o, "machine", machine ? json_incref(machine) : json_object());
    record_set(o, "config", config);
    record_set(o, "result", result);
    const int code = result_of(c, record_at(config, "work"), result, e);
    if (code)
        json_decref(o);
    else
        *record = o;
    return code;
}
