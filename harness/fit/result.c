/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads parameters.json. */
#include "fit/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "records/record.h"

static const char SCHEMA[] = "parameters/2";
enum { FABRICS = COST_OMNIPATH + 1 };

static const char *framework_name(int i) {
    return cost_framework_name((enum cost_framework)i);
}
static const char *fabric_name(int i) {
    return cost_fabric_name((enum cost_fabric)i);
}

static const char *kind_name(int i) {
    return cost_kind_name((enum cost_kind)i);
}

/* -1: not among the `count` names */
static int find(const char *word, const char *(*name)(int), int count) {
    for (int i = 0; word && i < count; i++)
        if (!strcmp(word, name(i))) return i;
    return -1;
}

static int wrong(const struct fit_result *f, const char *field, const char *why, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "%s: %s: %s; toise validate --fit writes a new file", f->path, field, why);
}

static int read_number(const struct fit_result *f, const json_t *object, const char *field, const char *key, double *x,
                       struct base_error *e) {
    const json_t *v = json_object_get(object, key);
    char name[128];
    snprintf(name, sizeof name, "%s.%s", field, key);
    if (!json_is_number(v)) return wrong(f, name, "not a number", e);
    *x = json_number_value(v);
    return BASE_OK;
}

/* Parameters of a class that is newer than the file keep their priors. */
static int read_parameters(struct fit_result *f, const json_t *object, struct base_error *e) {
    size_t read = 0;
    int code = cost_parameters_prior(&f->parameters, e);
    for (int i = 0; !code && i < cost_parameters_count(&f->parameters); i++) {
        const char *name = cost_parameters_info(&f->parameters, i).name;
        const json_t *p = json_object_get(object, name);
        if (!p && i >= COST_PARAMETERS) continue;
        if (!p) return wrong(f, name, "missing", e);
        read++;
        code = read_number(f, p, name, "value", &f->parameters.value[i], e);
        if (!code) code = read_number(f, p, name, "sd", &f->parameters.sd[i], e);
        if (!code && !(f->parameters.value[i] > 0 && f->parameters.sd[i] > 0))
            code = wrong(f, name, "value and sd must be above 0", e);
    }
    if (!code && read != json_object_size(object))
        code = wrong(f, "parameters", "it has parameters that this version does not know", e);
    return code;
}

static int read_class(const struct fit_result *f, const json_t *o, struct fit_class *c, struct base_error *e) {
    const struct machine_class *device =
        machine_class_find(f->parameters.classes, json_string_value(json_object_get(o, "device")));
    const int framework = find(json_string_value(json_object_get(o, "framework")), framework_name, COST_FRAMEWORKS);
    const int fabric = find(json_string_value(json_object_get(o, "fabric")), fabric_name, FABRICS);
    double runs = 0;
    const int kind = find(json_string_value(json_object_get(o, "kind")), kind_name, COST_KINDS);
    if (!device || framework < 0 || fabric < 0 || kind < 0)
        return wrong(f, "classes", "unknown device, framework, fabric or kind", e);
    *c = (struct fit_class){.device = device,
                            .framework = (enum cost_framework)framework,
                            .fabric = (enum cost_fabric)fabric,
                            .kind = (enum cost_kind)kind};
    int code = read_number(f, o, "classes", "runs", &runs, e);
    if (!code) code = read_number(f, o, "classes", "accelerators", &c->accelerators, e);
    if (!code) code = read_number(f, o, "classes", "low", &c->low, e);
    if (!code) code = read_number(f, o, "classes", "high", &c->high, e);
    c->runs = (int)runs;
    if (!code && !(c->low <= c->high && runs >= 1 && runs < 1e9))
        code = wrong(f, "classes", "low is above high, or runs is below 1", e);
    return code;
}

