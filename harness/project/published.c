/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a table into jobs. Its columns are published_columns.c, what their words mean is published_words.c and
 * published_platform.c, what contradicts itself published_check.c. */
#include "project/published.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "project/published_columns.h"

static void fill_job(const double x[PROJECT_NUMBERS], bool sequence_parallel, struct project_job *job) {
    const double ffn = isnan(x[PROJECT_FFN]) ? 4 * x[PROJECT_HIDDEN] : x[PROJECT_FFN];
    job->shape = (struct project_shape){.layers = x[PROJECT_LAYERS],
                                        .hidden = x[PROJECT_HIDDEN],
                                        .ffn = ffn,
                                        .heads = x[PROJECT_HEADS],
                                        .kv_heads = fmin(x[PROJECT_KV_HEADS], x[PROJECT_HEADS]),
                                        .vocab = x[PROJECT_VOCAB],
                                        .gated = ffn != 4 * x[PROJECT_HIDDEN]};
    job->layout = (struct plan_layout){.tp = (int)x[PROJECT_TP],
                                       .pp = (int)x[PROJECT_PP],
                                       .cp = (int)x[PROJECT_CP],
                                       .dp = (int)x[PROJECT_DP],
                                       .vp = (int)x[PROJECT_VP],
                                       .zero = (int)x[PROJECT_ZERO],
                                       .sequence_parallel = sequence_parallel,
                                       .schedule = PLAN_1F1B};
    job->batch =
        (struct plan_batch){(int64_t)x[PROJECT_SEQ], (int64_t)x[PROJECT_MICRO_BATCH], (int64_t)x[PROJECT_GLOBAL_BATCH]};
    job->accelerators = x[PROJECT_ACCELERATORS];
}

static const char *cell(const struct project_runs *r, int row, const char *name) {
    return base_csv_cell(&r->csv, row, base_csv_column(&r->csv, name));
}

static double seconds(const struct project_runs *r, int row, const double x[PROJECT_NUMBERS],
                      const struct project_job *job) {
    const double of_tokens = x[PROJECT_GLOBAL_BATCH] * x[PROJECT_SEQ] / (x[PROJECT_TOKENS] * x[PROJECT_ACCELERATORS]);
    return !isnan(x[PROJECT_TIME]) ? x[PROJECT_TIME]
           : !isnan(of_tokens)     ? of_tokens
                                   : project_published_flop_s(x, job, cell(r, row, "flops_convention"));
}

static int make_job(const struct project_runs *r, int row, struct project_run *run, struct base_error *e) {
    double x[PROJECT_NUMBERS];
    const struct project_words w = {.source = run->source,
                                    .model = run->model,
                                    .notes = cell(r, row, "notes"),
                                    .accelerator = cell(r, row, "accelerator"),
                                    .interconnect = cell(r, row, "interconnect"),
                                    .precision = cell(r, row, "precision"),
                                    .flash = cell(r, row, "flash_attention"),
                                    .recompute = cell(r, row, "recompute"),
                                    .framework = cell(r, row, "framework"),
                                    .experts = cell(r, row, "ep")};
    const bool placed = *cell(r, row, "tp") && *cell(r, row, "pp") && *cell(r, row, "dp");
    const bool slots = strcmp(cell(r, row, "pipeline_slots"), "False") != 0;
    int code = project_columns_numbers(r, row, x, e);
    if (!code) code = project_columns_words(r, row, e);
    if (!code) code = project_columns_known(x, e);
    if (code) return code;
    fill_job(x, !strcmp(cell(r, row, "sequence_parallel"), "True"), &run->job);
    code = project_words_platform(&w, &r->sheets, x[PROJECT_NODE_ACCELERATORS], &run->job.platform, &run->unlike, e);
    if (!code) code = project_words_practice(&w, &run->job, e);
    if (!code) code = project_published_check_layout(x, placed, slots, e);
    if (code) return code;
    run->job.practice.slots |= x[PROJECT_PP] > x[PROJECT_LAYERS]; /* there is no other way */
    project_columns_overrule(r, row, x, &run->job.practice);
    run->measured_s = seconds(r, row, x, &run->job);
    return project_published_check_time(x, run, e);
}

/* Runs as jobs; a row without one has its `why`. BASE_BROKEN alone. */
static int read_row(const struct project_runs *r, int row, struct project_run *run, struct base_error *e) {
    const char *tier = cell(r, row, "tier"), *complete = cell(r, row, "complete");
    struct base_error why = {0};
    *run = (struct project_run){.id = cell(r, row, "id"),
                                .source = cell(r, row, "source"),
                                .model = cell(r, row, "model"),
                                .line = r->csv.lines[row + 1],
                                .tier = *tier ? atoi(tier) : 1,
                                .complete = !*complete || !strcmp(complete, "yes")};
    int code = r->csv.faults[row + 1] ? base_fail(&why, BASE_USAGE, "%s", r->csv.faults[row + 1]) : BASE_OK;
    if (!code) code = project_columns_kind(r, row, &why);
    if (code) /* what it was meant to be is not known: it is not passed over in silence */
        run->tier = 1, run->complete = true;
    else if (run->complete && run->tier > 0)
        code = make_job(r, row, run, &why);
    if (!code) return BASE_OK;
    run->why = run->own = strdup(why.text);
    return run->own ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %s", r->csv.path);
}

const char *project_run_why(const struct project_run *run) {
    if (run->tier == 0) return "the source contradicts itself";
    if (!run->complete) return "incomplete";
    if (run->why) return run->why;
    return run->tier > 2 ? "tier 3: good for order alone" : "";
}

int project_runs_read(const char *path, struct project_runs *runs, struct base_error *e) {
    *runs = (struct project_runs){0};
    int code = base_csv_read(&runs->csv, path, e);
    if (code) return code;
    code = project_columns_check(&runs->csv, e);
    if (!code) code = project_sheets_read(&runs->sheets, e);
    if (!code) project_columns_normalise(runs);
    runs->run = calloc((size_t)runs->csv.rows + 1, sizeof *runs->run);
    if (!code && !runs->run) code = base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->csv.rows);
    for (int i = 0; i < runs->csv.rows && !code; i++) code = read_row(runs, i, &runs->run[runs->count++], e);
    if (code) project_runs_free(runs);
    return code;
}

int project_runs_state(struct project_runs *runs, int index, const char *column, char *value, struct base_error *e) {
    static char yes[] = "yes";
    const int at = base_csv_column(&runs->csv, column), complete = base_csv_column(&runs->csv, "complete");
    char **row = runs->csv.cells + (size_t)(index + 1) * (size_t)runs->csv.columns;
    if (at < 0)
        return base_fail(e, BASE_USAGE, "%s:%d: there is no column \"%.40s\"", runs->csv.path, runs->csv.lines[0],
                         column);
    if (*row[at] && strcmp(row[at], value) != 0)
        return base_fail(e, BASE_USAGE, "%s:%d: %s is \"%.40s\" there, and cannot be \"%.40s\" too", runs->csv.path,
                         runs->csv.lines[index + 1], column, row[at], value);
    row[at] = value;
    if (complete >= 0) row[complete] = yes;
    return BASE_OK;
}

int project_runs_read_again(struct project_runs *runs, int index, struct base_error *e) {
    struct project_run *run = &runs->run[index];
    free(run->own);
    return read_row(runs, index, run, e);
}

void project_runs_free(struct project_runs *runs) {
    for (int i = 0; i < runs->count; i++) free(runs->run[i].own);
    base_csv_free(&runs->csv);
    project_sheets_free(&runs->sheets);
    free(runs->run);
    *runs = (struct project_runs){0};
}
