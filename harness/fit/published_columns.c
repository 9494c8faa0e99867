/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a table of runs: names, limits and allowed words. */
#include "fit/published_columns.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Numbers, with their range and the value of a blank cell (NAN: unknown). Whole ones if the range starts with one. */
static const struct {
    const char *name;
    double low, high, blank;
} numbers[FIT_NUMBERS] = {
    [FIT_LAYERS] = {"layers", 1, 1e4, NAN},
    [FIT_HIDDEN] = {"hidden", 1, 1e6, NAN},
    [FIT_FFN] = {"ffn_hidden", 1, 1e7, NAN},
    [FIT_HEADS] = {"heads", 1, 1e5, NAN},
    [FIT_KV_HEADS] = {"kv_heads", 1, 1e5, NAN},
    [FIT_VOCAB] = {"vocab", 1, 1e8, 51200},
    [FIT_SEQ] = {"seq_len", 1, 1e8, NAN},
    [FIT_GLOBAL_BATCH] = {"global_batch", 1, 1e8, NAN},
    [FIT_MICRO_BATCH] = {"micro_batch", 1, 1e6, 1},
    [FIT_TP] = {"tp", 1, 1e5, 1},
    [FIT_PP] = {"pp", 1, 1e4, 1},
    [FIT_VP] = {"virtual_pp", 1, 1e4, 1},
    [FIT_DP] = {"dp", 1, 1e7, 1},
    [FIT_CP] = {"cp", 1, 1e5, 1},
    [FIT_ZERO] = {"zero_stage", 0, 3, 0},
    [FIT_EP] = {"ep", 1, 1e5, 1},
    [FIT_ETP] = {"etp", 1, 1e5, NAN},
    [FIT_EXPERTS] = {"experts", 1, 1e5, NAN},
    [FIT_ACTIVE] = {"experts_per_token", 1, 1e4, NAN},
    [FIT_EXPERT_FFN] = {"expert_ffn_hidden", 1, 1e7, NAN},
    [FIT_SHARED] = {"shared_experts", 0, 1e4, 0},
    [FIT_DENSE_LAYERS] = {"dense_first_layers", 0, 1e4, 0},
    [FIT_HEAD_DIM] = {"head_dim", 1, 1e4, NAN},
    [FIT_NODE_ACCELERATORS] = {"accelerators_per_node", 1, 1e3, 8},
    [FIT_ACCELERATORS] = {"n_accelerators", 1, 1e7, NAN},
    [FIT_TIME] = {"iteration_s", 1e-6, 1e7, NAN},
    [FIT_TOKENS] = {"tokens_per_s_per_accel", 1e-6, 1e9, NAN},
    [FIT_TFLOPS] = {"tflops_per_accel", 1e-6, 1e6, NAN},
    [FIT_GRAD_BYTES] = {"grad_bytes", 2, 4, NAN},
    [FIT_ZERO_GROUP] = {"zero_group", 1, 1e7, NAN},
};

/* Columns of words that affect the price, with the words that a cell may have (NULL: any). */
static const char *const truth[] = {"True", "False", NULL};
static const char *const tiers[] = {"1", "2", "3", "never", NULL};
static const char *const kinds[] = {"dense-bf16", "moe-bf16", "dense-fp8", "moe-fp8", "fp4", "hybrid", NULL};
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
    {"release", NULL},
    {"cuda_graph", NULL},
    {"fp8_recipe", NULL},
    {"same_as", NULL},
    {"attention", (const char *const[]){"mha", "gqa", "mla", "hybrid", NULL}},
    {"dispatcher", (const char *const[]){"alltoall", "deepep", "hybridep", NULL}},
    {"balanced", (const char *const[]){"forced", "real", "unknown", NULL}},
    {"kind", kinds},
    {"recompute", (const char *const[]){"none", "selective", "full", NULL}},
    {"flash_attention", truth},
    {"sequence_parallel", truth},
    {"flops_convention", (const char *const[]){"model", "hardware", "megatron-full-recompute", NULL}},
    {"tier", tiers},
    {"complete", answers},
    {"framework", (const char *const[]){"megatron", "megatron-core", "fsdp", "xla", "huggingface", "internevo", NULL}},
};