static int read_intervals(struct fit_result *f, const json_t *file, struct base_error *e) {
    struct fit_intervals *t = &f->intervals;
    const json_t *unseen = json_object_get(file, "unseen"), *classes = json_object_get(file, "classes"), *o;
    size_t i;
    int code = BASE_OK;
    for (int k = 0; k < COST_KINDS && !code; k++) {
        char field[64];
        const json_t *kind = json_object_get(unseen, kind_name(k));
        snprintf(field, sizeof field, "unseen.%s", kind_name(k));
        code = read_number(f, kind, field, "low", &t->unseen_low[k], e);
        if (!code) code = read_number(f, kind, field, "high", &t->unseen_high[k], e);
        if (!code && t->unseen_low[k] > t->unseen_high[k]) code = wrong(f, field, "low is above high", e);
    }
    if (!code && (!json_is_array(classes) || json_array_size(classes) > FIT_CLASSES))
        code = wrong(f, "classes", "must be a list of at most 64", e);
    json_array_foreach(classes, i, o) if (!code) code = read_class(f, o, &t->class[t->count++], e);
    return code;
}

/* "hopper" at 16 bits, "hopper.low" below. */
static const char *rate_name(const struct machine_class *class, int low, char name[64]) {
    snprintf(name, 64, "%.50s%s", class->name, low ? ".low" : "");
    return name;
}

/* A rate that the file lacks takes the share of "other". */
static int read_shares(struct fit_result *f, const json_t *object, struct base_error *e) {
    const struct machine_classes *classes = f->parameters.classes;
    char name[64];
    for (int d = 0; d < 2 * classes->count; d++) {
        const struct machine_class *class = &classes->class[d / 2];
        const json_t *v = json_object_get(object, rate_name(class, d % 2, name));
        if (!v) v = json_object_get(object, "other");
        double *share = &f->naive_share[fit_naive_rate(class, d % 2)];
        *share = v ? json_number_value(v) : NAN;
        if (*share <= 0) return wrong(f, "rival", "shares of the peak must be above 0", e);
    }
    return BASE_OK;
}

int fit_result_read(const char *path, struct fit_result *f, struct base_error *e) {
    json_t *file = NULL;
    *f = (struct fit_result){0};
    int code = BASE_OK;
    if (path)
        snprintf(f->path, sizeof f->path, "%s", path);
    else
        code = record_catalog_path("parameters.json", f->path, e);
    if (!code) code = record_json_load(f->path, &file, e);
    const char *schema = json_string_value(json_object_get(file, "schema"));
    if (!code && (!schema || strcmp(schema, SCHEMA) != 0)) code = wrong(f, "schema", "not \"parameters/2\"", e);
    if (!code) code = read_parameters(f, json_object_get(file, "parameters"), e);
    if (!code) code = read_intervals(f, file, e);
    if (!code) code = read_shares(f, json_object_get(file, "rival"), e);
    const char *date = json_string_value(json_object_get(file, "time"));
    snprintf(f->date, sizeof f->date, "%s", date ? date : "");
    if (!code) f->runs = json_incref(json_object_get(file, "runs"));
    json_decref(file);
    return code;
}

void fit_result_free(struct fit_result *f) {
    json_decref(f->runs);
    f->runs = NULL;
}

static int intervals_of(const struct fit_runs *runs, const struct fit_row *rows, const double *fold,
                        const double *source, struct fit_intervals *t, struct base_error *e) {
    struct fit_residual *r = malloc(((size_t)runs->count + 1) * sizeof *r);
    int n = 0;
    if (!r) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->count);
    for (int i = 0; i < runs->count; i++)
        if (rows[i].weight > 0)
            r[n++] = (struct fit_residual){rows[i].job, log(fold[i] / rows[i].measured_s),
                                           log(source[i] / rows[i].measured_s)};
    const int code = fit_intervals_fill(r, n, t, e);
    free(r);
    return code;
}

