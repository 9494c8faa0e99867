/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of numbers into jobs; what their words mean is published_words.c. */
#include "project/published.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A rate and a time of one row may differ by this, since both are published rounded. */
static const double AGREE = 0.02;

enum column {
    LAYERS,
    HIDDEN,
    FFN,
    HEADS,
    KV_HEADS,
    VOCAB,
    SEQ,
    GLOBAL,
    MICRO,
    TP,
    PP,
    VP,
    DP,
    CP,
    ZERO,
    NODE,
    COUNT,
    TOKENS,
    TIME,
    NUMBERS
};

/* Numbers: the least and most that any run may have, and what blank means; NAN: unknown. */
static const struct {
    const char *name;
    double low, high, blank;
} numbers[NUMBERS] = {
    [LAYERS] = {"layers", 1, 1e4, NAN},
    [HIDDEN] = {"hidden", 1, 1e6, NAN},
    [FFN] = {"ffn_hidden", 1, 1e7, NAN},
    [HEADS] = {"heads", 1, 1e5, NAN},
    [KV_HEADS] = {"kv_heads", 1, 1e5, NAN},
    [VOCAB] = {"vocab", 1, 1e8, 51200},
    [SEQ] = {"seq_len", 1, 1e8, NAN},
    [GLOBAL] = {"global_batch", 1, 1e8, NAN},
    [MICRO] = {"micro_batch", 1, 1e6, 1},
    [TP] = {"tp", 1, 1e5, 1},
    [PP] = {"pp", 1, 1e4, 1},
    [VP] = {"virtual_pp", 1, 1e4, 1},
    [DP] = {"dp", 1, 1e7, 1},
    [CP] = {"cp", 1, 1e5, 1},
    [ZERO] = {"zero_stage", 0, 3, 0},
    [NODE] = {"accelerators_per_node", 1, 1e3, 8},
    [COUNT] = {"n_accelerators", 1, 1e7, NAN},
    [TOKENS] = {"tokens_per_s_per_accel", 1e-6, 1e9, NAN},
    [TIME] = {"iteration_s", 1e-6, 1e7, NAN},
};

/* Columns of words; those that price nothing are known, too. */
static const char *const words[] = {"id",
                                    "source",
                                    "model",
                                    "notes",
                                    "accelerator",
                                    "interconnect",
                                    "precision",
                                    "recompute",
                                    "flash_attention",
                                    "sequence_parallel",
                                    "tier",
                                    "complete",
                                    "year",
                                    "verified",
                                    "where",
                                    "params_b",
                                    "ep",
                                    "mfu_pct",
                                    "tflops_per_accel",
                                    "flops_convention"};
static const char *const required[] = {"id",    "accelerator", "n_accelerators", "layers",      "hidden",
                                       "heads", "seq_len",     "global_batch",   "iteration_s", NULL};

static const char *cell(const struct project_runs *r, int row, const char *name) {
    return base_csv_cell(&r->csv, row, base_csv_column(&r->csv, name));
}

static bool known(const char *name) {
    for (int i = 0; i < NUMBERS; i++)
        if (!strcmp(name, numbers[i].name)) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(name, words[i])) return true;
    return false;
}

static int check_columns(const struct base_csv *csv, struct base_error *e) {
    for (int i = 0; i < csv->columns; i++)
        if (!known(csv->cells[i]))
            return base_fail(e, BASE_USAGE,
                             "%s:%d: unknown column \"%.40s\"; harness/catalog/runs/README.md lists them", csv->path,
                             csv->lines[0], csv->cells[i]);
    for (int i = 0; required[i]; i++)
        if (base_csv_column(csv, required[i]) < 0 &&
            !(i == 8 && base_csv_column(csv, "tokens_per_s_per_accel") >= 0)) /* either will do */
            return base_fail(e, BASE_USAGE, "%s:%d: there is no column \"%s\"; add it", csv->path, csv->lines[0],
                             required[i]);
    return BASE_OK;
}

