/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "validate". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit/ranking.h"
#include "records/set.h"
#include "study/validate.h"

enum { SWEEPS = 256 };

static const char *by_name(enum study_validate_by by) {
    static const char *const names[STUDY_BYS] = {"parameters", "tenths", "sources", "devices", "later", "rate"};
    return names[by];
}

/* The predictor that represents new runs: fits without the source, if there are any. */
static enum study_validate_by decisive(const struct study_validate *v) {
    return v->fit ? STUDY_BY_SOURCES : STUDY_BY_PARAMETERS;
}

/* Rows that are scored together: of all these that are given. */
struct group {
    int tier;                         /* 0: any */
    int kind;                         /* enum cost_kind; COST_KINDS: any */
    const char *source, *accelerator; /* NULL: any */
};
static const struct group all = {.kind = COST_KINDS};

static bool takes(const struct fit_run *run, const void *context) {
    const struct group *g = context;
    return (g->tier == 0 || run->tier == g->tier) && (!g->source || !strcmp(run->source, g->source)) &&
           (g->kind == COST_KINDS || (run->accelerator && (int)cost_job_kind(&run->job) == g->kind)) &&
           (!g->accelerator || (run->accelerator && !strcmp(run->accelerator, g->accelerator)));
}

static struct fit_score score_of(const struct study_validate *v, enum study_validate_by by, struct group g) {
    return fit_score(&v->runs, v->rows, v->by[by], takes, &g);
}

static json_t *score_json(const struct fit_score *s) {
    json_t *o = json_object();
    record_set_integer(o, "n", s->n);
    record_set_number(o, "mean", s->mean), record_set_number(o, "median", s->median),
        record_set_number(o, "max", s->max);
    record_set_number(o, "bias", s->bias), record_set_number(o, "coverage", s->coverage);
    record_set_number(o, "half_width", s->half_width), record_set_number(o, "interval_score", s->interval_score);
    return o;
}

json_t *study_validate_score(const struct study_validate *v, enum study_validate_by by, int tier, const char *source) {
    const struct fit_score s = score_of(v, by, (struct group){.tier = tier, .source = source, .kind = COST_KINDS});
    return score_json(&s);
}

/* Adds the scores of one group by every predictor, unless the group is empty. */
static void add_scores(const struct study_validate *v, struct group g, json_t *list) {
    json_t *o = json_object();
    int n = 0;
    if (g.tier) record_set_integer(o, "tier", g.tier);
    if (g.source) record_set(o, "source", json_string(g.source));
    if (g.kind < COST_KINDS) record_set(o, "kind", json_string(cost_kind_name((enum cost_kind)g.kind)));
    if (g.accelerator) record_set(o, "accelerator", json_string(g.accelerator));
    for (int by = 0; by < STUDY_BYS; by++) {
        if (!v->by[by]) continue;
        const struct fit_score s = score_of(v, (enum study_validate_by)by, g);
        n += s.n;
        record_set(o, by_name((enum study_validate_by)by), score_json(&s));
    }
    if (n > 0)
        json_array_append_new(list, o);
    else
        json_decref(o);
}

json_t *study_validate_tiers(const struct study_validate *v) {
    json_t *list = json_array();
    for (int tier = 1; tier <= 2; tier++) add_scores(v, (struct group){.tier = tier, .kind = COST_KINDS}, list);
    add_scores(v, all, list);
    return list;
}

/* Whether row i is the first that is used of its group. */
static bool is_first(const struct study_validate *v, int i, struct group g) {
    if (v->rows[i].weight == 0 || !takes(&v->runs.run[i], &g)) return false;
    for (int j = 0; j < i; j++)
        if (v->rows[j].weight > 0 && takes(&v->runs.run[j], &g)) return false;
    return true;
}

