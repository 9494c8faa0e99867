/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "curve" as a page. */
#include "forecast/forecast.h"

#include <string.h>

#include "records/get.h"

static void head(FILE *out, const json_t *config) {
    const json_t *list = record_at(config, "left_out"), *value;
    size_t i;
    fprintf(out, "curve       %s: %s\nfitted on   %lld published runs, none of them of:", record_text(config, "curve"),
            record_text(config, "title"), record_whole(config, "fitted_on"));
    json_array_foreach(list, i, value) fprintf(out, "\n            %s", json_string_value(value));
    fputc('\n', out);
    json_array_foreach(record_at(config, "stated"), i, value) fprintf(
        out, "%-11s cells that the table leaves blank: %s%s%s\n", record_text(value, "status"),
        record_text(value, "how"), record_text(value, "how")[0] ? "" : "by ",
        record_text(value, "how")[0] ? "" : record_text(record_at(config, "sources"), record_text(value, "source")));
    if (record_text(config, "notes")[0]) fprintf(out, "note        %s\n", record_text(config, "notes"));
}

static int widest(const json_t *groups, int least) {
    const json_t *g, *p;
    size_t i, k;
    int width = least;
    json_array_foreach(groups, i, g) json_array_foreach(record_at(g, "points"), k, p) {
        const int length = (int)strlen(record_text(p, "name"));
        width = length > width ? length : width;
    }
    return width;
}

static void points(FILE *out, const json_t *list, int width) {
    const json_t *p;
    size_t i;
    json_array_foreach(list, i, p)
        fprintf(out, "  %-*s %10.4g %10.4g %10.4g .. %-10.4g %+7.1f%%  %-6s %s%s\n", width, record_text(p, "name"),
                record_real(p, "published"), record_real(p, "predicted"), record_real(p, "low"), record_real(p, "high"),
                100 * record_real(p, "error"), record_true(p, "inside") ? "yes" : "NO", record_text(p, "id"),
                strcmp(record_text(p, "label"), "extrapolated") ? "" : ", extrapolated");
}

void forecast_curve(FILE *out, const json_t *record) {
    const json_t *result = record_at(record, "result"), *groups = record_at(result, "groups"), *g;
    const json_t *s = record_at(result, "summary"), *x = record_at(result, "x");
    const int width = widest(groups, 1);
    size_t i;
    head(out, record_at(record, "config"));
    fprintf(out, "x           %s\nfigure      %s\n\n", record_text(x, "label"), record_text(result, "y.label"));
    fprintf(out, "  %-*s %10s %10s %24s %8s  %-6s %s\n", width, "x", "published", "predicted", "interval         ",
            "error", "inside", "run");
    json_array_foreach(groups, i, g) {
        fprintf(out, "%s\n", record_text(g, "label"));
        points(out, record_at(g, "points"), width);
    }
    fprintf(out,
            "\nerror of the time of an iteration (predicted over published, less one): mean %.1f%%, median %.1f%%, at "
            "most %.1f%%, bias %+.1f%%\n%.0f%% of %lld runs are inside the interval, whose half-width is %.1f%%; a "
            "single rate per accelerator errs by %.1f%%\n",
            100 * record_real(s, "mean"), 100 * record_real(s, "median"), 100 * record_real(s, "max"),
            100 * record_real(s, "bias"), 100 * record_real(s, "coverage"), record_whole(s, "n"),
            100 * record_real(s, "half_width"), 100 * record_real(s, "rate_mean"));
    if (record_whole(s, "extrapolated") > 0)
        fprintf(out,
                "%lld of them are extrapolated: without these sources, no run of the same device, framework and fabric "
                "is left, or none as large\n",
                record_whole(s, "extrapolated"));
}
