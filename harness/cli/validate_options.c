/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `toise validate`'s flags. */
#include "cli/validate_options.h"

#include <math.h>
#include <string.h>

#include "cli/options.h"

enum { ROWS = 12 };

static struct cli_validate_flags defaults(void) {
    return (struct cli_validate_flags){.mean = NAN, .median = NAN, .unused = NAN, .coverage = NAN};
}

static int table(struct cli_validate_flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"TABLE.csv", NULL, CLI_WORD, &f->table, 0, 0, NULL, "published runs; default the catalogue's", NULL},
        {"--fit", NULL, CLI_FLAG, &f->fit, 0, 0, NULL,
         "fit the parameters on these runs, score each run also with its tenth and its source left out, and write them",
         NULL},
        {"--parameters", NULL, CLI_TEXT, &f->parameters, 0, 0, "FILE",
         "read them there; with --fit, write them there; default the catalogue's parameters.json", NULL},
        {"--ablate", NULL, CLI_FLAG, &f->ablate, 0, 0, NULL,
         "what the error becomes without each part of the model, fitted anew; writes no parameters", NULL},
        {"--summary", NULL, CLI_FLAG, &f->summary, 0, 0, NULL, "leave out the lines of single runs", NULL},
        {"--max-mean", NULL, CLI_NUMBER, &f->mean, 0, 1e6, "PERCENT", "exit 1 if a tier's mean error is above", NULL},
        {"--max-median", NULL, CLI_NUMBER, &f->median, 0, 1e6, "PERCENT", "exit 1 if a tier's median error is above",
         NULL},
        {"--min-coverage", NULL, CLI_NUMBER, &f->coverage, 0, 100, "PERCENT",
         "exit 1 if fewer runs are inside their interval", NULL},
        {"--max-unused", NULL, CLI_NUMBER, &f->unused, 0, 100, "PERCENT",
         "exit 1 if more complete rows of tiers 1 and 2 cannot be represented", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the record on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the record to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

int cli_validate_flags_parse(struct cli_validate_flags *flags, int argc, char *const *argv, struct base_error *e) {
    struct cli_option rows[ROWS];
    *flags = defaults();
    return cli_options_parse(rows, table(flags, rows), argc, argv, "validate", e);
}

void cli_validate_flags_help(FILE *out) {
    struct cli_validate_flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs(
        "usage: toise validate [TABLE.csv] [flags]\n\nHow wrong is a projection? Predicts every published run from its "
        "configuration alone and compares the time of an\niteration. Without a table: the catalogue's, on which the "
        "catalogue's parameters were fitted, so that its errors are\nin-sample; --fit says also what they are for "
        "runs that the fit did not see.\n\n",
        out);
    cli_options_help(out, rows, table(&flags, rows));
    fputs(
        "\nThe table's columns, and how spreadsheets' semicolons and decimal commas are read: "
        "harness/catalog/runs/README.md. A row\nthat cannot be used is listed with its reason; exit 2 where none is "
        "left. Goals of errors are held against parameters\nfitted without the run's source where --fit gives them, of "
        "coverage without its tenth, else against the parameters read.\n",
        out);
}
