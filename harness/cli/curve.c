/* SPDX-License-Identifier: Apache-2.0
 *
 * toise curve: a published series read, predicted, drawn, reported. */
#include "study/curve.h"
#include "base/places.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"

static int show(const json_t *record, const char *svg, bool json, const char *out, struct base_error *e) {
    FILE *page = json ? stderr : stdout;
    int code = svg ? report_draw_curve(record, svg, e) : BASE_OK;
    if (!code && out) code = record_check(out, e);
    if (!code && out) code = record_append(out, record, e);
    if (code) return code;
    report_curve(page, record);
    if (svg) fprintf(page, "drawn into  %s\n", svg);
    if (json) cli_print_json(record);
    return BASE_OK;
}

static int curve(const char *series, const char *svg, bool json, const char *out, struct base_error *e) {
    FILE *page = json ? stderr : stdout;
    struct cli_progress progress = {.out = page, .terminal = report_terminal(page)};
    const struct study_validate_watch watch = {cli_progress_phase, &progress};
    struct study_curve c = {0};
    const struct cli_path files[] = {{"--svg", svg, true}, {"--out", out, true}, {"SERIES", series, false}};
    int code = cli_paths_apart(files, 3, e);
    if (!code) code = study_curve_read(&c, series, e);
    if (!code) code = base_places_check(NULL, 0, e); /* its fit runs on all CPUs */
    /* whether files can be written, before anything takes time */
    if (!code && out) code = record_ask(out, e);
    if (!code && svg) code = report_draw_check(e);
    if (!code && svg) code = record_check_anew(svg, "--svg", e);
    if (!code) code = study_curve_predict(&c, &watch, e);
    cli_progress_close(&progress);
    if (!code) {
        json_t *record = study_curve_record(&c);
        code = show(record, svg, json, out, e);
        json_decref(record);
    }
    study_curve_close(&c);
    return code;
}

int cli_curve(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    const char *series = NULL, *svg = NULL, *out = NULL;
    bool json = false, list = false, help = false;
    const struct cli_option rows[] = {
        {"SERIES", NULL, CLI_WORD, &series, 0, 0, NULL, "of the catalogue, or the path of such a file", NULL},
        {"--list", NULL, CLI_FLAG, &list, 0, 0, NULL, "the series there are", NULL},
        {"--svg", NULL, CLI_TEXT, &svg, 0, 0, "FILE", "draw it there, by gnuplot", NULL},
        {"--json", NULL, CLI_FLAG, &json, 0, 0, NULL, "the record on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &out, 0, 0, "FILE", "append the record to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &help, 0, 0, NULL, "this text", NULL},
    };
    const int count = sizeof rows / sizeof *rows;
    int code = cli_options_parse(rows, count, argc, argv, "curve", e);
    if (code) return code;
    if (help && world->rank) return BASE_OK;
    if (help) {
        fputs(
            "usage: toise curve SERIES [flags]\n\nDoes a projection reproduce a published scaling curve? Predicts each "
            "point by parameters that were fitted without its\nsources, and draws both.\n\n",
            stdout);
        cli_options_help(stdout, rows, count);
        return BASE_OK;
    }
    if ((code = cli_alone(world, "curve", e))) return code;
    if (list) return record_catalog_titles("curves", cli_print_title, NULL, e);
    if (!series) return base_fail(e, BASE_USAGE, "which series? toise curve --list lists those of the catalogue");
    return curve(series, svg, json, out, e);
}
