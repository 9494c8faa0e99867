/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a curve's file and finds its runs in the table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "records/catalog.h"
#include "records/record.h"
#include "study/curve.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const figures[STUDY_CURVE_FIGURES] = {
    [STUDY_CURVE_FLOPS] = "flops", [STUDY_CURVE_TOKENS] = "tokens", [STUDY_CURVE_TIME] = "time"};
static const char *const scales[] = {"linear", "log"};
static const char *const statuses[] = {"published", "assumed"};

static int wrong(const struct study_curve *c, const char *field, const char *why, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "%s: %s: %s", c->path, field, why);
}

static int check_keys(const struct study_curve *c, const char *field, const json_t *object, const char *const *keys,
                      struct base_error *e) {
    if (!json_is_object(object)) return wrong(c, field, "missing or not an object; give one", e);
    return record_check_keys(object, keys, c->path, field, e);
}

static int check_text(const struct study_curve *c, const char *field, const json_t *object, const char *key,
                      struct base_error *e) {
    const char *text = json_string_value(json_object_get(object, key));
    char where[192];
    snprintf(where, sizeof where, "%s%s%s", field, *field ? "." : "", key);
    return text && *text ? BASE_OK : wrong(c, where, "missing or not text; give a text", e);
}

static int check_word(const struct study_curve *c, const char *field, const json_t *value, const char *const *words,
                      int count, int *index, struct base_error *e) {
    char list[128] = "", why[256];
    *index = base_text_find(json_string_value(value), words, count);
    for (int i = 0; i < count; i++) base_text_append(list, sizeof list, words[i]);
    snprintf(why, sizeof why, "missing or unknown; take one of %s", list);
    return *index >= 0 ? BASE_OK : wrong(c, field, why, e);
}

static int read_axes(struct study_curve *c, struct base_error *e) {
    static const char *const keys[] = {"columns", "label", "scale", NULL};
    json_t *x = json_object_get(c->file, "x"), *columns = json_object_get(x, "columns");
    int scale, figure, code = check_keys(c, "x", x, keys, e);
    if (!code) code = check_text(c, "x", x, "label", e);
    if (!code && json_object_get(x, "scale"))
        code = check_word(c, "x.scale", json_object_get(x, "scale"), scales, COUNT(scales), &scale, e);
    if (!code) code = check_word(c, "y", json_object_get(c->file, "y"), figures, STUDY_CURVE_FIGURES, &figure, e);
    if (code) return code;
    c->figure = (enum study_curve_figure)figure;
    c->column_count = (int)json_array_size(columns);
    if (c->column_count < 1 || c->column_count > STUDY_CURVE_COLUMNS)
        return wrong(c, "x.columns", "give a list of one to four columns of the table of runs", e);
    for (int i = 0; i < c->column_count; i++) {
        c->columns[i] = json_string_value(json_array_get(columns, (size_t)i));
        if (!c->columns[i] || record_csv_column(&c->runs.csv, c->columns[i]) < 0)
            return wrong(c, "x.columns", "one is not a column of the table of runs; correct its name", e);
    }
    return BASE_OK;
}

/* -1: none */
static int find_run(const struct study_curve *c, const char *id) {
    for (int i = 0; id && i < c->runs.count; i++)
        if (!strcmp(c->runs.run[i].id, id)) return i;
    return -1;
}

static int add_point(struct study_curve *c, int group, const char *id, struct base_error *e) {
    char field[64], why[160];
    const int run = find_run(c, id);
    snprintf(field, sizeof field, "groups[%d].rows", group);
    snprintf(why, sizeof why, "%.80s%s", id ? id : "an entry",
             !id                        ? " is not text; give the ids of runs"
             : run < 0                  ? " is not a run of the table; correct its id"
             : c->drawn[run].weight > 0 ? " is listed twice; remove one"
                                        : "");
    if (run < 0 || c->drawn[run].weight > 0) return wrong(c, field, why, e);
    c->drawn[run].weight = 1;
    c->points[c->count++] = (struct study_curve_point){.run = run, .group = group};
    return BASE_OK;
}

