/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "launches" as a table: for people, as Markdown, as CSV. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { CELL = 160, PLACE = 320, SHOWN = 12, WHY = 500 };

const char *report_format_name(int format) {
    static const char *const names[] = {[REPORT_TEXT] = "text", [REPORT_MD] = "md", [REPORT_CSV] = "csv", NULL};
    return names[format];
}

/* What a terminal or a Markdown table would take as a command becomes "?". */
static void clean(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127 || strchr("|<>`", *text)) *text = '?';
}

/* "node-s", "tiny-gpt2, 4 x 64 tokens", "gemm NT 256 x 192 x 64" */
static void work(const json_t *r, char *text) {
    char whole[REPORT_WORK];
    const char *group = *record_text(r, "of.group") ? record_text(r, "of.group") : record_text(r, "config.group");
    const char *place = *record_text(r, "of.place") ? record_text(r, "of.place") : record_text(r, "config.place");
    if (*place) place = !strcmp(place, "in") ? ", in place" : ", out of place";
    if (*record_text(r, "workload.name"))
        snprintf(text, CELL, "%s", record_text(r, "workload.name"));
    else if (!strcmp(record_text(r, "of.kind"), "train"))
        report_work(record_at(r, "config"), whole), snprintf(text, CELL, "%s", whole);
    else if (*record_text(r, "of.metric"))
        snprintf(text, CELL, "%s", record_text(r, "of.metric"));
    else if (*record_text(r, "of.shape"))
        snprintf(text, CELL, "%s %s, %s", record_text(r, "of.op"), record_text(r, "of.shape"),
                 record_text(r, "of.variant"));
    else if (!strcmp(record_text(r, "of.kind"), "kernel"))
        snprintf(text, CELL, "%s, %s", record_text(r, "of.op"), record_text(r, "of.variant"));
    else
        snprintf(text, CELL, "%s of %lld bytes%s%s%s", record_text(r, "of.op"), record_whole(r, "of.bytes"), place,
                 *group ? ", " : "", group);
    clean(text);
}

static const char *precision_of(const json_t *r) {
    return *record_text(r, "of.dtype") ? record_text(r, "of.dtype") : record_text(r, "config.precision");
}

static void precision(const json_t *r, char *text) {
    snprintf(text, CELL, "%s", precision_of(r));
    clean(text);
}

static void launches(const json_t *r, char *text) {
    const char *status;
    json_t *count;
    *text = 0;
    json_object_foreach(record_at(r, "result.statuses"), status, count) {
        char word[48];
        snprintf(word, sizeof word, "%lld %s", (long long)json_integer_value(count), status);
        base_text_append(text, CELL, word);
    }
    clean(text);
}

/* A rate without the end of its unit: tokens as they are, others with an SI prefix. */
static void number(const char *unit, double x, char *text, int size) {
    if (isnan(x))
        snprintf(text, (size_t)size, "-");
    else if (!strncmp(unit, "tokens", 6))
        snprintf(text, (size_t)size, "%.1f ", x);
    else
        base_text_si(x, text, size);
}

/* The same within a list: no blank at the end. */
static void plain(const char *unit, double x, char *text, int size) {
    number(unit, x, text, size);
    const size_t length = strlen(text);
    if (length && text[length - 1] == ' ') text[length - 1] = 0;
}

static void rate(const json_t *r, char *text) {
    const char *unit = record_text(r, "result.rate_unit");
    char value[32];
    number(unit, record_real(r, "result.rate"), value, sizeof value);
    snprintf(text, CELL, "%s%s", *unit ? value : "none", unit);
}

static void interval(const json_t *r, char *text) {
    const char *unit = record_text(r, "result.rate_unit");
    char low[32], high[32];
    plain(unit, record_real(r, "result.rate_low"), low, sizeof low);
    plain(unit, record_real(r, "result.rate_high"), high, sizeof high);
    snprintf(text, CELL, *low == '-' ? "-" : "[%s, %s]", low, high);
}

static void half_width(const json_t *r, char *text) {
    const double half = record_real(r, "result.half_width");
    snprintf(text, CELL, isnan(half) ? "-" : "%.1f%%", 100 * half);
}

static void figure(const json_t *r, char *text, const char *key, double scale, const char *format) {
    const double x = record_real(r, key);
    snprintf(text, CELL, "-");
    if (!isnan(x)) snprintf(text, CELL, format, scale * x);
}

static void flop(const json_t *r, char *text) {
    figure(r, text, "result.model_flop_per_s_per_node", 1e-12, "%.4f");
}