static json_t *scores_json(const struct study_validate *v) {
    json_t *list = study_validate_tiers(v);
    for (int kind = 0; kind < COST_KINDS; kind++) {
        add_scores(v, (struct group){.kind = kind}, list);
        for (int i = 0; i < v->runs.count; i++) {
            const struct group g = {.kind = kind, .accelerator = v->runs.run[i].accelerator};
            if (is_first(v, i, g)) add_scores(v, g, list);
        }
    }
    for (int tier = 1; tier <= 3; tier++)
        for (int i = 0; i < v->runs.count; i++) {
            const struct group g = {.tier = tier, .source = v->runs.run[i].source, .kind = COST_KINDS};
            if (is_first(v, i, g)) add_scores(v, g, list);
        }
    return list;
}

static json_t *row_json(const struct study_validate *v, int i) {
    const struct fit_run *run = &v->runs.run[i];
    const struct fit_prediction *p = &v->by[STUDY_BY_PARAMETERS][i];
    const bool usable = v->rows[i].weight > 0;
    json_t *o = json_object();
    record_set(o, "id", json_string(run->id)), record_set(o, "source", json_string(run->source));
    record_set_integer(o, "line", run->line), record_set_integer(o, "tier", run->tier);
    record_set(o, "usable", json_boolean(usable));
    if (!usable) {
        record_set(o, "due", json_boolean(fit_run_due(run))), record_set(o, "why", json_string(fit_run_why(run)));
        return o;
    }
    record_set(o, "kind", json_string(cost_kind_name(cost_job_kind(&run->job))));
    record_set(o, "accelerator", json_string(run->accelerator));
    const double step_s = v->by[decisive(v)][i].step_s;
    record_set_number(o, "predicted_s", p->step_s);
    record_set_number(o, "predicted_s_low", p->low_s), record_set_number(o, "predicted_s_high", p->high_s);
    record_set_number(o, "published_s", run->measured_s);
    record_set_number(o, "error", p->step_s / run->measured_s - 1);
    record_set(o, "inside", json_boolean(p->low_s <= run->measured_s && run->measured_s <= p->high_s));
    if (v->fit) {
        record_set_number(o, "error_source_left_out", step_s / run->measured_s - 1);
        record_set_number(o, "error_device_left_out", v->by[STUDY_BY_DEVICES][i].step_s / run->measured_s - 1);
    }
    record_set(o, "seen", json_boolean(fit_result_on(&v->fitted, run)));
    record_set(o, "label",
               json_string(!run->unlike && fit_interpolates(&v->fitted.intervals, &run->job) ? "interpolated"
                                                                                             : "extrapolated"));
    return o;
}

/* "tp 4 pp 12 dp 8 mbs 2" */
static json_t *layout_json(const struct fit_run *run) {
    const struct plan_layout *l = &run->job.layout;
    return json_sprintf("tp %d pp %d vp %d dp %d zero %d mbs %lld", l->tp, l->pp, l->vp, l->dp, l->zero,
                        (long long)run->job.layout.micro_batch);
}

static json_t *sweeps_json(const struct study_validate *v, enum study_validate_by by) {
    struct fit_sweep *sweeps = calloc(SWEEPS, sizeof *sweeps);
    double *step_s = malloc(((size_t)v->runs.count + 1) * sizeof *step_s);
    json_t *list = json_array();
    if (sweeps && step_s) {
        for (int i = 0; i < v->runs.count; i++) step_s[i] = v->by[by][i].step_s;
        const int count = fit_sweeps(&v->runs, v->rows, step_s, sweeps, SWEEPS);
        for (int i = 0; i < count && i < SWEEPS; i++) {
            const struct fit_sweep *s = &sweeps[i];
            json_t *o = json_object();
            record_set(o, "source", json_string(s->run->source)), record_set(o, "model", json_string(s->run->model));
            record_set_number(o, "accelerators", s->run->job.accelerators);
            record_set_integer(o, "global_batch", s->run->job.batch.global_batch);
            record_set_integer(o, "layouts", s->layouts), record_set(o, "best", layout_json(s->run));
            record_set_integer(o, "rank", s->rank);
            record_set_number(o, "regret", s->regret), record_set_number(o, "regret_of_three", s->regret_of_three);
            record_set_integer(o, "pairs", s->pairs), record_set_integer(o, "pairs_right", s->pairs_right);
            json_array_append_new(list, o);
        }
    }
    free(sweeps), free(step_s);
    return list;
}

