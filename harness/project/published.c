/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a table into jobs. What their words mean is published_words.c and published_platform.c, what contradicts
 * itself published_check.c. */
#include "project/published.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers: the least and most that any run may have, and what blank means; NAN: unknown. */
static const struct {
    const char *name;
    double low, high, blank;
} numbers[PROJECT_NUMBERS] = {
    [PROJECT_LAYERS] = {"layers", 1, 1e4, NAN},
    [PROJECT_HIDDEN] = {"hidden", 1, 1e6, NAN},
    [PROJECT_FFN] = {"ffn_hidden", 1, 1e7, NAN},
    [PROJECT_HEADS] = {"heads", 1, 1e5, NAN},
    [PROJECT_KV_HEADS] = {"kv_heads", 1, 1e5, NAN},
    [PROJECT_VOCAB] = {"vocab", 1, 1e8, 51200},
    [PROJECT_SEQ] = {"seq_len", 1, 1e8, NAN},
    [PROJECT_GLOBAL_BATCH] = {"global_batch", 1, 1e8, NAN},
    [PROJECT_MICRO_BATCH] = {"micro_batch", 1, 1e6, 1},
    [PROJECT_TP] = {"tp", 1, 1e5, 1},
    [PROJECT_PP] = {"pp", 1, 1e4, 1},
    [PROJECT_VP] = {"virtual_pp", 1, 1e4, 1},
    [PROJECT_DP] = {"dp", 1, 1e7, 1},
    [PROJECT_CP] = {"cp", 1, 1e5, 1},
    [PROJECT_ZERO] = {"zero_stage", 0, 3, 0},
    [PROJECT_NODE_ACCELERATORS] = {"accelerators_per_node", 1, 1e3, 8},
    [PROJECT_ACCELERATORS] = {"n_accelerators", 1, 1e7, NAN},
    [PROJECT_TIME] = {"iteration_s", 1e-6, 1e7, NAN},
    [PROJECT_TOKENS] = {"tokens_per_s_per_accel", 1e-6, 1e9, NAN},
    [PROJECT_TFLOPS] = {"tflops_per_accel", 1e-6, 1e6, NAN},
    [PROJECT_GRAD_BYTES] = {"grad_bytes", 2, 4, NAN},
    [PROJECT_ZERO_GROUP] = {"zero_group", 1, 1e7, NAN},
};

/* Columns of words that price something, those that a cell may hold besides none; NULL: any. */
static const char *const truth[] = {"True", "False", NULL};
static const char *const tiers[] = {"1", "2", "3", "never", NULL};
static const char *const answers[] = {"yes", "no", NULL};
static const struct {
    const char *name;
    const char *const *words;
} words[] = {
    {"id", NULL},
    {"source", NULL},
    {"model", NULL},
    {"notes", NULL},
    {"accelerator", NULL},
    {"interconnect", NULL},
    {"precision", NULL},
    {"ep", NULL},
    {"recompute", (const char *const[]){"none", "selective", "full", NULL}},
    {"flash_attention", truth},
    {"sequence_parallel", truth},
    {"flops_convention", (const char *const[]){"model", "hardware", "megatron-full-recompute", NULL}},
    {"tier", tiers},
    {"complete", answers},
    {"framework", (const char *const[]){"megatron", "megatron-core", "fsdp", "xla", "huggingface", "internevo", NULL}},
};

/* Columns that overrule what the words of a row come to. */
static const struct {
    const char *name;
    size_t at;
} practices[] = {
    {"launch_blocking", offsetof(struct project_practice, blocking)},
    {"pipeline_slots", offsetof(struct project_practice, slots)},
    {"tied_embedding", offsetof(struct project_practice, tied)},
    {"eager", offsetof(struct project_practice, eager)},
    {"local_shard", offsetof(struct project_practice, local_shard)},
    {"overlap_dp", offsetof(struct project_practice, overlap_dp)},
    {"overlap_tp", offsetof(struct project_practice, overlap_tp)},
    {"async_tp", offsetof(struct project_practice, async_tp)},
};

static const char *const unpriced[] = {"year", "verified", "where", "params_b", "mfu_pct"};
static const char *const required[] = {"id",     "accelerator", "n_accelerators", "layers",
                                       "hidden", "heads",       "seq_len",        "global_batch"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *cell(const struct project_runs *r, int row, const char *name) {
    return base_csv_cell(&r->csv, row, base_csv_column(&r->csv, name));
}

static bool known(const char *name) {
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!strcmp(name, numbers[i].name)) return true;
    for (size_t i = 0; i < COUNT(words); i++)
        if (!strcmp(name, words[i].name)) return true;
    for (size_t i = 0; i < COUNT(practices); i++)
        if (!strcmp(name, practices[i].name)) return true;
    for (size_t i = 0; i < COUNT(unpriced); i++)
        if (!strcmp(name, unpriced[i])) return true;
    return false;
}

static int check_columns(const struct base_csv *csv, struct base_error *e) {
    bool measured = false;
    for (int i = 0; i < csv->columns; i++)
        if (!known(csv->cells[i]))
            return base_fail(e, BASE_USAGE,
                             "%s:%d: unknown column \"%.40s\"; harness/catalog/runs/README.md lists them", csv->path,
                             csv->lines[0], csv->cells[i]);
    for (size_t i = 0; i < COUNT(required); i++)
        if (base_csv_column(csv, required[i]) < 0)
            return base_fail(e, BASE_USAGE, "%s:%d: there is no column \"%s\"; add it", csv->path, csv->lines[0],
                             required[i]);
    for (int i = PROJECT_TIME; i <= PROJECT_TFLOPS; i++) measured |= base_csv_column(csv, numbers[i].name) >= 0;
    if (measured) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s:%d: there is no column \"iteration_s\"; add it, or tokens_per_s_per_accel or tflops_per_accel",
                     csv->path, csv->lines[0]);
}

