/* SPDX-License-Identifier: Apache-2.0
 *
 * toise curve: reads a published series, predicts it, draws and reports both. */
#include "study/curve.h"
#include "base/places.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "draw/curve.h"
#include "forecast/forecast.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    const char *series, *svg;
    bool list;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "SERIES", .kind = CLI_WORD, .at = offsetof(struct flags, series), .file = CLI_READ,
     .help = "a series of the catalogue, or the path of such a file"},
    {.name = "--list", .kind = CLI_ALONE, .at = offsetof(struct flags, list), .help = "list the catalogue's series"},
    {.name = "--svg", .kind = CLI_TEXT, .at = offsetof(struct flags, svg), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "draw both curves into FILE (needs gnuplot)"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "SERIES", .text = "SERIES is missing; toise curve --list lists those of the catalogue"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "curve",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise curve SERIES [flags]\n\nDoes a projection reproduce a published scaling curve? Predicts each "
             "point with parameters fitted without its\nsources, and shows both.",
};

static int show(const struct flags *f, const json_t *record, struct base_error *e) {
    FILE *page = cli_page(&f->output);
    int code = f->svg ? draw_curve(record, f->svg, e) : BASE_OK;
    if (!code) code = cli_emit(&f->output, record, e);
    if (code) return code;
    forecast_curve(page, record);
    if (f->svg) fprintf(page, "drawn into  %s\n", f->svg);
    return BASE_OK;
}

static int curve(const struct flags *f, struct base_error *e) {
    FILE *page = cli_page(&f->output);
    struct cli_progress progress = {.out = page, .terminal = report_terminal(page)};
    const struct study_validate_watch watch = {cli_progress_phase, &progress};
    struct study_curve c = {0};
    int code = cli_options_apart(&COMMAND, f, e);
    if (!code) code = study_curve_read(&c, f->series, e);
    if (!code) code = base_places_check(NULL, 0, e); /* the fit uses all CPUs */
    /* check the outputs before any long work */
    if (!code) code = record_check(f->output.out, e);
    if (!code && f->svg) code = draw_check(e);
    if (!code) code = record_check_anew(f->svg, "--svg", e);
    if (!code) code = study_curve_predict(&c, &watch, e);
    cli_progress_close(&progress);
    if (!code) {
        json_t *record = study_curve_record(&c);
        code = show(f, record, e);
        json_decref(record);
    }
    study_curve_close(&c);
    return code;
}

int command_curve(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags f = {0};
    int code = cli_options_read(&COMMAND, &f, argc, argv, e);
    if (!code && f.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (code) return code;
    return f.list ? record_catalog_titles("curves", cli_print_title, NULL, e) : curve(&f, e);
}