/* What cannot be true of any run. */
static int check_layout(const struct project_runs *r, int row, const double x[NUMBERS], struct base_error *e) {
    const char *path = r->csv.path;
    const int line = r->csv.lines[row + 1];
    const double world = x[TP] * x[PP] * x[DP] * x[CP];
    const bool placed = *cell(r, row, "tp") && *cell(r, row, "pp") && *cell(r, row, "dp");
    if (placed && world != x[COUNT] && !isnan(x[COUNT]))
        return base_fail(e, BASE_USAGE, "%s:%d: tp x pp x dp x cp is %g, n_accelerators %g; correct one of them", path,
                         line, world, x[COUNT]);
    if (!isnan(x[HEADS]) && fmod(x[HEADS], x[TP]) != 0)
        return base_fail(e, BASE_USAGE, "%s:%d: tp %g does not divide heads %g", path, line, x[TP], x[HEADS]);
    if (x[KV_HEADS] > x[HEADS])
        return base_fail(e, BASE_USAGE, "%s:%d: kv_heads %g are more than heads %g; blank means as many", path, line,
                         x[KV_HEADS], x[HEADS]);
    if (x[PP] > x[LAYERS])
        return base_fail(e, BASE_USAGE, "%s:%d: pp %g is more than layers %g", path, line, x[PP], x[LAYERS]);
    const double tokens_s = x[GLOBAL] * x[SEQ] / (x[TOKENS] * x[COUNT]);
    if (fabs(tokens_s / x[TIME] - 1) > AGREE)
        return base_fail(e, BASE_USAGE,
                         "%s:%d: iteration_s %g, but tokens_per_s_per_accel %g makes it %g: leave the wrong one blank",
                         path, line, x[TIME], x[TOKENS], tokens_s);
    return BASE_OK;
}

static void fill_job(const double x[NUMBERS], bool sequence_parallel, struct project_job *job) {
    const double ffn = isnan(x[FFN]) ? 4 * x[HIDDEN] : x[FFN];
    job->shape = (struct project_shape){
        x[LAYERS], x[HIDDEN],           ffn, x[HEADS], isnan(x[KV_HEADS]) ? x[HEADS] : x[KV_HEADS],
        x[VOCAB],  ffn != 4 * x[HIDDEN]};
    job->layout = (struct plan_layout){.tp = (int)x[TP],
                                       .pp = (int)x[PP],
                                       .cp = (int)x[CP],
                                       .dp = (int)x[DP],
                                       .vp = (int)x[VP],
                                       .zero = (int)x[ZERO],
                                       .sequence_parallel = sequence_parallel,
                                       .schedule = PLAN_1F1B};
    job->batch = (struct plan_batch){(int64_t)x[SEQ], (int64_t)x[MICRO], (int64_t)x[GLOBAL]};
    job->accelerators = x[COUNT];
}

static int read_row(struct project_runs *r, int row, struct project_run *run, struct base_error *e) {
    double x[NUMBERS];
    int code = BASE_OK;
    for (int i = 0; i < NUMBERS && !code; i++) {
        x[i] = numbers[i].blank;
        code = base_csv_number(&r->csv, row, base_csv_column(&r->csv, numbers[i].name), numbers[i].low, numbers[i].high,
                               &x[i], e);
    }
    const char *tier = cell(r, row, "tier"), *complete = cell(r, row, "complete");
    const struct project_words w = {cell(r, row, "source"),          cell(r, row, "model"),
                                    cell(r, row, "notes"),           cell(r, row, "accelerator"),
                                    cell(r, row, "interconnect"),    cell(r, row, "precision"),
                                    cell(r, row, "flash_attention"), cell(r, row, "recompute")};
    *run = (struct project_run){.id = cell(r, row, "id"),
                                .source = w.source,
                                .model = w.model,
                                .line = r->csv.lines[row + 1],
                                .tier = *tier ? atoi(tier) : 1,
                                .complete = !*complete || !strcmp(complete, "yes")};
    if (code || !run->complete) return code;
    for (int i = 0; i < NUMBERS && run->complete; i++)
        if (isnan(x[i]) && i != FFN && i != KV_HEADS && i != TOKENS && i != TIME) run->why = "a size is not known";
    run->measured_s = isnan(x[TIME]) ? x[GLOBAL] * x[SEQ] / (x[TOKENS] * x[COUNT]) : x[TIME];
    if (isnan(run->measured_s)) run->why = "neither a time nor tokens/s is known";
    if (run->tier == 0 || run->why) return BASE_OK;
    code = check_layout(r, row, x, e);
    fill_job(x, !strcmp(cell(r, row, "sequence_parallel"), "True"), &run->job);
    if (!code) run->why = project_words_platform(&w, x[NODE], &run->job.platform);
    if (!code && !run->why) run->why = project_words_practice(&w, &run->job);
    return code;
}

int project_runs_read(const char *path, struct project_runs *runs, struct base_error *e) {
    *runs = (struct project_runs){0};
    int code = base_csv_read(&runs->csv, path, e);
    if (code) return code;
    code = check_columns(&runs->csv, e);
    runs->run = calloc((size_t)runs->csv.rows + 1, sizeof *runs->run);
    if (!code && !runs->run) code = base_fail(e, BASE_BROKEN, "out of memory");
    for (int i = 0; i < runs->csv.rows && !code; i++) code = read_row(runs, i, &runs->run[runs->count++], e);
    if (code) project_runs_free(runs);
    return code;
}

void project_runs_free(struct project_runs *runs) {
    base_csv_free(&runs->csv);
    free(runs->run);
    *runs = (struct project_runs){0};
}
