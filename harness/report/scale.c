/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "scale" as a page: the points, what to know about them, the laws, and predictions with their score.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { TEXT = 400, CELL = 40 };

/* A label of 12 columns, then a text of the record. */
static void line(FILE *out, const char *label, const char *text) {
    fprintf(out, "%-12s", label);
    report_clean(out, text, TEXT);
    fputc('\n', out);
}

static void head(FILE *out, const json_t *r) {
    const json_t *work = record_at(r, "config.work"), *points = record_at(r, "result.points");
    const char *unit = record_text(r, "result.unit"), *name = record_text(work, "workload.name");
    const bool strong = !strcmp(record_text(r, "result.mode"), "strong");
    fprintf(out, "\ntoise scale   %s, %zu point%s by %s   ", record_text(r, "result.mode"), json_array_size(points),
            report_plural((long long)json_array_size(points)), unit);
    report_status(out, record_text(r, "status"));
    fputs("\n\n", out);
    if (*record_text(r, "why")) line(out, "why", record_text(r, "why"));
    fprintf(out, "work        %s%s%s, %s; ", name, *name ? ": " : "", record_text(work, "model"),
            record_text(work, "precision"));
    if (strong)
        fprintf(out, "each step %.0f x %lld tokens, on any number of %ss\n", record_real(work, "global_batch"),
                record_whole(work, "seq"), unit);
    else
        fprintf(out, "each step %.0f x %lld tokens a %s\n", record_real(work, "unit_batch"), record_whole(work, "seq"),
                unit);
    fprintf(out, "machine     ");
    report_clean(out, *record_text(r, "machine.cpu") ? record_text(r, "machine.cpu") : record_text(r, "machine.name"),
                 TEXT);
    if (!strcmp(unit, "node"))
        fprintf(out, "; %.0f rank%s a node", record_real(work, "unit_ranks"),
                report_plural((long long)record_real(work, "unit_ranks")));
    if (record_whole(work, "threads"))
        fprintf(out, ", %lld thread%s a rank", record_whole(work, "threads"),
                report_plural(record_whole(work, "threads")));
    fputc('\n', out);
}

static void base(FILE *out, const json_t *r) {
    const json_t *b = record_at(r, "result.base");
    char step[32];
    if (!b) {
        line(out, "base", "none: no point has a rate");
        return;
    }
    base_text_duration(record_real(b, "step_s"), step, sizeof step);
    fprintf(out, "base        %lld %s%s: %.1f tokens/s, a step of %s, %lld run%s\n", record_whole(b, "n"),
            record_text(r, "result.unit"), report_plural(record_whole(b, "n")), record_real(b, "tokens_per_s"), step,
            record_whole(b, "runs"), report_plural(record_whole(b, "runs")));
}

/* A number, or a dash. */
static void number(char *text, const char *format, double x) {
    snprintf(text, CELL, "-");
    if (isfinite(x)) snprintf(text, CELL, format, x);
}

static void interval(char *text, const char *format, const json_t *o, const char *low, const char *high) {
    char a[CELL / 2 - 2], b[CELL / 2 - 2];
    const double x = record_real(o, low), y = record_real(o, high);
    snprintf(text, CELL, "-");
    if (!isfinite(x) || !isfinite(y)) return;
    snprintf(a, sizeof a, format, x), snprintf(b, sizeof b, format, y);
    snprintf(text, CELL, "[%s, %s]", a, b);
}

/* Seconds as a share of the step. */
static void share(char *text, const json_t *p, const char *key) {
    number(text, "%.1f%%", 100 * record_real(p, key) / record_real(p, "step_s"));
}

enum { COLUMNS = 11 };
static const char *const columns[COLUMNS] = {"n",          "tokens/s", "interval", "per node", "speed-up", "interval",
                                             "efficiency", "interval", "exposed",  "wait",     "runs"};