static json_t *summary_json(const struct study_validate *v) {
    const struct fit_score s = score_of(v, decisive(v), all);
    json_t *o = json_object();
    int due = 0, seen = 0;
    for (int i = 0; i < v->runs.count; i++) {
        due += fit_run_due(&v->runs.run[i]);
        seen += v->rows[i].weight > 0 && fit_result_on(&v->fitted, &v->runs.run[i]);
    }
    record_set(o, "by", json_string(by_name(decisive(v))));
    record_set_integer(o, "n", due), record_set_integer(o, "used", s.n), record_set_integer(o, "seen", seen);
    record_set_number(o, "mape", s.mean), record_set_number(o, "median", s.median), record_set_number(o, "max", s.max);
    record_set_number(o, "bias", s.bias), record_set_number(o, "coverage", s.coverage);
    record_set_number(o, "half_width", s.half_width), record_set_number(o, "interval_score", s.interval_score);
    return o;
}

/* Writes the first missed goal into why. false: none was missed. */
static bool missed(const struct study_validate *v, const struct study_validate_goals *g, char why[256]) {
    int due = 0, used = 0;
    for (int i = 0; i < v->runs.count; i++) {
        due += fit_run_due(&v->runs.run[i]);
        used += v->rows[i].weight > 0;
    }
    for (int tier = 1; tier <= 2; tier++) {
        const struct fit_score s = score_of(v, decisive(v), (struct group){.tier = tier, .kind = COST_KINDS});
        if (s.n > 0 && s.mean > g->mean)
            return snprintf(why, 256, "tier %d: mean error %.2f%%, above %g%%", tier, 100 * s.mean, 100 * g->mean) > 0;
        if (s.n > 0 && s.median > g->median)
            return snprintf(why, 256, "tier %d: median error %.2f%%, above %g%%", tier, 100 * s.median,
                            100 * g->median) > 0;
    }
    const struct fit_score s = score_of(v, v->fit ? STUDY_BY_TENTHS : STUDY_BY_PARAMETERS, all);
    if (s.coverage < g->coverage)
        return snprintf(why, 256, "coverage %.1f%%, below %g%%", 100 * s.coverage, 100 * g->coverage) > 0;
    if (due - used > g->unused * due)
        return snprintf(why, 256, "%d of %d rows are not represented, above %g%%", due - used, due, 100 * g->unused) >
               0;
    return false;
}

json_t *study_validate_record(const struct study_validate *v, const struct study_validate_goals *goals) {
    char why[256] = "";
    const bool bad = missed(v, goals, why);
    json_t *record = record_head("validate", bad ? RECORD_FAILED : RECORD_PASSED, why), *result = json_object();
    json_t *rows = json_array(), *parameters = json_object();
    for (int i = 0; i < v->runs.count; i++) json_array_append_new(rows, row_json(v, i));
    record_set(parameters, "file", v->fit ? json_null() : json_string(v->fitted.path));
    record_set(parameters, "fitted", json_string(v->fitted.date));
    if (v->fit) record_set_number(parameters, "cost", v->cost);
    record_set(record, "config",
               json_pack("{s:s, s:i, s:b, s:o}", "table", v->table, "rows", v->runs.count, "fit", v->fit, "parameters",
                         parameters));
    record_set(result, "rows", rows);
    record_set(result, "summary", summary_json(v));
    record_set(result, "scores", scores_json(v));
    record_set(result, "sweeps", sweeps_json(v, decisive(v)));
    if (v->ablations) record_set(result, "ablations", json_incref(v->ablations));
    record_set(record, "result", result);
    return record;
}
