/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the rows of a table into jobs. published_columns.c has the columns, published_words.c and published_platform.c
 * the meaning of their words, published_check.c the contradictions. */
#include "fit/published.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fit/published_columns.h"

/* The number that follows `before` in the text; 0: none. */
static int64_t said(const char *text, const char *before) {
    const char *at = strstr(text, before);
    return at ? atoll(at + strlen(before)) : 0;
}

/* "q LoRA 1536, kv LoRA 512, head 128 nope + 64 rope, v 128": DeepSeek-V3's figures stand in for what is not said. */
static struct model_latent latent(const char *notes) {
    const int64_t kv = said(notes, "kv LoRA "), rotary = said(notes, "nope + "), value = said(notes, "rope, v ");
    return (struct model_latent){.query = strstr(notes, "no q LoRA") ? 0
                                          : kv                       ? said(notes, "q LoRA ")
                                                                     : 1536,
                                 .kv = kv ? kv : 512,
                                 .rotary = rotary ? rotary : 64,
                                 .value = value ? value : 128};
}

static struct model_config model_of(const double x[FIT_NUMBERS], const char *name, const char *attention,
                                    const char *notes) {
    const bool routed = !isnan(x[FIT_EXPERTS]), is_latent = !strcmp(attention, "mla");
    const double ffn = isnan(x[FIT_FFN]) ? 4 * x[FIT_HIDDEN] : x[FIT_FFN];
    const double each = isnan(x[FIT_EXPERT_FFN]) ? ffn : x[FIT_EXPERT_FFN];
    /* an MLP of four times the width is GELU's; SwiGLU has three matrices and a smaller one */
    const char *type = is_latent                  ? "deepseek_v3"
                       : routed                   ? x[FIT_SHARED] > 0 ? "glm4_moe" : "mixtral"
                       : ffn == 4 * x[FIT_HIDDEN] ? "gpt2"
                                                  : "llama";
    const struct model_family *family = model_family_find(type);
    struct model_config c = {
        .family = family,
        .tied = family->tied,
        .layers = (int64_t)x[FIT_LAYERS],
        .width = (int64_t)x[FIT_HIDDEN],
        .ffn = (int64_t)(routed ? each : ffn),
        .heads = (int64_t)x[FIT_HEADS],
        .kv_heads = (int64_t)fmin(x[FIT_KV_HEADS], x[FIT_HEADS]),
        .head_dim = (int64_t)(isnan(x[FIT_HEAD_DIM]) ? x[FIT_HIDDEN] / x[FIT_HEADS] : x[FIT_HEAD_DIM]),
        .vocab = (int64_t)x[FIT_VOCAB],
        .positions = (int64_t)x[FIT_SEQ],
        .window = said(notes, "window of "),
        .predicted = strstr(name, "DeepSeekV3") && !strstr(notes, "w/o MTP"),
        .window_every = strstr(notes, "every other layer") ? 2 : 1,
    };
    if (routed) {
        c.experts = c.own_experts = c.full_experts = (int64_t)x[FIT_EXPERTS];
        c.biased = strstr(notes, "biases") != NULL;
        c.active = (int64_t)x[FIT_ACTIVE], c.shared = (int64_t)x[FIT_SHARED];
        c.dense_layers = (int64_t)x[FIT_DENSE_LAYERS], c.dense_ffn = (int64_t)ffn;
    }
    if (is_latent) c.latent = latent(notes);
    return c;
}

static void fill_job(const double x[FIT_NUMBERS], const struct model_config *model, bool sequence_parallel,
                     struct cost_job *job) {
    job->model = *model;
    job->layout = (struct plan_layout){.tp = (int)x[FIT_TP],
                                       .pp = (int)x[FIT_PP],
                                       .cp = (int)x[FIT_CP],
                                       .dp = (int)x[FIT_DP],
                                       .ep = (int)x[FIT_EP],
                                       .etp = isnan(x[FIT_ETP]) ? (model->experts > 0 ? 1 : 0) : (int)x[FIT_ETP],
                                       .vp = (int)x[FIT_VP],
                                       .zero = (int)x[FIT_ZERO],
                                       .sequence_parallel = sequence_parallel,
                                       .schedule = PLAN_1F1B,
                                       .micro_batch = (int64_t)x[FIT_MICRO_BATCH]};
    job->batch = (struct plan_batch){(int64_t)x[FIT_SEQ], (int64_t)x[FIT_GLOBAL_BATCH]};
    job->accelerators = x[FIT_ACCELERATORS];
}