static void step(const json_t *r, char *text) {
    figure(r, text, "result.mean_step_s", 1, "%.4g");
}

static void mfu(const json_t *r, char *text) {
    figure(r, text, "result.mfu", 100, "%.1f%%");
}

static void status(const json_t *r, char *text) {
    snprintf(text, CELL, "%s", record_text(r, "status"));
}

static const struct column {
    const char *name;
    bool left;
    void (*text)(const json_t *r, char *text);
} columns[] = {
    {"work", true, work},         {"precision", true, precision},
    {"mean rate", false, rate},   {"95% interval", false, interval},
    {"+-", false, half_width},    {"TFLOP/s", false, flop},
    {"step s", false, step},      {"MFU", false, mfu},
    {"launches", true, launches}, {"status", true, status},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Appends what fits. */
__attribute__((format(printf, 2, 3))) static void add(char *text, const char *format, ...) {
    const size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, PLACE - used, format, arguments);
    va_end(arguments);
}

/* The machine, and how the launches used it; the same for many rows. */
static void place(const json_t *r, char *text) {
    const long long world = record_whole(r, "layout.world"), threads = record_whole(r, "layout.threads"),
                    nodes = record_whole(r, "layout.nodes");
    const char *host = record_text(r, "machine.host"), *cpu = record_text(r, "machine.cpu"),
               *job = record_text(r, "of.job");
    *text = 0;
    add(text, "%.48s", *host ? host : "unknown host");
    if (!*cpu) cpu = record_text(r, "machine.name");
    if (*cpu) add(text, ", %.64s", cpu);
    if (world && threads) add(text, ": %lld x %lld thread%s", world, threads, threads == 1 ? "" : "s");
    if (record_whole(r, "layout.tp") > 1)
        add(text, ", TP %lld%s", record_whole(r, "layout.tp"), record_true(r, "layout.sp") ? " with SP" : "");
    if (record_whole(r, "layout.cp") > 1) add(text, ", CP %lld", record_whole(r, "layout.cp"));
    if (record_whole(r, "layout.ep") > 1) add(text, ", EP %lld", record_whole(r, "layout.ep"));
    if (record_whole(r, "layout.pp") > 1)
        add(text, ", PP %lld x %lld %.8s", record_whole(r, "layout.pp"),
            record_at(r, "layout.vp") ? record_whole(r, "layout.vp") : 1LL, record_text(r, "layout.schedule"));
    if (*record_text(r, "layout.order")) add(text, ", order %.16s", record_text(r, "layout.order"));
    if (record_whole(r, "layout.zero")) add(text, ", ZeRO %lld", record_whole(r, "layout.zero"));
    if (*record_text(r, "layout.recompute")) add(text, ", recompute %.16s", record_text(r, "layout.recompute"));
    if (record_whole(r, "layout.reproducible"))
        add(text, ", reproducible up to %lld", record_whole(r, "layout.reproducible"));
    if (nodes > 1) add(text, ", %lld nodes", nodes);
    if (*job) add(text, "; job %.80s", job);
    clean(text);
}

static void each_launch(FILE *out, const json_t *r) {
    const json_t *all = record_at(r, "samples.launches"), *launch;
    long long disturbed = 0;
    size_t i;
    fputs("    by launch", out);
    json_array_foreach(all, i, launch) {
        char value[32];
        plain(record_text(r, "result.rate_unit"), record_real(launch, "rate"), value, sizeof value);
        if (i < SHOWN) fprintf(out, "%s %s", i ? "," : "", value);
        disturbed += record_whole(launch, "disturbed") > 0;
    }
    if (json_array_size(all) > SHOWN) fprintf(out, " and %zu more", json_array_size(all) - SHOWN);
    if (disturbed) fprintf(out, "; %lld with disturbed samples", disturbed);
    if (record_whole(r, "result.met_again"))
        fprintf(out, "; %lld met again, counted once", record_whole(r, "result.met_again"));
    fputc('\n', out);
    if (!strcmp(precision_of(r), "bf16") && json_is_false(record_at(r, "machine.bf16_native")))
        fputs("    BF16 is emulated at FP32 speed: this CPU has no faster BF16 dot\n", out);
    if (!*record_text(r, "why")) return;
    fprintf(out, "    %s: ", record_text(r, "status"));
    report_clean(out, record_text(r, "why"), WHY);
    fputc('\n', out);
}

