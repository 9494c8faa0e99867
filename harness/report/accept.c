/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "accept" as a page: the verdict, a row for each pledged figure, and what did not count. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

/* How the figures of an item read. */
static const struct {
    const char *name, *title, *unit;
    bool percent;
} titles[] = {
    {"tokens_per_s_per_node", "rate of the slowest", "tokens/s/node", false},
    {"sustained_minutes", "rate at the end of the slowest", "tokens/s/node", false},
    {"spread", "slowest below the typical by", "%", true},
    {"efficiency", "efficiency at the larger size", "%", true},
    {"joules_per_token", "energy of the worst", "J/token", false},
};

static int title_of(const json_t *item) {
    const int count = sizeof titles / sizeof *titles;
    for (int i = 0; i < count; i++)
        if (!strcmp(titles[i].name, record_text(item, "name"))) return i;
    return 0;
}

static void print_figure(FILE *out, const json_t *item, const char *key, bool percent) {
    double x = record_real(item, key);
    if (fabs(x) < 5e-5) x = 0; /* no "-0.00" */
    if (isnan(x))
        fputs("-", out);
    else
        fprintf(out, percent ? "%.2f" : "%.4g", percent ? 100 * x : x);
}

static void item_row(FILE *out, const json_t *item) {
    const int t = title_of(item);
    const bool percent = titles[t].percent, sustained = !strcmp(titles[t].name, "sustained_minutes");
    fprintf(out, "%-11s %-31s ", record_text(item, "verdict"), titles[t].title);
    print_figure(out, item, "figure", percent), fputs(" [", out), print_figure(out, item, "low", percent);
    fputs(", ", out), print_figure(out, item, "high", percent), fprintf(out, "] %s; pledged ", titles[t].unit);
    if (sustained) fputs("for ", out);
    print_figure(out, item, "pledged", percent);
    if (sustained) fputs(" minutes", out);
    fputc('\n', out);
    if (*record_text(item, "worst"))
        fprintf(out, "%-11s ", ""), report_clean(out, record_text(item, "worst"), 60), fputc('\n', out);
    fprintf(out, "%-11s %lld launches of %lld place%s", "", record_whole(item, "launches"),
            record_whole(item, "places"), report_plural(record_whole(item, "places")));
    if (!isnan(record_real(item, "launch_sd")))
        fprintf(out, ", which vary by %.2g%%", 100 * record_real(item, "launch_sd"));
    if (record_whole(item, "needed") && !strcmp(record_text(item, "verdict"), "undecided"))
        fprintf(out, "; a decision takes about %lld of each", record_whole(item, "needed"));
    fputc('\n', out);
    if (*record_text(item, "why")) fprintf(out, "%-11s %s\n", "", record_text(item, "why"));
}

static void left_out(FILE *out, const json_t *result) {
    const json_t *failed, *list = record_at(result, "failed");
    const char *why;
    json_t *count;
    size_t i;
    json_array_foreach(list, i, failed) {
        char path[64];
        base_text_path(record_text(failed, "path"), path, sizeof path);
        fprintf(out, "FAILED      %s line %lld, ", path, record_whole(failed, "line"));
        report_clean(out, record_text(failed, "place"), 60), fputs(": ", out);
        report_clean(out, record_text(failed, "why"), 120), fputc('\n', out);
    }
    json_object_foreach((json_t *)record_at(result, "left_out"), why, count)
        fprintf(out, "left out    %lld %s\n", (long long)json_integer_value(count), why);
}

void report_accept(FILE *out, const json_t *record) {
    const json_t *item, *result = record_at(record, "result"), *tender = record_at(record, "config.tender");
    size_t i;
    fputs("\ntoise accept   ", out);
    report_status(out, record_text(record, "status"));
    fprintf(out, "   %s%s%s\n\n", record_text(result, "verdict"), *record_text(record, "why") ? ": " : "",
            record_text(record, "why"));
    fputs("tender      ", out);
    report_clean(out, record_text(tender, "title"), 100);
    fprintf(out, "\nwork        %s in %s, copies of %lld node%s\n", record_text(tender, "workload"),
            record_text(tender, "precision"), record_whole(record, "config.copy_nodes"),
            report_plural(record_whole(record, "config.copy_nodes")));
    fprintf(out, "measured    %lld of %lld nodes, %lld launches of %lld job%s\n\n", record_whole(result, "nodes_seen"),
            record_whole(result, "nodes"), record_whole(result, "launches"), record_whole(result, "jobs"),
            report_plural(record_whole(result, "jobs")));
    json_array_foreach(record_at(result, "items"), i, item) item_row(out, item);
    fprintf(out, "\n%-11s below the pledge by %.3g%% is never accepted: in at most 5%% of such machines\n", "tolerance",
            100 * record_real(record, "config.tolerance"));
    if (record_whole(result, "jobs") < 5 && record_whole(result, "jobs") < record_whole(result, "launches"))
        fputs("caution     launches of so few jobs share their hour: they are not independent jobs\n", out);
    left_out(out, result);
}
