/* SPDX-License-Identifier: Apache-2.0
 *
 * toise validate: reads published runs, predicts them or fits parameters on them, and reports the errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/places.h"
#include "cli/cli.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "forecast/forecast.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"
#include "study/validate.h"

struct flags {
    const char *table, *parameters;        /* NULL: the catalogue's */
    double mean, median, unused, coverage; /* goals, percent; NAN: none */
    bool fit, ablate, summary;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "TABLE.csv", .kind = CLI_WORD, .at = offsetof(struct flags, table),
     .help = "table of published runs; default the catalogue's"},
    {.name = "--fit", .kind = CLI_FLAG, .at = offsetof(struct flags, fit),
     .help = "fit the parameters on these runs and write them; score each run also by fits without its source, its "
             "accelerator, and its tenth of the runs"},
    {.name = "--parameters", .kind = CLI_TEXT, .at = offsetof(struct flags, parameters),
     .hint = "FILE", .help = "read parameters from FILE, or write them with --fit; default the catalogue's "
             "parameters.json"},
    {.name = "--ablate", .kind = CLI_FLAG, .at = offsetof(struct flags, ablate),
     .help = "refit without each part of the model in turn and show the errors; writes no parameters"},
    {.name = "--summary", .kind = CLI_FLAG, .at = offsetof(struct flags, summary),
     .help = "do not list single runs"},
    {.name = "--max-mean", .kind = CLI_NUMBER, .at = offsetof(struct flags, mean), .min = 0, .max = 1e6,
     .hint = "PERCENT", .help = "exit 1 if a tier's mean error is larger"},
    {.name = "--max-median", .kind = CLI_NUMBER, .at = offsetof(struct flags, median), .min = 0, .max = 1e6,
     .hint = "PERCENT", .help = "exit 1 if a tier's median error is larger"},
    {.name = "--min-coverage", .kind = CLI_NUMBER, .at = offsetof(struct flags, coverage), .min = 0, .max = 100,
     .hint = "PERCENT", .help = "exit 1 if a smaller share of runs is inside its interval"},
    {.name = "--max-unused", .kind = CLI_NUMBER, .at = offsetof(struct flags, unused), .min = 0, .max = 100,
     .hint = "PERCENT", .help = "exit 1 if a larger share of complete rows cannot be represented"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_command COMMAND = {
    .name = "validate",
    .options = OPTIONS,
    .usage = "toise validate [TABLE.csv] [flags]\n\nHow wrong is a projection? Predicts every published run from its "
             "configuration alone and compares the time of an\niteration. The default table is the one that the "
             "catalogue's parameters were fitted on, so its errors are in-sample.\n--fit shows also the errors of runs "
             "that the fit did not see.",
    .notes =
        "harness/catalog/runs/README.md describes the table's columns and how spreadsheets' semicolons and decimal "
        "commas are\nread. Rows that cannot be used are listed with the reason; exit 2 if none is left. With --fit, "
        "the error goals apply to\nfits without the run's source and the coverage goal to fits without its tenth; "
        "else they apply to the parameters read.\n",
};

struct launch {
    const struct flags *flags;
    FILE *page;
    struct cli_progress progress;
    char table[RECORD_CATALOG_PATH], parameters[RECORD_CATALOG_PATH];
};

/* Removes the "../" steps by which the catalogue was found. */
static void straighten(char path[RECORD_CATALOG_PATH]) {
    char straight[PATH_MAX];
    if (realpath(path, straight)) snprintf(path, RECORD_CATALOG_PATH, "%s", straight);
}

/* Finds the files and checks the outputs before any long work. */
static int prepare(struct launch *l, struct base_error *e) {
    const struct flags *f = l->flags;
    int code = BASE_OK;
    if (f->table)
        snprintf(l->table, sizeof l->table, "%s", f->table);
    else
        code = record_catalog_path("runs/published.csv", l->table, e);
    if (!code && !f->table) straighten(l->table);
    if (!code && f->parameters)
        snprintf(l->parameters, sizeof l->parameters, "%s", f->parameters);
    else if (!code)
        code = fit_result_place(l->parameters, e);
    if (!code && !f->parameters) straighten(l->parameters);
    const struct cli_path files[] = {
        {"--parameters", l->parameters, f->fit}, {"--out", f->output.out, true}, {"the table", l->table, false}};
    if (!code) code = cli_paths_apart(files, sizeof files / sizeof *files, e);
    if (!code && (f->fit || f->ablate)) code = base_places_check(NULL, 0, e); /* fits use all CPUs */
    if (!code && f->fit) code = record_check_anew(l->parameters, "--parameters", e);
    if (!code) code = record_check(f->output.out, e);
    return code;
}

static int compute(struct launch *l, struct study_validate *v, struct base_error *e) {
    const struct flags *f = l->flags;
    const struct study_validate_watch watch = {cli_progress_phase, &l->progress};
    int code = f->fit || f->ablate ? study_validate_fit(v, l->table, &watch, e)
                                   : study_validate_read(v, l->table, l->parameters, e);
    if (!code && f->ablate) code = study_validate_ablate(v, &watch, e);
    cli_progress_close(&l->progress);
    return code;
}

static int show(const struct launch *l, const struct study_validate *v, struct base_error *e) {
    const struct flags *f = l->flags;
    const struct study_validate_goals goals = {f->mean / 100, f->median / 100, f->unused / 100, f->coverage / 100};
    json_t *record = study_validate_record(v, &goals);
    const bool failed = !strcmp(record_text(record, "status"), "FAILED");
    int code = BASE_OK;
    if (f->fit) {
        json_t *scores = study_validate_tiers(v);
        code = fit_result_write(l->parameters, &v->fitted, scores, e);
        json_decref(scores);
    }
    if (!code) code = cli_emit(&f->output, record, e);
    if (!code) {
        forecast_validate(l->page, record, !f->summary);
        if (f->fit) fprintf(l->page, "parameters  written to %s\n", l->parameters);
    }
    json_decref(record);
    return code ? code : failed ? BASE_NO : BASE_OK;
}

int command_validate(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {.mean = NAN, .median = NAN, .unused = NAN, .coverage = NAN};
    struct study_validate v = {0};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    FILE *page = cli_page(&flags.output);
    struct launch l = {.flags = &flags, .page = page, .progress = {.out = page, .terminal = report_terminal(page)}};
    if (!code) code = prepare(&l, e);
    if (!code) code = compute(&l, &v, e);
    if (!code) code = show(&l, &v, e);
    study_validate_close(&v);
    return code;
}