/* Widths that fit every row; 0: no row has the figure. */
static void fit(const json_t *summaries, int width[COLUMNS]) {
    char text[CELL];
    const json_t *r;
    size_t i;
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = 0;
        json_array_foreach(summaries, i, r) {
            columns[c].text(r, text);
            const int length = (int)strlen(text);
            if (strcmp(text, "-") != 0 && length > width[c]) width[c] = length;
        }
        const int name = (int)strlen(columns[c].name);
        if (width[c] && width[c] < name) width[c] = name;
    }
}

/* One line; r NULL: the columns' names. */
static void line(FILE *out, const json_t *r, const int width[COLUMNS]) {
    char text[CELL];
    for (int c = 0; c < COLUMNS; c++) {
        if (!width[c]) continue;
        snprintf(text, sizeof text, "%s", columns[c].name);
        if (r) columns[c].text(r, text);
        fputs(c ? "  " : "", out);
        if (c == COLUMNS - 1)
            r ? report_status(out, text) : (void)fputs(text, out);
        else
            fprintf(out, "%*s", columns[c].left ? -width[c] : width[c], text);
    }
    fputc('\n', out);
}

static void as_text(FILE *out, const json_t *summaries) {
    char before[PLACE] = "", text[PLACE];
    int width[COLUMNS];
    const json_t *r;
    size_t i;
    fit(summaries, width);
    json_array_foreach(summaries, i, r) {
        place(r, text);
        if (strcmp(text, before) != 0) {
            fprintf(out, "%s%s\n\n", i ? "\n" : "", text);
            line(out, NULL, width);
        }
        memcpy(before, text, sizeof before);
        line(out, r, width);
        each_launch(out, r);
    }
    fputs("\nThe unit is the launch: means are harmonic, with Student's t interval over launches. MFU is the "
          "median,\nof the peak measured in each launch.\n",
          out);
}

static void as_md(FILE *out, const json_t *summaries) {
    char text[PLACE];
    const json_t *r;
    size_t i;
    fputs("| machine |", out);
    for (int c = 0; c < COLUMNS; c++) fprintf(out, " %s |", columns[c].name);
    fputs("\n|---|", out);
    for (int c = 0; c < COLUMNS; c++) fputs(columns[c].left ? "---|" : "---:|", out);
    fputc('\n', out);
    json_array_foreach(summaries, i, r) {
        place(r, text);
        fprintf(out, "| %s |", text);
        for (int c = 0; c < COLUMNS; c++) columns[c].text(r, text), fprintf(out, " %s |", text);
        fputc('\n', out);
    }
}

/* A word as CSV has it (RFC 4180). */
static void csv_word(FILE *out, const char *text) {
    const bool quoted = strpbrk(text, ",\"\r\n");
    if (quoted) fputc('"', out);
    for (; *text; text++) fputs(*text == '"' ? "\"\"" : (char[]){*text, 0}, out);
    if (quoted) fputc('"', out);
}

static void as_csv(FILE *out, const json_t *summaries) {
    /* clang-format off */
    static const char *const paths[] = {
        "of.kind", "of.job", "machine.host", "machine.cpu", "machine.fingerprint", "layout.nodes", "layout.world",
        "layout.threads", "version", "status", "why", "result.launches", "result.rate_unit", "result.rate",
        "result.rate_low", "result.rate_high", "result.half_width", "result.asked", "result.needed",
        "result.rate_lowest", "result.rate_median", "result.rate_highest", "result.mean_step_s",
        "result.model_flop_per_s_per_node", "result.mfu",
    };
    /* clang-format on */
    enum { PATHS = sizeof paths / sizeof *paths };
    char text[CELL];
    const json_t *r;
    size_t i;
    fputs("work,precision", out);
    for (int p = 0; p < PATHS; p++) fprintf(out, ",%s", strchr(paths[p], '.') ? strchr(paths[p], '.') + 1 : paths[p]);
    fputc('\n', out);
    json_array_foreach(summaries, i, r) {
        work(r, text);
        csv_word(out, text);
        fputc(',', out);
        csv_word(out, precision_of(r));
        for (int p = 0; p < PATHS; p++) {
            const json_t *value = record_at(r, paths[p]);
            fputc(',', out);
            if (json_is_string(value)) csv_word(out, json_string_value(value));
            if (json_is_integer(value)) fprintf(out, "%lld", (long long)json_integer_value(value));
            if (json_is_real(value)) fprintf(out, "%.10g", json_real_value(value));
        }
        fputc('\n', out);
    }
}

void report_launches(FILE *out, const json_t *summaries, enum report_format format) {
    static void (*const as[])(FILE *, const json_t *) = {as_text, as_md, as_csv};
    as[format](out, summaries);
}