static int read_groups(struct study_curve *c, struct base_error *e) {
    static const char *const keys[] = {"label", "rows", NULL};
    const json_t *groups = json_object_get(c->file, "groups");
    json_t *group, *id;
    size_t i, k;
    int code = BASE_OK;
    c->groups = (int)json_array_size(groups);
    if (c->groups < 1 || c->groups > 8) return wrong(c, "groups", "give a list of one to eight lines", e);
    json_array_foreach(groups, i, group) {
        char field[64];
        const json_t *rows = json_object_get(group, "rows");
        snprintf(field, sizeof field, "groups[%zu]", i);
        if (!code) code = check_keys(c, field, group, keys, e);
        if (!code) code = check_text(c, field, group, "label", e);
        if (!code && json_array_size(rows) == 0) code = wrong(c, field, "rows: give a list of ids of runs", e);
        json_array_foreach(rows, k, id) if (!code) code = add_point(c, (int)i, json_string_value(id), e);
    }
    return code;
}

/* Fills one cell of run `id` ("*": of all runs of the series). */
static int state_cell(struct study_curve *c, const char *field, const char *id, const char *column, const json_t *value,
                      struct base_error *e) {
    if (c->cell_count == STUDY_CURVE_CELLS) return wrong(c, field, "too many cells; state fewer", e);
    char *cell = c->cells[c->cell_count++];
    int code = BASE_OK, hits = 0;
    if (json_is_string(value))
        snprintf(cell, STUDY_CURVE_TEXT, "%s", json_string_value(value));
    else if (json_is_number(value))
        snprintf(cell, STUDY_CURVE_TEXT, "%.12g", json_number_value(value));
    else
        return wrong(c, field, "a cell must be a number or text", e);
    for (int i = 0; i < c->count && !code; i++) {
        const int run = c->points[i].run;
        if (strcmp(id, "*") != 0 && strcmp(id, c->runs.run[run].id) != 0) continue;
        hits++;
        code = fit_runs_state(&c->runs, run, column, cell, e);
    }
    return code || hits ? code : wrong(c, field, "is not a run of this series; correct its id", e);
}

static int read_stated(struct study_curve *c, struct base_error *e) {
    static const char *const keys[] = {"status", "source", "how", "rows", NULL};
    const json_t *sources = json_object_get(c->file, "sources");
    json_t *stated, *cells, *value;
    const char *id, *column;
    int status, code = BASE_OK;
    size_t i;
    json_array_foreach(json_object_get(c->file, "stated"), i, stated) {
        char field[128];
        const char *source = json_string_value(json_object_get(stated, "source"));
        snprintf(field, sizeof field, "stated[%zu]", i);
        code = check_keys(c, field, stated, keys, e);
        if (!code)
            code = check_word(c, "stated.status", json_object_get(stated, "status"), statuses, COUNT(statuses), &status,
                              e);
        if (!code && status == 0 && !json_object_get(sources, source ? source : ""))
            code = wrong(c, field, "published: its source must be a key of \"sources\"", e);
        if (!code && status == 1) code = check_text(c, field, stated, "how", e);
        if (!code && json_object_size(json_object_get(stated, "rows")) == 0)
            code = wrong(c, field, "rows: give an object of cells by run, or by \"*\" for all", e);
        json_object_foreach(json_object_get(stated, "rows"), id, cells) {
            snprintf(field, sizeof field, "stated[%zu].rows.%.60s", i, id);
            json_object_foreach(cells, column, value) if (!code) code = state_cell(c, field, id, column, value, e);
        }
        if (code) return code;
    }
    return BASE_OK;
}

/* Checks that every run can be predicted, and sets its x and label. */
static int settle(struct study_curve *c, struct base_error *e) {
    for (int i = 0; i < c->count; i++) {
        struct study_curve_point *p = &c->points[i];
        const struct fit_run *run = &c->runs.run[p->run];
        char field[128];
        double x = NAN;
        snprintf(field, sizeof field, "groups[%d].rows: %.80s", p->group, run->id);
        if (!run->complete) return wrong(c, field, "is incomplete in the table; add what it lacks under \"stated\"", e);
        if (run->tier == 0) return wrong(c, field, "its source contradicts itself; leave it out", e);
        if (run->why) return wrong(c, field, run->why, e);
        for (int k = 0; k < c->column_count; k++) {
            const int column = record_csv_column(&c->runs.csv, c->columns[k]);
            const char *text = record_csv_cell(&c->runs.csv, p->run, column);
            if (!*text) return wrong(c, field, "its x is blank in the table; state it, or leave the run out", e);
            const size_t used = strlen(p->name);
            snprintf(p->name + used, sizeof p->name - used, "%s%s", k ? " / " : "", text);
            if (c->column_count > 1) continue;
            const int code = record_csv_number(&c->runs.csv, p->run, column, 0, 1e15, &x, e);
            if (code) return code;
        }
        p->x = c->column_count > 1 ? i + 1 : x;
        if (i > 0 && p[-1].group == p->group && !(p->x >= p[-1].x))
            return wrong(c, field, "its x is less than that of the run before; list the runs in order", e);
    }
    return BASE_OK;
}

