/* SPDX-License-Identifier: Apache-2.0
 *
 * toise programme: projects the models of a programme on its machines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "forecast/forecast.h"
#include "projection/campaign_record.h"
#include "records/catalog.h"
#include "records/record.h"

struct flags {
    const char *name, *parameters;
    struct projection_campaign_options options;
    int64_t accelerators;
    bool list;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "NAME", .kind = CLI_WORD, .at = offsetof(struct flags, name), .file = CLI_READ,
     .help = "a programme of the catalogue, as france-2023, or the path of such a file"},
    {.name = "--list", .kind = CLI_ALONE, .at = offsetof(struct flags, list),
     .help = "list the catalogue's programmes"},
    {.name = "--accelerators", .kind = CLI_INTEGER, .at = offsetof(struct flags, accelerators), .min = 1, .max = 1e7,
     .hint = "N", .help = "accelerators per job; default the number that trained the model, else 256"},
    {.name = "--set", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, options.set), .hint = "KEY=X,...",
     .help = "change facts of its hypothetical machines: nodes=64, nodes=16..128"},
    {.name = "--eur-per-mwh", .kind = CLI_NUMBER, .at = offsetof(struct flags, options.eur_per_mwh), .min = 0,
     .max = 1e6, .hint = "X", .help = "price of electricity; default the programme's readings"},
    {.name = "--mtbf", .kind = CLI_NUMBER, .at = offsetof(struct flags, options.assumptions.mtbf_hours), .min = 1,
     .max = 1e12, .hint = "HOURS", .help = "mean time between failures of one accelerator; default 50,000"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, parameters), .shared = cli_parameters_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "NAME", .text = "NAME is missing; toise programme --list lists those of the catalogue"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "programme",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise programme NAME [flags]\n\nWhat can a programme's machines train, at what cost? Shows, for each "
             "machine and model, days, trainings a year,\nenergy by boundary and money, and what is unknown.",
};

/* Keeps only the reason of an error: drops the file before it and the fix after it. */
static void shorten(const char *text, char *why, size_t size) {
    const char *field = strstr(text, "field ");
    if (field) text = field;
    snprintf(why, size, "%.*s", (int)strcspn(text, ";"), text);
}

/* Models that cannot be priced are listed with the reason. */
static struct projection_campaign_model *read_models(const struct projection_campaign *c) {
    struct projection_campaign_model *models = calloc((size_t)c->trainings, sizeof *models);
    for (int i = 0; models && i < c->trainings; i++) {
        struct base_error e = {0};
        if (cli_catalog_priced(c->training[i].model, &models[i].config, &e))
            shorten(e.text, models[i].why, sizeof models[i].why);
    }
    return models;
}

static int run(const struct flags *f, struct base_error *e) {
    struct projection_campaign campaign = {0};
    struct fit_result fitted = {0};
    struct projection_campaign_model *models = NULL;
    json_t *record = NULL;
    int code = cli_options_apart(&COMMAND, f, e);
    if (!code) code = projection_campaign_read(f->name, &campaign, e);
    if (!code) code = fit_result_read(f->parameters, &fitted, e);
    if (!code) code = record_check(f->output.out, e);
    if (!code && !(models = read_models(&campaign))) code = base_fail(e, BASE_BROKEN, "out of memory");
    if (!code) code = projection_campaign_record(&campaign, models, &fitted, &f->options, &record, e);
    if (!code) code = cli_emit(&f->output, record, e);
    if (!code) forecast_campaign(cli_page(&f->output), record);
    json_decref(record);
    free(models);
    fit_result_free(&fitted);
    projection_campaign_close(&campaign);
    return code;
}

int command_programme(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags f = {.options = {.eur_per_mwh = NAN}};
    projection_assumptions_default(&f.options.assumptions);
    f.options.assumptions.wall_s = 0; /* programmes run by reservation, without a queue's time limit */
    int code = cli_options_read(&COMMAND, &f, argc, argv, e);
    if (!code && f.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (code) return code;
    if (f.list) return record_catalog_titles("campaigns", cli_print_title, NULL, e);
    f.options.accelerators = (double)f.accelerators;
    return run(&f, e);
}