static void cells(const json_t *p, char text[COLUMNS][CELL]) {
    snprintf(text[0], CELL, "%lld", record_whole(p, "n"));
    number(text[1], "%.1f", record_real(p, "tokens_per_s"));
    interval(text[2], "%.1f", p, "low", "high");
    number(text[3], "%.1f", record_real(p, "tokens_per_s_per_node"));
    number(text[4], "%.3f", record_real(p, "speedup"));
    interval(text[5], "%.3f", p, "speedup_low", "speedup_high");
    number(text[6], "%.3f", record_real(p, "efficiency"));
    interval(text[7], "%.3f", p, "efficiency_low", "efficiency_high");
    share(text[8], p, "exposed_s");
    share(text[9], p, "wait_s");
    snprintf(text[10], CELL, "%zu", json_array_size(record_at(p, "runs")));
}

static void table(FILE *out, const json_t *r) {
    const json_t *points = record_at(r, "result.points"), *p;
    char text[COLUMNS][CELL];
    int width[COLUMNS];
    bool single = false;
    size_t i;
    for (int k = 0; k < COLUMNS; k++) width[k] = (int)strlen(columns[k]);
    width[0] = (int)strlen(record_text(r, "result.unit")) + 1;
    json_array_foreach(points, i, p) {
        cells(p, text);
        for (int k = 0; k < COLUMNS; k++) width[k] = (int)fmax(width[k], (double)strlen(text[k]));
    }
    fprintf(out, "\n%*ss", width[0] - 1, record_text(r, "result.unit"));
    for (int k = 1; k < COLUMNS; k++) fprintf(out, "  %*s", width[k], columns[k]);
    fputs("  status\n", out);
    json_array_foreach(points, i, p) {
        cells(p, text);
        for (int k = 0; k < COLUMNS; k++) fprintf(out, "%s%*s", k ? "  " : "", width[k], text[k]);
        fputs("  ", out);
        report_status(out, record_text(p, "status"));
        if (record_true(p, "base")) fputs("  base", out);
        if (!strcmp(record_text(p, "of"), "step")) fputs("  one run", out), single = true;
        fputc('\n', out);
    }
    fprintf(out, "Intervals are 95%% over runs%s. Exposed communication and waiting are shares of the step.\n",
            single ? "; of one run, over its steps" : "");
}

/* The same remark of several points is one line. */
static void flags(FILE *out, const json_t *list) {
    const json_t *f, *other;
    size_t i, k;
    json_array_foreach(list, i, f) {
        bool told = false;
        for (k = 0; k < i; k++)
            told = told || !strcmp(record_text(json_array_get(list, k), "why"), record_text(f, "why"));
        if (told) continue;
        fputs("flag        n = ", out);
        json_array_foreach(list, k, other) if (!strcmp(record_text(other, "why"), record_text(f, "why")))
            fprintf(out, "%s%lld", k > i ? ", " : "", record_whole(other, "n"));
        fputs(": ", out);
        report_clean(out, record_text(f, "why"), TEXT), fputc('\n', out);
    }
}

static void remarks(FILE *out, const json_t *r) {
    const json_t *o;
    size_t i;
    json_array_foreach(record_at(r, "result.points"), i, o) if (*record_text(o, "why")) {
        fprintf(out, "%-12sn = %lld: ", record_text(o, "status"), record_whole(o, "n"));
        report_clean(out, record_text(o, "why"), TEXT), fputc('\n', out);
    }
    json_array_foreach(record_at(r, "result.skipped"), i, o) {
        fprintf(out, "skipped     n = %lld: ", record_whole(o, "n"));
        report_clean(out, record_text(o, "why"), TEXT), fputc('\n', out);
    }
    flags(out, record_at(r, "result.flags"));
}

/* "serial_share 0.0312 [0.028, 0.035]", on a line. */
static void parameter(FILE *out, const char *name, const json_t *v) {
    const double value = record_real(v, "value"), low = record_real(v, "low"), high = record_real(v, "high");
    if (isnan(value)) return;
    fprintf(out, "            %s %.3g", name, value);
    if (isfinite(low) && isfinite(high)) fprintf(out, " [%.3g, %.3g]", low, high);
    fputc('\n', out);
}