static int check_word(const struct project_runs *r, int row, const char *name, const char *const *allowed,
                      struct base_error *e) {
    char list[256] = "";
    const char *text = cell(r, row, name);
    if (!*text) return BASE_OK;
    for (int i = 0; allowed[i]; i++) {
        if (!strcmp(text, allowed[i])) return BASE_OK;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", allowed[i]);
    }
    return base_fail(e, BASE_USAGE, "%s:%d: %s \"%.40s\" is unknown; take %s, or leave it blank", r->csv.path,
                     r->csv.lines[row + 1], name, text, list);
}

static int check_words(const struct project_runs *r, int row, struct base_error *e) {
    int code = BASE_OK;
    for (size_t i = 0; i < COUNT(words) && !code; i++)
        if (words[i].words) code = check_word(r, row, words[i].name, words[i].words, e);
    for (size_t i = 0; i < COUNT(practices) && !code; i++) code = check_word(r, row, practices[i].name, truth, e);
    return code;
}

static int read_numbers(const struct project_runs *r, int row, double x[PROJECT_NUMBERS], struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < PROJECT_NUMBERS && !code; i++) {
        x[i] = numbers[i].blank;
        code = base_csv_number(&r->csv, row, base_csv_column(&r->csv, numbers[i].name), numbers[i].low, numbers[i].high,
                               &x[i], e);
    }
    return code;
}

/* Sizes that are not known. */
static const char *unknown(const double x[PROJECT_NUMBERS]) {
    for (size_t i = 0; i < COUNT(required); i++)
        for (int k = 0; k < PROJECT_NUMBERS; k++)
            if (isnan(x[k]) && !strcmp(required[i], numbers[k].name)) return "a size is not known";
    return isnan(x[PROJECT_TIME]) && isnan(x[PROJECT_TOKENS]) && isnan(x[PROJECT_TFLOPS])
               ? "neither a time nor a rate is known"
               : NULL;
}

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

static void overrule(const struct project_runs *r, int row, const double x[PROJECT_NUMBERS],
                     struct project_practice *p) {
    if (!strcmp(cell(r, row, "launch_blocking"), "True")) p->overlap_dp = false; /* unless it says otherwise */
    for (size_t i = 0; i < COUNT(practices); i++) {
        const char *text = cell(r, row, practices[i].name);
        if (*text) *(bool *)((char *)p + practices[i].at) = !strcmp(text, "True");
    }
    if (!isnan(x[PROJECT_GRAD_BYTES])) p->grad_bytes = x[PROJECT_GRAD_BYTES];
    if (!isnan(x[PROJECT_ZERO_GROUP])) p->zero_group = fmin(x[PROJECT_ZERO_GROUP], x[PROJECT_DP]);
}

static int make_job(const struct project_runs *r, int row, struct project_run *run, const char *where,
                    struct base_error *e) {
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
    int code = read_numbers(r, row, x, e);
    if (!code) code = check_words(r, row, e);
    if (!code) run->why = unknown(x);
    if (code || run->why) return code;
    fill_job(x, !strcmp(cell(r, row, "sequence_parallel"), "True"), &run->job);
    run->why = project_words_platform(&w, x[PROJECT_NODE_ACCELERATORS], &run->job.platform);
    if (!run->why) run->why = project_words_practice(&w, &run->job);
    code = project_published_check_layout(x, placed, where, e);
    if (code || run->why) return code;
    overrule(r, row, x, &run->job.practice);
    run->measured_s = x[PROJECT_TIME];
    if (isnan(run->measured_s))
        run->measured_s = x[PROJECT_GLOBAL_BATCH] * x[PROJECT_SEQ] / (x[PROJECT_TOKENS] * x[PROJECT_ACCELERATORS]);
    if (isnan(run->measured_s))
        run->measured_s = project_published_flop_s(x, &run->job, cell(r, row, "flops_convention"));
    return project_published_check_time(x, run, where, e);
}

static int read_row(const struct project_runs *r, int row, struct project_run *run, struct base_error *e) {
    const char *tier = cell(r, row, "tier"), *complete = cell(r, row, "complete");
    char where[256];
    snprintf(where, sizeof where, "%.200s:%d", r->csv.path, r->csv.lines[row + 1]);
    *run = (struct project_run){.id = cell(r, row, "id"),
                                .source = cell(r, row, "source"),
                                .model = cell(r, row, "model"),
                                .line = r->csv.lines[row + 1],
                                .tier = *tier ? atoi(tier) : 1,
                                .complete = !*complete || !strcmp(complete, "yes")};
    int code = check_word(r, row, "tier", tiers, e);
    if (!code) code = check_word(r, row, "complete", answers, e);
    if (code || !run->complete || run->tier == 0) return code;
    if (run->tier <= 2) return make_job(r, row, run, where, e);
    if (make_job(r, row, run, where, NULL) && !run->why) run->why = "its figures contradict each other";
    return BASE_OK;
}

int project_runs_read(const char *path, struct project_runs *runs, struct base_error *e) {
    *runs = (struct project_runs){0};
    int code = base_csv_read(&runs->csv, path, e);
    if (code) return code;
    code = check_columns(&runs->csv, e);
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
    return read_row(runs, index, &runs->run[index], e);
}

void project_runs_free(struct project_runs *runs) {
    base_csv_free(&runs->csv);
    free(runs->run);
    *runs = (struct project_runs){0};
}
