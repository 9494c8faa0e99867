/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "validate" as a page: runs, scores, sources, layout sweeps, parts of the model. */
#include "forecast/forecast.h"

#include <string.h>

#include "records/get.h"

/* The predictors: their keys in the record, and their names on the page. */
static const struct {
    const char *key, *head, *text;
} bys[] = {
    {"parameters", "parameters", "these parameters"},
    {"tenths", "tenth out", "fitted without the run's tenth"},
    {"sources", "source out", "fitted without the run's source"},
    {"devices", "device out", "fitted without its accelerator"},
    {"later", "later", "of 2026-04 on, fitted without those"},
    {"rate", "one rate", "a single rate per accelerator"},
};
enum { BYS = sizeof bys / sizeof *bys };

/* A share in percent, in `width` columns; a dash if it is not finite. */
static void percent(FILE *out, int width, const char *format, double share) {
    char text[32] = "-";
    if (isfinite(share)) snprintf(text, sizeof text, format, 100 * share);
    fprintf(out, " %*s", width, text);
}

static void head(FILE *out, const json_t *record) {
    const json_t *config = record_at(record, "config"), *p = record_at(config, "parameters");
    const json_t *s = record_at(record, "result.summary");
    const long long due = record_whole(s, "n"), used = record_whole(s, "used");
    const bool fit = record_true(config, "fit");
    fprintf(out,
            "table       %s: %lld rows; %lld complete and to be used, of which %lld are used and %lld (%.1f%%) not\n",
            record_text(config, "table"), record_whole(config, "rows"), due, used, due - used,
            due ? 100.0 * (double)(due - used) / (double)due : 0.0);
    if (fit)
        fprintf(out, "parameters  fitted on these runs, cost %.2f\n", record_real(p, "cost"));
    else
        fprintf(
            out, "parameters  %s, of %.10s; fitted on %lld of these runs, whose errors are in-sample, not on %lld\n",
            record_text(p, "file"), record_text(p, "fitted"), record_whole(s, "seen"), used - record_whole(s, "seen"));
    fputs("error       predicted / published time of an iteration - 1\n", out);
}

static void runs(FILE *out, const json_t *rows) {
    const json_t *r;
    size_t i;
    fprintf(out, "\n%-16s %4s %12s %12s %8s %26s  %-6s %s\n", "run", "tier", "predicted s", "published s", "error",
            "90% interval s", "inside", "source");
    json_array_foreach(rows, i, r) {
        if (!record_true(r, "usable")) continue;
        fprintf(out, "%-16s %4lld %12.4g %12.4g", record_text(r, "id"), record_whole(r, "tier"),
                record_real(r, "predicted_s"), record_real(r, "published_s"));
        percent(out, 8, "%+.1f%%", record_real(r, "error"));
        fprintf(out, " %12.4g .. %10.4g  %-6s %s%s%s\n", record_real(r, "predicted_s_low"),
                record_real(r, "predicted_s_high"), record_true(r, "inside") ? "yes" : "NO", record_text(r, "source"),
                record_true(r, "seen") ? "" : ", not in the fit",
                strcmp(record_text(r, "label"), "extrapolated") ? "" : ", extrapolated");
    }
}

static void unused(FILE *out, const json_t *rows) {
    const json_t *r;
    size_t i;
    bool first = true;
    json_array_foreach(rows, i, r) {
        if (!record_true(r, "due")) continue;
        if (first) fputs("\ncomplete rows that are not used\n", out);
        first = false;
        fprintf(out, "%-16s line %lld: %s\n", record_text(r, "id"), record_whole(r, "line"), record_text(r, "why"));
    }
}

static void score(FILE *out, const char *name, const json_t *s) {
    fprintf(out, "  %-34s %4lld", name, record_whole(s, "n"));
    percent(out, 7, "%.1f%%", record_real(s, "mean")), percent(out, 7, "%.1f%%", record_real(s, "median"));
    percent(out, 7, "%.1f%%", record_real(s, "max")), percent(out, 7, "%+.1f%%", record_real(s, "bias"));
    percent(out, 9, "%.1f%%", record_real(s, "coverage")), percent(out, 10, "%.1f%%", record_real(s, "half_width"));
    percent(out, 9, "%.0f%%", record_real(s, "interval_score"));
    fputc('\n', out);
}

/* The scores of each tier, and of all runs together. */
static void tiers(FILE *out, const json_t *scores) {
    const json_t *g;
    size_t i;
    fprintf(out, "\n%-36s %4s %7s %7s %7s %7s %9s %10s %9s\n", "", "n", "mean", "median", "max", "bias", "coverage",
            "half-width", "i. score");
    json_array_foreach(scores, i, g) {
        if (record_at(g, "source") || record_at(g, "kind")) continue;
        if (record_whole(g, "tier"))
            fprintf(out, "tier %lld\n", record_whole(g, "tier"));
        else
            fputs("all\n", out);
        for (int k = 0; k < BYS; k++)
            if (record_at(g, bys[k].key)) score(out, bys[k].text, record_at(g, bys[k].key));
    }
    fputs("coverage: share of runs inside the 90% interval; half-width: its median, relative to the prediction; "
          "i. score: interval\nwidth plus 20 times the distance outside it, mean, relative to the published time "
          "(lower is better)\n",
          out);
}

/* A column for the mean error of each predictor that the group has. */
static void mean_heads(FILE *out, const json_t *group) {
    for (int k = 0; k < BYS; k++)
        if (record_at(group, bys[k].key)) fprintf(out, " %10s", bys[k].head);
}
static void means(FILE *out, const json_t *group) {
    for (int k = 0; k < BYS; k++)
        if (record_at(group, bys[k].key)) percent(out, 10, "%.1f%%", record_real(record_at(group, bys[k].key), "mean"));
}

