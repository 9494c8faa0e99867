/* SPDX-License-Identifier: Apache-2.0
 *
 * A table with the columns node, metric and value as records of kind "figure": one for each node, metric and launch,
 * its rows the samples. The columns unit, better ("higher" or "lower") and launch may be added. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "import/job.h"
#include "records/csv.h"

struct columns {
    int node, metric, value, unit, better, launch;
};

struct table {
    struct import_job *job;
    struct record_csv csv;
    struct columns at;
    json_t *records, *launches; /* by name */
};

static const char *cell(const struct table *t, int row, int column) {
    return record_csv_cell(&t->csv, row, column);
}

/* The number of the row's launch, from 1. Nodes of one table are measured apart. */
static int launch_of(struct table *t, int row) {
    char name[256];
    snprintf(name, sizeof name, "%.120s/%.120s", cell(t, row, t->at.node), cell(t, row, t->at.launch));
    json_t *number = json_object_get(t->launches, name);
    if (!number) record_set(t->launches, name, number = json_integer((json_int_t)json_object_size(t->launches) + 1));
    return (int)json_integer_value(number);
}

static json_t *record_of(struct table *t, int row, long line) {
    const char *node = cell(t, row, t->at.node), *metric = cell(t, row, t->at.metric);
    const char *unit = cell(t, row, t->at.unit), *better = cell(t, row, t->at.better);
    json_t *name = json_pack("[s, s, s]", node, metric, cell(t, row, t->at.launch));
    char *key = json_dumps(name, JSON_COMPACT);
    json_decref(name);
    if (!key) return NULL; /* not UTF-8 */
    json_t *record = json_object_get(t->records, key), *result = json_object();
    if (!record) {
        record = import_record(t->job, "figure", RECORD_UNVERIFIED, "from a table: toise checked nothing",
                               launch_of(t, row), line, line);
        record_set(json_object_get(record, "machine"), "host", json_string(node));
        record_set(result, "metric", json_string(metric));
        if (*unit) record_set(result, "unit", json_string(unit));
        if (*better) record_set(result, "better", json_string(better));
        record_set(record, "result", json_incref(result));
        record_set(record, "samples", json_pack("{s:[], s:[]}", "value", "line"));
        json_object_set(t->records, key, record);
    }
    json_decref(result);
    free(key);
    return record;
}

static int check_row(struct table *t, int row, long line) {
    static const char *const directions[] = {"higher", "lower"};
    const char *better = cell(t, row, t->at.better);
    if (t->csv.faults[row + 1]) return import_bad(t->job, line, "%s", t->csv.faults[row + 1]);
    if (!*cell(t, row, t->at.node) || !*cell(t, row, t->at.metric) || !*cell(t, row, t->at.value))
        return import_bad(t->job, line, "node, metric or value is blank");
    if (*better && strcmp(better, directions[0]) != 0 && strcmp(better, directions[1]) != 0)
        return import_bad(t->job, line, "better is \"%.32s\"; write higher or lower", better);
    return -1;
}

static int take(struct table *t, int row) {
    const long line = t->csv.lines[row + 1];
    struct base_error why = {0};
    double x = NAN;
    const int bad = check_row(t, row, line);
    if (bad >= 0) return bad;
    if (record_csv_number(&t->csv, row, t->at.value, -INFINITY, INFINITY, &x, &why) || !isfinite(x)) {
        if (t->job->options->skip_bad) return import_bad(t->job, line, "%s", *why.text ? why.text : "not finite");
        return base_fail(t->job->e, BASE_USAGE, "%s", why.text);
    }
    json_t *record = record_of(t, row, line);
    if (!record) return import_bad(t->job, line, "is not UTF-8");
    json_t *result = json_object_get(record, "result"), *samples = json_object_get(record, "samples");
    if (strcmp(cell(t, row, t->at.unit), record_text(result, "unit")) != 0)
        return import_bad(t->job, line, "the unit of %.64s changes from \"%.32s\" to \"%.32s\"",
                          record_text(result, "metric"), record_text(result, "unit"), cell(t, row, t->at.unit));
    json_array_append_new(json_object_get(samples, "value"), json_real(x));
    json_array_append_new(json_object_get(samples, "line"), json_integer(line));
    return BASE_OK;
}

static int finish(json_t *record) {
    const json_t *lines = record_at(record, "samples.line");
    const size_t n = json_array_size(lines);
    double *x = malloc((n + 1) * sizeof *x);
    if (x)
        import_set_median(json_object_get(record, "result"), "value", x,
                          (int)record_reals(record, "samples.value", x, n));
    free(x);
    json_array_set(record_at(record, "origin.lines"), 1, json_array_get(lines, n - 1));
    return x ? BASE_OK : BASE_BROKEN;
}

static int find_columns(struct table *t) {
    t->at = (struct columns){record_csv_column(&t->csv, "node"),   record_csv_column(&t->csv, "metric"),
                             record_csv_column(&t->csv, "value"),  record_csv_column(&t->csv, "unit"),
                             record_csv_column(&t->csv, "better"), record_csv_column(&t->csv, "launch")};
    if (t->at.node >= 0 && t->at.metric >= 0 && t->at.value >= 0) return BASE_OK;
    return base_fail(t->job->e, BASE_USAGE, "%s: the heading must have the columns node, metric and value",
                     t->job->path);
}

int import_figures(struct import_job *job) {
    struct table t = {.job = job, .records = json_object(), .launches = json_object()};
    json_t *record;
    size_t i;
    int code = record_csv_read(&t.csv, job->path, job->e);
    if (!code) code = find_columns(&t);
    for (int row = 0; row < t.csv.rows && !code; row++) code = take(&t, row);
    json_array_foreach(job->records, i, record) if (!code && i >= job->first) code = finish(record);
    if (!code && json_array_size(job->records) == job->first)
        code = base_fail(job->e, BASE_USAGE, "%s: the table has no row that can be used", job->path);
    if (!code) import_finish(job, (int)json_object_size(t.launches));
    json_decref(t.records), json_decref(t.launches);
    record_csv_free(&t.csv);
    return code;
}