static const char *cell(const struct fit_runs *r, int row, const char *name) {
    return record_csv_cell(&r->csv, row, record_csv_column(&r->csv, name));
}

static double seconds(const struct fit_runs *r, int row, const double x[FIT_NUMBERS], const struct cost_job *job) {
    const double of_tokens = x[FIT_GLOBAL_BATCH] * x[FIT_SEQ] / (x[FIT_TOKENS] * x[FIT_ACCELERATORS]);
    return !isnan(x[FIT_TIME]) ? x[FIT_TIME]
           : !isnan(of_tokens)
               ? of_tokens
               : fit_published_flop_s(x, job, cell(r, row, "flops_convention"), *cell(r, row, "kind") != 0);
}

static int make_job(const struct fit_runs *r, int row, struct fit_run *run, struct base_error *e) {
    double x[FIT_NUMBERS];
    const struct fit_words w = {.source = run->source,
                                .model = run->model,
                                .notes = cell(r, row, "notes"),
                                .accelerator = cell(r, row, "accelerator"),
                                .interconnect = cell(r, row, "interconnect"),
                                .precision = cell(r, row, "precision"),
                                .flash = cell(r, row, "flash_attention"),
                                .recompute = cell(r, row, "recompute"),
                                .framework = cell(r, row, "framework"),
                                .recipe = cell(r, row, "fp8_recipe"),
                                .dispatcher = cell(r, row, "dispatcher"),
                                .graphs = cell(r, row, "cuda_graph"),
                                .balanced = cell(r, row, "balanced")};
    const bool placed = *cell(r, row, "tp") && *cell(r, row, "pp") && *cell(r, row, "dp");
    const bool slots = strcmp(cell(r, row, "pipeline_slots"), "False") != 0;
    int code = fit_columns_numbers(r, row, x, e);
    if (!code) code = fit_columns_words(r, row, e);
    if (!code) code = fit_columns_known(x, e);
    if (code) return code;
    if (!strcmp(cell(r, row, "attention"), "hybrid"))
        return base_fail(e, BASE_USAGE, "state-space layers: they are not priced (attention hybrid)");
    const struct model_config model = model_of(x, run->model, cell(r, row, "attention"), w.notes);
    fill_job(x, &model, !strcmp(cell(r, row, "sequence_parallel"), "True"), &run->job);
    run->accelerator = fit_sheets_name(&r->sheets, w.accelerator);
    code = fit_words_platform(&w, &r->sheets, x[FIT_NODE_ACCELERATORS], &run->job.platform, &run->unlike, e);
    if (!code) code = fit_words_traits(&w, &run->job, e);
    if (!code) code = fit_published_check_layout(x, placed, slots, e);
    if (code) return code;
    const char *kind = cell(r, row, "kind"), *is = cost_kind_name(cost_job_kind(&run->job));
    if (*kind && strcmp(kind, is) != 0)
        return base_fail(e, BASE_USAGE, "kind %s, but precision and experts make it %s; correct one of them", kind, is);
    run->job.traits.slots |= x[FIT_PP] > x[FIT_LAYERS]; /* more stages than layers need it */
    fit_columns_overrule(r, row, x, &run->job.traits);
    run->measured_s = seconds(r, row, x, &run->job);
    return fit_published_check_time(x, run, e);
}

/* The source; of release 26.02.01 that of 26.02, which it patches. */
static void set_cluster(struct fit_run *run, const char *release) {
    const char *dot = strchr(release, '.'), *patch = dot ? strchr(dot + 1, '.') : NULL;
    const char *at = patch ? strstr(run->source, release) : NULL;
    if (at)
        snprintf(run->cluster, sizeof run->cluster, "%.*s%s", (int)(at - run->source + (patch - release)), run->source,
                 at + strlen(release));
    else
        snprintf(run->cluster, sizeof run->cluster, "%s", run->source);
}

/* A run that stands in the table twice counts once: as the row that names the other. */
static int same_as(const struct fit_runs *r, const struct fit_run *run, struct base_error *e) {
    const int column = record_csv_column(&r->csv, "same_as");
    for (int i = 0; column >= 0 && i < r->csv.rows; i++)
        if (!strcmp(record_csv_cell(&r->csv, i, column), run->id) && *run->id)
            return base_fail(e, BASE_USAGE, "the same run as %.40s, which counts", cell(r, i, "id"));
    return BASE_OK;
}