int fit_result_make(const struct fit_runs *runs, const struct fit_row *rows, const struct cost_parameters *parameters,
                    const double *fold, const double *source, struct fit_result *f, struct base_error *e) {
    *f = (struct fit_result){.parameters = *parameters, .runs = json_object()};
    base_clock_date(f->date);
    for (int i = 0; i < runs->count; i++) {
        const struct fit_run *run = &runs->run[i];
        if (rows[i].weight == 0) continue;
        if (!json_object_get(f->runs, run->source)) json_object_set_new(f->runs, run->source, json_array());
        json_array_append_new(json_object_get(f->runs, run->source), json_string(run->id));
    }
    int code = intervals_of(runs, rows, fold, source, &f->intervals, e);
    if (!code) code = fit_naive_shares(rows, runs->count, f->naive_share, e);
    if (code) fit_result_free(f);
    return code;
}

static json_t *parameters_json(const struct cost_parameters *p) {
    json_t *all = json_object();
    for (int i = 0; i < cost_parameters_count(p); i++) {
        const struct cost_parameter_info info = cost_parameters_info(p, i);
        json_object_set_new(all, info.name,
                            json_pack("{s:f, s:f, s:f, s:f, s:s}", "value", p->value[i], "sd", p->sd[i], "prior",
                                      info.prior, "prior_sd", info.sd, "meaning", info.meaning));
    }
    return all;
}

static json_t *classes_json(const struct fit_intervals *t) {
    json_t *all = json_array();
    for (int i = 0; i < t->count; i++) {
        const struct fit_class *c = &t->class[i];
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:f}", "kind", kind_name(c->kind),
                                             "device", c->device->name, "framework", framework_name(c->framework),
                                             "fabric", fabric_name(c->fabric), "runs", c->runs, "accelerators",
                                             c->accelerators, "low", c->low, "high", c->high));
    }
    return all;
}

static json_t *unseen_json(const struct fit_intervals *t) {
    json_t *all = json_object();
    for (int k = 0; k < COST_KINDS; k++)
        json_object_set_new(all, kind_name(k),
                            json_pack("{s:f, s:f}", "low", t->unseen_low[k], "high", t->unseen_high[k]));
    return all;
}

int fit_result_place(char path[RECORD_CATALOG_PATH], struct base_error *e) {
    static const char folder[] = "models", file[] = "parameters.json";
    const int code = record_catalog_path(folder, path, e);
    if (!code) strcpy(path + strlen(path) - strlen(folder), file);
    return code;
}

int fit_result_write(const char *path, const struct fit_result *f, const json_t *scores, struct base_error *e) {
    json_t *rival = json_object();
    const struct machine_classes *classes = f->parameters.classes;
    char name[64];
    for (int d = 0; d < 2 * classes->count; d++) {
        const struct machine_class *class = &classes->class[d / 2];
        const double share = f->naive_share[fit_naive_rate(class, d % 2)];
        if (!isnan(share)) json_object_set_new(rival, rate_name(class, d % 2, name), json_real(share));
    }
    json_t *file = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:O?, s:O}", "schema", SCHEMA, "by",
                             "toise validate --fit", "version", TOISE_VERSION, "time", f->date, "parameters",
                             parameters_json(&f->parameters), "unseen", unseen_json(&f->intervals), "classes",
                             classes_json(&f->intervals), "rival", rival, "scores", scores, "runs", f->runs);
    char *text = json_dumps(file, JSON_INDENT(1) | JSON_REAL_PRECISION(8));
    int code = text ? BASE_OK : base_fail(e, BASE_BROKEN, "%s: the fit cannot be written as JSON", path);
    if (!code) {
        const size_t size = strlen(text);
        text[size] = '\n'; /* replaces the NUL: files end with a newline */
        code = base_file_replace(path, text, size + 1, e);
    }
    free(text);
    json_decref(file);
    return code;
}

bool fit_result_on(const struct fit_result *f, const struct fit_run *run) {
    const json_t *ids = json_object_get(f->runs, run->source), *id;
    size_t i;
    json_array_foreach(ids, i,
                       id) if (!strcmp(json_string_value(id) ? json_string_value(id) : "", run->id)) return true;
    return false;
}