static void halves(FILE *out, const json_t *fit, const char *unit) {
    const json_t *v = record_at(fit, "half_efficiency_n");
    const double value = record_real(v, "value"), low = record_real(v, "low"), high = record_real(v, "high");
    if (!json_is_object(v)) return; /* the model cannot say */
    fputs("            efficiency under 50%: ", out);
    if (isnan(value))
        fputs("never, by this model", out);
    else
        fprintf(out, "from %.4g %ss on", value, unit);
    if (!isnan(low)) fprintf(out, " [%.4g, ", low);
    if (!isnan(low)) fprintf(out, isnan(high) ? "never]" : "%.4g]", high);
    if (*record_text(fit, "half_efficiency_why")) fprintf(out, "; but %s", record_text(fit, "half_efficiency_why"));
    fputc('\n', out);
}

static void extrapolated(FILE *out, const json_t *fit) {
    char rate[CELL], efficiency[CELL];
    const json_t *o;
    size_t i;
    json_array_foreach(record_at(fit, "extrapolated"), i, o) {
        fprintf(out, "            n = %.0f, %lld times the largest: ", record_real(o, "n"), record_whole(o, "times"));
        if (isnan(record_real(o, "tokens_per_s"))) {
            fprintf(out, "no rate: %s\n", *record_text(o, "why") ? record_text(o, "why") : "the model cannot say");
            continue;
        }
        interval(rate, "%.4g", o, "low", "high");
        interval(efficiency, "%.3f", o, "efficiency_low", "efficiency_high");
        fprintf(out, "%.4g tokens/s %s, efficiency %.3f %s  extrapolated\n", record_real(o, "tokens_per_s"), rate,
                record_real(o, "efficiency"), efficiency);
    }
}

static void fit_of(FILE *out, const char *name, const json_t *fit, const char *unit) {
    const char *key;
    const json_t *o;
    json_t *v;
    size_t i;
    if (*record_text(fit, "refused")) {
        fprintf(out, "%-12snot fitted: ", name);
        report_clean(out, record_text(fit, "refused"), TEXT), fputc('\n', out);
        return;
    }
    const double misfit = record_real(fit, "misfit");
    if (isnan(misfit))
        fprintf(out, "%-12sno other point to compare with\n", name);
    else
        fprintf(out, "%-12soff the points by %.2g%%\n", name, 100 * misfit);
    json_object_foreach(record_at(fit, "parameters"), key, v) parameter(out, key, v);
    if (record_real(fit, "lack_p") < 0.05)
        fprintf(out, "            it does not describe these points (p %.2g): read its figures with care\n",
                record_real(fit, "lack_p"));
    json_array_foreach(record_at(fit, "assumed"), i, o) line(out, "  assumed", json_string_value(o));
    halves(out, fit, unit);
    extrapolated(out, fit);
}

static void predictions(FILE *out, const json_t *r) {
    const json_t *o;
    const char *by;
    json_t *s;
    size_t i;
    json_array_foreach(record_at(r, "result.predictions"), i, o)
        fprintf(out, "predicted   n = %lld by %s: %.4g tokens/s [%.4g, %.4g], written down at %s\n",
                record_whole(o, "n"), record_text(o, "by"), record_real(o, "tokens_per_s"), record_real(o, "low"),
                record_real(o, "high"), record_text(o, "time"));
    json_array_foreach(record_at(r, "result.scored"), i, o)
        fprintf(out, "predicted   n = %lld by %s at %s: %.4g tokens/s [%.4g, %.4g], measured %.4g: %+.1f%%, %s\n",
                record_whole(o, "n"), record_text(o, "by"), record_text(o, "time"), record_real(o, "tokens_per_s"),
                record_real(o, "low"), record_real(o, "high"), record_real(o, "measured_tokens_per_s"),
                100 * record_real(o, "error"), record_true(o, "inside") ? "inside" : "outside");
    json_object_foreach(record_at(r, "result.score"), by, s) fprintf(
        out, "score       %s: %lld of %lld inside, mean error %.1f%%, largest %.1f%%\n", by, record_whole(s, "inside"),
        record_whole(s, "n"), 100 * record_real(s, "mean"), 100 * record_real(s, "max"));
}

void report_scale(FILE *out, const json_t *r) {
    const char *law;
    json_t *fit;
    head(out, r);
    base(out, r);
    table(out, r);
    remarks(out, r);
    fputc('\n', out);
    json_object_foreach(record_at(r, "result.fits"), law, fit) fit_of(out, law, fit, record_text(r, "result.unit"));
    predictions(out, r);
}
