/* SPDX-License-Identifier: Apache-2.0
 *
 * toise programme: a programme's models on its machines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "projection/campaign_record.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    const char *name, *parameters, *out;
    struct projection_campaign_options options;
    int64_t accelerators;
    bool list, json, help;
};

enum { ROWS = 12 };

static int table(struct flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"NAME", NULL, CLI_WORD, &f->name, 0, 0, NULL, "of the catalogue (france-2023), or a path", NULL},
        {"--list", NULL, CLI_FLAG, &f->list, 0, 0, NULL, "the programmes of the catalogue", NULL},
        {"--accelerators", NULL, CLI_INTEGER, &f->accelerators, 1, 1e7, "N",
         "of a job; default what the model was trained on, else 256", NULL},
        {"--set", NULL, CLI_TEXT, &f->options.set, 0, 0, "KEY=X,...",
         "facts of its hypothetical machines otherwise: nodes=64, nodes=16..128", NULL},
        {"--eur-per-mwh", NULL, CLI_NUMBER, &f->options.eur_per_mwh, 0, 1e6, "X",
         "price of electricity; default the campaign's readings", NULL},
        {"--mtbf", NULL, CLI_NUMBER, &f->options.terms.mtbf_hours, 1, 1e12, "HOURS",
         "of an accelerator between failures; default 50,000", NULL},
        {"--parameters", NULL, CLI_TEXT, &f->parameters, 0, 0, "FILE",
         "fitted by toise validate --fit; default the catalogue's", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the record on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the record to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    const int count = sizeof all / sizeof *all;
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    for (int i = 0; i < count; i++) rows[i] = all[i];
    return count;
}

/* The reason alone: neither the file before it nor the fix after it. */
static void shorten(const char *text, char *why, size_t size) {
    const char *field = strstr(text, "field ");
    if (field) text = field;
    snprintf(why, size, "%.*s", (int)strcspn(text, ";"), text);
}

/* Models that cannot be priced stay in the table, with the reason. */
static struct projection_campaign_model *read_models(const struct projection_campaign *c) {
    struct projection_campaign_model *models = calloc((size_t)c->trainings, sizeof *models);
    for (int i = 0; models && i < c->trainings; i++) {
        struct base_error e = {0};
        if (cli_catalog_priced(c->training[i].model, &models[i].config, &e))
            shorten(e.text, models[i].why, sizeof models[i].why);
    }
    return models;
}

static int show(const struct flags *f, const json_t *record, struct base_error *e) {
    int code = f->out ? record_check(f->out, e) : BASE_OK;
    if (!code && f->out) code = record_append(f->out, record, e);
    if (code) return code;
    report_campaign(f->json ? stderr : stdout, record);
    if (f->json) cli_print_json(record);
    return BASE_OK;
}

static int run(const struct flags *f, struct base_error *e) {
    struct projection_campaign campaign = {0};
    struct fit_result fitted = {0};
    struct projection_campaign_model *models = NULL;
    json_t *record = NULL;
    const struct cli_path files[] = {
        {"--out", f->out, true}, {"NAME", f->name, false}, {"--parameters", f->parameters, false}};
    int code = cli_paths_apart(files, 3, e);
    if (!code) code = projection_campaign_read(f->name, &campaign, e);
    if (!code) code = fit_result_read(f->parameters, &fitted, e);
    if (!code && f->out) code = record_ask(f->out, e);
    if (!code && !(models = read_models(&campaign))) code = base_fail(e, BASE_BROKEN, "out of memory");
    if (!code) code = projection_campaign_record(&campaign, models, &fitted, &f->options, &record, e);
    if (!code) code = show(f, record, e);
    json_decref(record);
    free(models);
    fit_result_free(&fitted);
    projection_campaign_close(&campaign);
    return code;
}

static void help(FILE *out, const struct cli_option *rows, int count) {
    fputs("usage: toise programme NAME [flags]\n\nWhat a programme's machines can train: for each machine and "
          "model days, trainings a year, energy by boundary and\nmoney, each with what is not known of it.\n\n",
          out);
    cli_options_help(out, rows, count);
}

int cli_programme(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags f = {.options = {.eur_per_mwh = NAN}};
    struct cli_option rows[ROWS];
    const int count = table(&f, rows);
    projection_terms_default(&f.options.terms);
    f.options.terms.wall_s = 0; /* programmes run by reservation, not in the queue */
    int code = cli_options_parse(rows, count, argc, argv, "programme", e);
    if (code) return code;
    f.options.accelerators = (double)f.accelerators;
    if (f.help) return world->rank ? BASE_OK : (help(stdout, rows, count), BASE_OK);
    if ((code = cli_alone(world, "programme", e))) return code;
    if (f.list) return record_catalog_titles("campaigns", cli_print_title, NULL, e);
    if (!f.name)
        return base_fail(e, BASE_USAGE, "which programme? toise programme --list lists those of the catalogue");
    return run(&f, e);
}
