/* SPDX-License-Identifier: Apache-2.0
 *
 * toise validate: reads, predicts or fits, writes what was fitted, reports. */
#include <stdlib.h>
#include <string.h>

#include "base/places.h"
#include "cli/cli.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/validate_options.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"
#include "study/validate.h"

struct launch {
    const struct cli_validate_flags *flags;
    FILE *page;
    struct cli_progress progress;
    char table[RECORD_CATALOG_PATH], parameters[RECORD_CATALOG_PATH];
};

/* The same path without the steps up and down by which the catalogue is found. */
static void straighten(char path[RECORD_CATALOG_PATH]) {
    char straight[PATH_MAX];
    if (realpath(path, straight)) snprintf(path, RECORD_CATALOG_PATH, "%s", straight);
}

/* Where things are, and whether they can be written, before anything takes time. */
static int prepare(struct launch *l, struct base_error *e) {
    const struct cli_validate_flags *f = l->flags;
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
        {"--parameters", l->parameters, f->fit}, {"--out", f->out, true}, {"the table", l->table, false}};
    if (!code) code = cli_paths_apart(files, sizeof files / sizeof *files, e);
    if (!code && (f->fit || f->ablate)) code = base_places_check(NULL, 0, e); /* fits run on all CPUs */
    if (!code && f->fit) code = record_check_anew(l->parameters, "--parameters", e);
    if (!code && f->out) code = record_check(f->out, e);
    return code;
}

static int compute(struct launch *l, struct study_validate *v, struct base_error *e) {
    const struct cli_validate_flags *f = l->flags;
    const struct study_validate_watch watch = {cli_progress_phase, &l->progress};
    int code = f->fit || f->ablate ? study_validate_fit(v, l->table, &watch, e)
                                   : study_validate_read(v, l->table, l->parameters, e);
    if (!code && f->ablate) code = study_validate_ablate(v, &watch, e);
    cli_progress_close(&l->progress);
    return code;
}

static int show(const struct launch *l, const struct study_validate *v, struct base_error *e) {
    const struct cli_validate_flags *f = l->flags;
    const struct study_validate_goals goals = {f->mean / 100, f->median / 100, f->unused / 100, f->coverage / 100};
    json_t *record = study_validate_record(v, &goals);
    const bool failed = !strcmp(record_text(record, "status"), "FAILED");
    int code = BASE_OK;
    if (f->fit) {
        json_t *scores = study_validate_tiers(v);
        code = fit_result_write(l->parameters, &v->fitted, scores, e);
        json_decref(scores);
    }
    if (!code && f->out) code = record_append(f->out, record, e);
    if (!code) {
        report_validate(l->page, record, !f->summary);
        if (f->fit) fprintf(l->page, "parameters  written to %s\n", l->parameters);
        if (f->json) cli_print_json(record);
    }
    json_decref(record);
    return code ? code : failed ? BASE_NO : BASE_OK;
}

int cli_validate(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_validate_flags flags;
    struct study_validate v = {0};
    int code = cli_validate_flags_parse(&flags, argc, argv, e);
    if (!code && flags.help) {
        if (world->rank == 0) cli_validate_flags_help(stdout);
        return BASE_OK;
    }
    if (!code) code = cli_alone(world, "validate", e);
    FILE *page = flags.json ? stderr : stdout;
    struct launch l = {.flags = &flags, .page = page, .progress = {.out = page, .terminal = report_terminal(page)}};
    if (!code) code = prepare(&l, e);
    if (!code) code = compute(&l, &v, e);
    if (!code) code = show(&l, &v, e);
    study_validate_close(&v);
    return code;
}