static bool drawn_from(const struct study_curve *c, const char *source) {
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->runs.run[c->points[i].run].source, source)) return true;
    return false;
}

/* Weighs the runs of the fit: all but those of the series' sources and of the sources that the file leaves out. */
static int leave_out(struct study_curve *c, struct base_error *e) {
    const json_t *list = json_object_get(c->file, "leave_out"), *value;
    size_t i;
    json_array_foreach(list, i, value) {
        const char *source = json_string_value(value);
        int hits = 0;
        for (int k = 0; source && k < c->runs.count; k++) {
            if (strcmp(c->runs.run[k].source, source) != 0) continue;
            hits++;
            c->fit[k].weight = 0;
        }
        if (!hits) return wrong(c, "leave_out", "one is not a source of the table of runs; correct its name", e);
    }
    for (int k = 0; k < c->runs.count; k++)
        if (drawn_from(c, c->runs.run[k].source)) c->fit[k].weight = 0;
    fit_weights(&c->runs, c->fit);
    return BASE_OK;
}

static int make_room(struct study_curve *c, struct base_error *e) {
    const size_t n = (size_t)c->runs.count + 1;
    c->points = calloc(n, sizeof *c->points);
    c->fit = calloc(n, sizeof *c->fit), c->drawn = calloc(n, sizeof *c->drawn);
    c->predictions = calloc(n, sizeof *c->predictions), c->rates = calloc(n, sizeof *c->rates);
    if (c->points && c->fit && c->drawn && c->predictions && c->rates) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "out of memory for %zu rows", n);
}

static int check_head(const struct study_curve *c, struct base_error *e) {
    static const char *const keys[] = {"schema", "name",      "title",   "x",     "y", "groups",
                                       "stated", "leave_out", "sources", "notes", NULL};
    static const struct {
        const char *key;
        json_type type;
        const char *why;
    } kinds[] = {{"stated", JSON_ARRAY, "must be a list"},
                 {"leave_out", JSON_ARRAY, "must be a list"},
                 {"sources", JSON_OBJECT, "must be an object"},
                 {"notes", JSON_STRING, "must be text"}};
    const char *schema = json_string_value(json_object_get(c->file, "schema"));
    int code = check_keys(c, "the file", c->file, keys, e);
    if (!code && (!schema || strcmp(schema, "curve/1") != 0)) code = wrong(c, "schema", "must be \"curve/1\"", e);
    if (!code) code = check_text(c, "", c->file, "name", e);
    if (!code) code = check_text(c, "", c->file, "title", e);
    if (code) return code;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const json_t *value = json_object_get(c->file, kinds[i].key);
        if (value && json_typeof(value) != kinds[i].type) return wrong(c, kinds[i].key, kinds[i].why, e);
    }
    return BASE_OK;
}

static int load(struct study_curve *c, const char *name, struct base_error *e) {
    const bool own = record_catalog_is_path(name);
    snprintf(c->path, sizeof c->path, "%s", name);
    int code =
        own ? record_json_load(name, &c->file, e) : record_catalog_load("curves", "curve", name, &c->file, c->path, e);
    if (!code) code = check_head(c, e);
    if (!code) code = record_catalog_path("runs/published.csv", c->table, e);
    if (!code) code = fit_runs_read(c->table, &c->runs, e);
    if (!code) code = make_room(c, e);
    return code;
}

int study_curve_read(struct study_curve *c, const char *name, struct base_error *e) {
    *c = (struct study_curve){0};
    int code = load(c, name, e);
    if (code) return code;
    fit_weigh(&c->runs, NULL, c->fit); /* before cells are filled: completed runs are not fitted on */
    code = read_axes(c, e);
    if (!code) code = read_groups(c, e);
    if (!code) code = read_stated(c, e);
    for (int i = 0; i < c->count && !code; i++) {
        const int run = c->points[i].run;
        code = fit_runs_read_again(&c->runs, run, e);
        c->drawn[run].job = &c->runs.run[run].job, c->drawn[run].measured_s = c->runs.run[run].measured_s;
    }
    if (!code) code = settle(c, e);
    if (!code) code = leave_out(c, e);
    return code;
}