/* Columns that override the traits that follow from a row's words. */
static const struct {
    const char *name;
    size_t at;
} traits[] = {
    {"launch_blocking", offsetof(struct cost_traits, blocking)},
    {"pipeline_slots", offsetof(struct cost_traits, slots)},
    {"tied_embedding", offsetof(struct cost_traits, tied)},
    {"eager", offsetof(struct cost_traits, eager)},
    {"local_shard", offsetof(struct cost_traits, local_shard)},
    {"overlap_dp", offsetof(struct cost_traits, overlap_dp)},
    {"overlap_tp", offsetof(struct cost_traits, overlap_tp)},
    {"async_tp", offsetof(struct cost_traits, async_tp)},
};

static const char *const unpriced[] = {"year",    "verified",      "where",     "params_b",
                                       "mfu_pct", "software_date", "memory_gib"};
static const char *const required[] = {"id",     "accelerator", "n_accelerators", "layers",
                                       "hidden", "heads",       "seq_len",        "global_batch"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *cell(const struct fit_runs *r, int row, const char *name) {
    return record_csv_cell(&r->csv, row, record_csv_column(&r->csv, name));
}

static bool is_truth(const char *name) {
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].words == truth && !strcmp(name, words[i].name)) return true;
    for (size_t i = 0; i < COUNT(traits); i++)
        if (!strcmp(name, traits[i].name)) return true;
    return false;
}

static bool known(const char *name) {
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!strcmp(name, numbers[i].name)) return true;
    for (size_t i = 0; i < COUNT(words); i++)
        if (!strcmp(name, words[i].name)) return true;
    for (size_t i = 0; i < COUNT(traits); i++)
        if (!strcmp(name, traits[i].name)) return true;
    for (size_t i = 0; i < COUNT(unpriced); i++)
        if (!strcmp(name, unpriced[i])) return true;
    return false;
}

int fit_columns_check(const struct record_csv *csv, struct base_error *e) {
    bool measured = false;
    if (csv->columns == 1)
        return base_fail(
            e, BASE_USAGE,
            "%s:%d: only one column, \"%.40s\"; separate columns by commas, semicolons or tabs, and do not quote "
            "several together",
            csv->path, csv->lines[0], csv->cells[0]);
    for (int i = 0; i < csv->columns; i++)
        if (!known(csv->cells[i]))
            return base_fail(e, BASE_USAGE,
                             "%s:%d: unknown column \"%.40s\"; harness/catalog/runs/README.md lists them", csv->path,
                             csv->lines[0], csv->cells[i]);
    for (size_t i = 0; i < COUNT(required); i++)
        if (record_csv_column(csv, required[i]) < 0)
            return base_fail(e, BASE_USAGE, "%s:%d: there is no column \"%s\"; add it", csv->path, csv->lines[0],
                             required[i]);
    for (int i = FIT_TIME; i <= FIT_TFLOPS; i++) measured |= record_csv_column(csv, numbers[i].name) >= 0;
    if (measured) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s:%d: there is no column \"iteration_s\"; add it, or tokens_per_s_per_accel or tflops_per_accel",
                     csv->path, csv->lines[0]);
}

/* The text names no file and line, as fit_run has the line. */
static int check_word(const struct fit_runs *r, int row, const char *name, const char *const *allowed,
                      struct base_error *e) {
    char list[256] = "";
    const char *text = cell(r, row, name);
    if (!*text) return BASE_OK;
    for (int i = 0; allowed[i]; i++) {
        if (!strcmp(text, allowed[i])) return BASE_OK;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", allowed[i]);
    }
    return base_fail(e, BASE_USAGE, "%s \"%.40s\" is unknown; take %s, or leave it blank", name, text, list);
}