/* Makes the job of a row, or states in `why` that it has none. Fails only with BASE_BROKEN. */
static int read_row(const struct fit_runs *r, int row, struct fit_run *run, struct base_error *e) {
    const char *tier = cell(r, row, "tier"), *complete = cell(r, row, "complete");
    struct base_error why = {0};
    *run = (struct fit_run){.id = cell(r, row, "id"),
                            .source = cell(r, row, "source"),
                            .model = cell(r, row, "model"),
                            .line = r->csv.lines[row + 1],
                            .tier = *tier ? atoi(tier) : 1,
                            .complete = !*complete || !strcmp(complete, "yes")};
    int code = r->csv.faults[row + 1] ? base_fail(&why, BASE_USAGE, "%s", r->csv.faults[row + 1]) : BASE_OK;
    if (!code) code = fit_columns_kind(r, row, &why);
    if (code) /* its tier is unknown: list it as unused rather than drop it silently */
        run->tier = 1, run->complete = true;
    else if (run->complete && run->tier > 0)
        code = make_job(r, row, run, &why);
    run->date = cell(r, row, "software_date");
    set_cluster(run, cell(r, row, "release"));
    run->judged = *cell(r, row, "kind") && run->tier > 0;
    if (!code && (code = same_as(r, run, &why))) run->tier = 3, run->judged = false;
    if (!code) return BASE_OK;
    run->why = run->own = strdup(why.text);
    return run->own ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %s", r->csv.path);
}

bool fit_run_due(const struct fit_run *run) {
    return run->complete && (run->tier == 1 || run->tier == 2 || (run->tier == 3 && run->judged));
}

const char *fit_run_why(const struct fit_run *run) {
    if (run->tier == 0) return "the source contradicts itself";
    if (!run->complete) return "incomplete";
    if (run->why) return run->why;
    return run->tier > 2 && !run->judged ? "tier 3: good for order alone" : "";
}

int fit_runs_read(const char *path, struct fit_runs *runs, struct base_error *e) {
    *runs = (struct fit_runs){0};
    int code = record_csv_read(&runs->csv, path, e);
    if (code) return code;
    code = fit_columns_check(&runs->csv, e);
    if (!code) code = fit_sheets_read(&runs->sheets, e);
    if (!code) fit_columns_normalise(runs);
    runs->run = calloc((size_t)runs->csv.rows + 1, sizeof *runs->run);
    if (!code && !runs->run) code = base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->csv.rows);
    for (int i = 0; i < runs->csv.rows && !code; i++) code = read_row(runs, i, &runs->run[runs->count++], e);
    if (code) fit_runs_free(runs);
    return code;
}

int fit_runs_state(struct fit_runs *runs, int index, const char *column, char *value, struct base_error *e) {
    static char yes[] = "yes";
    const int at = record_csv_column(&runs->csv, column), complete = record_csv_column(&runs->csv, "complete");
    char **row = runs->csv.cells + (size_t)(index + 1) * (size_t)runs->csv.columns;
    if (at < 0)
        return base_fail(e, BASE_USAGE, "%s:%d: there is no column \"%.40s\"; correct its name", runs->csv.path,
                         runs->csv.lines[0], column);
    if (*row[at] && strcmp(row[at], value) != 0)
        return base_fail(e, BASE_USAGE, "%s:%d: %s is \"%.40s\" in the table; do not give \"%.40s\", too",
                         runs->csv.path, runs->csv.lines[index + 1], column, row[at], value);
    row[at] = value;
    if (complete >= 0) row[complete] = yes;
    return BASE_OK;
}

int fit_runs_read_again(struct fit_runs *runs, int index, struct base_error *e) {
    struct fit_run *run = &runs->run[index];
    free(run->own);
    return read_row(runs, index, run, e);
}

void fit_runs_free(struct fit_runs *runs) {
    for (int i = 0; i < runs->count; i++) free(runs->run[i].own);
    record_csv_free(&runs->csv);
    fit_sheets_free(&runs->sheets);
    free(runs->run);
    *runs = (struct fit_runs){0};
}