static void sources(FILE *out, const json_t *scores) {
    const json_t *g;
    size_t i;
    bool first = true;
    json_array_foreach(scores, i, g) {
        const json_t *p = record_at(g, "parameters");
        if (!record_at(g, "source")) continue;
        if (first) {
            fprintf(out, "\n%-4s %-50.50s %4s", "tier", "mean error by source", "n");
            mean_heads(out, g);
            fprintf(out, " %8s %8s %8s\n", "max", "bias", "coverage");
        }
        first = false;
        fprintf(out, "%-4lld %-50.50s %4lld", record_whole(g, "tier"), record_text(g, "source"), record_whole(p, "n"));
        means(out, g);
        percent(out, 8, "%.1f%%", record_real(p, "max")), percent(out, 8, "%+.1f%%", record_real(p, "bias"));
        percent(out, 8, "%.0f%%", record_real(p, "coverage"));
        fputc('\n', out);
    }
}

/* Mean errors by kind and accelerator, with the intervals of fits without the run's source if there are any. */
static void kinds(FILE *out, const json_t *scores) {
    const json_t *g;
    size_t i;
    bool first = true;
    json_array_foreach(scores, i, g) {
        const json_t *p = record_at(g, "sources") ? record_at(g, "sources") : record_at(g, "parameters");
        if (!record_at(g, "kind")) continue;
        if (first) {
            fprintf(out, "\n%-30s %4s", "mean error by kind, accelerator", "n");
            mean_heads(out, g);
            fprintf(out, " %8s %8s %10s\n", "bias", "coverage", "half-width");
        }
        first = false;
        const char *accelerator = record_text(g, "accelerator");
        fprintf(out, "%s%-*s %4lld", *accelerator ? "  " : "", *accelerator ? 28 : 30,
                *accelerator ? accelerator : record_text(g, "kind"), record_whole(p, "n"));
        means(out, g);
        percent(out, 8, "%+.1f%%", record_real(p, "bias")), percent(out, 8, "%.0f%%", record_real(p, "coverage"));
        percent(out, 10, "%.1f%%", record_real(p, "half_width"));
        fputc('\n', out);
    }
}

static void sweeps(FILE *out, const json_t *list) {
    const json_t *s;
    size_t i;
    long long top = 0, pairs = 0, right = 0;
    if (json_array_size(list) == 0) return;
    fprintf(out, "\n%-60s %7s %4s %8s %8s %6s  %s\n", "layout sweeps", "layouts", "rank", "lost", "of three", "pairs",
            "published best");
    json_array_foreach(list, i, s) {
        char name[256];
        snprintf(name, sizeof name, "%.0f x %.60s, %.120s", record_real(s, "accelerators"), record_text(s, "model"),
                 record_text(s, "source"));
        fprintf(out, "%-60.60s %7lld %4lld", name, record_whole(s, "layouts"), record_whole(s, "rank"));
        percent(out, 8, "%.1f%%", record_real(s, "regret")),
            percent(out, 8, "%.1f%%", record_real(s, "regret_of_three"));
        percent(out, 6, "%.0f%%", (double)record_whole(s, "pairs_right") / (double)record_whole(s, "pairs"));
        fprintf(out, "  %s\n", record_text(s, "best"));
        top += record_whole(s, "rank") <= 3, pairs += record_whole(s, "pairs"), right += record_whole(s, "pairs_right");
    }
    fprintf(
        out,
        "the published best is among our first three in %lld of %zu sweeps; %.0f%% of the pairs more than 3%% apart "
        "are in order\nrank: our rank of the published best; lost: time lost by taking our first, or the best of our "
        "first three\n",
        top, json_array_size(list), pairs ? 100.0 * (double)right / (double)pairs : 0.0);
}

static void ablations(FILE *out, const json_t *list) {
    const json_t *a, *t;
    size_t i, k;
    if (!list) return;
    fprintf(out, "\n%-40s %8s   %-22s %-22s\n%-40s %8s   %10s %10s  %10s %10s\n", "refitted without", "cost",
            "tier 1 mean/median", "tier 2 mean/median", "", "", "in-sample", "source out", "in-sample", "source out");
    json_array_foreach(list, i, a) {
        fprintf(out, "%-40s %8.1f  ", record_text(a, "without"), record_real(a, "cost"));
        json_array_foreach(record_at(a, "tiers"), k, t) {
            const json_t *in = record_at(t, "parameters"), *of = record_at(t, "sources");
            fprintf(out, " %4.1f/%5.1f %4.1f/%5.1f ", 100 * record_real(in, "mean"), 100 * record_real(in, "median"),
                    100 * record_real(of, "mean"), 100 * record_real(of, "median"));
        }
        fputc('\n', out);
    }
}

void forecast_validate(FILE *out, const json_t *record, bool rows) {
    const json_t *result = record_at(record, "result");
    head(out, record);
    if (rows) runs(out, record_at(result, "rows"));
    unused(out, record_at(result, "rows"));
    sources(out, record_at(result, "scores"));
    kinds(out, record_at(result, "scores"));
    sweeps(out, record_at(result, "sweeps"));
    ablations(out, record_at(result, "ablations"));
    tiers(out, record_at(result, "scores"));
    fprintf(out, "\n%s%s%s\n", record_text(record, "status"), record_text(record, "why")[0] ? ": " : "",
            record_text(record, "why"));
}