int fit_columns_kind(const struct fit_runs *r, int row, struct base_error *e) {
    int code = check_word(r, row, "tier", tiers, e);
    if (!code) code = check_word(r, row, "kind", kinds, e);
    return code ? code : check_word(r, row, "complete", answers, e);
}

int fit_columns_words(const struct fit_runs *r, int row, struct base_error *e) {
    int code = BASE_OK;
    for (size_t i = 0; i < COUNT(words) && !code; i++)
        if (words[i].words) code = check_word(r, row, words[i].name, words[i].words, e);
    for (size_t i = 0; i < COUNT(traits) && !code; i++) code = check_word(r, row, traits[i].name, truth, e);
    return code;
}

/* Removes file and line from an error of record_csv_number. */
static int unplaced(const struct fit_runs *r, int row, int code, struct base_error *e) {
    char place[sizeof e->text];
    const int n = snprintf(place, sizeof place, "%s:%d: ", r->csv.path, r->csv.lines[row + 1]);
    if (code && !strncmp(e->text, place, strlen(place))) memmove(e->text, e->text + n, strlen(e->text + n) + 1);
    return code;
}

int fit_columns_numbers(const struct fit_runs *r, int row, double x[FIT_NUMBERS], struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < FIT_NUMBERS && !code; i++) {
        const int column = record_csv_column(&r->csv, numbers[i].name);
        x[i] = numbers[i].blank;
        code = unplaced(r, row, record_csv_number(&r->csv, row, column, numbers[i].low, numbers[i].high, &x[i], e), e);
        const bool whole = floor(numbers[i].low) == numbers[i].low;
        if (!code && whole && isfinite(x[i]) && floor(x[i]) != x[i])
            code = base_fail(e, BASE_USAGE, "%s %s is not a whole number", numbers[i].name,
                             record_csv_cell(&r->csv, row, column));
    }
    return code;
}

int fit_columns_known(const double x[FIT_NUMBERS], struct base_error *e) {
    for (size_t i = 0; i < COUNT(required); i++)
        for (int k = 0; k < FIT_NUMBERS; k++)
            if (isnan(x[k]) && !strcmp(required[i], numbers[k].name))
                return base_fail(e, BASE_USAGE, "a size is unknown: %s is blank", required[i]);
    if (isnan(x[FIT_TIME]) && isnan(x[FIT_TOKENS]) && isnan(x[FIT_TFLOPS]))
        return base_fail(e, BASE_USAGE,
                         "neither a time nor a rate is known; give iteration_s, tokens_per_s_per_accel or "
                         "tflops_per_accel");
    return BASE_OK;
}

void fit_columns_overrule(const struct fit_runs *r, int row, const double x[FIT_NUMBERS], struct cost_traits *p) {
    if (!strcmp(cell(r, row, "launch_blocking"), "True")) p->overlap_dp = false; /* unless overlap_dp is stated */
    for (size_t i = 0; i < COUNT(traits); i++) {
        const char *text = cell(r, row, traits[i].name);
        if (*text) *(bool *)((char *)p + traits[i].at) = !strcmp(text, "True");
    }
    if (!isnan(x[FIT_GRAD_BYTES])) p->grad_bytes = x[FIT_GRAD_BYTES];
    if (!isnan(x[FIT_ZERO_GROUP])) p->zero_group = fmin(x[FIT_ZERO_GROUP], x[FIT_DP]);
}

void fit_columns_normalise(struct fit_runs *r) {
    static char yes[] = "True", no[] = "False";
    static const char *const trues[] = {"true", "vrai", "wahr"}, *const falses[] = {"false", "faux", "falsch"};
    for (int column = 0; column < r->csv.columns; column++) {
        if (!is_truth(r->csv.cells[column])) continue;
        for (int row = 1; row <= r->csv.rows; row++) {
            char **at = &r->csv.cells[(size_t)row * (size_t)r->csv.columns + (size_t)column];
            for (int i = 0; i < 3; i++)
                if (!strcasecmp(*at, trues[i]))
                    *at = yes;
                else if (!strcasecmp(*at, falses[i]))
                    *at = no;
        }
    }
}
