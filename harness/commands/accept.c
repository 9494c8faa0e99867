/* SPDX-License-Identifier: Apache-2.0
 *
 * toise accept: reads a tender and records, judges, records and reports. */
#include "accept/accept.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    const char *tender;
    struct cli_words files;
    bool skip_bad;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "TENDER.json", .kind = CLI_WORD, .at = offsetof(struct flags, tender), .file = CLI_READ,
     .help = "what is pledged: harness/accept/README.md has the fields"},
    {.name = "RECORDS...", .kind = CLI_WORDS, .at = offsetof(struct flags, files), .file = CLI_READ,
     .help = "files of records of toise train, or folders of them"},
    {.name = "--skip-bad", .kind = CLI_FLAG, .at = offsetof(struct flags, skip_bad),
     .help = "leave out lines that are not records, and count them"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};

static const struct cli_rule RULES[] = {
    {.needs = "TENDER.json", .text = "TENDER.json is missing: toise accept TENDER.json RECORDS"},
    {.needs = "RECORDS...", .text = "records are missing: toise accept TENDER.json RECORDS"},
    {.text = NULL},
};
/* clang-format on */

static const struct cli_command COMMAND = {
    .name = "accept",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise accept TENDER.json RECORDS... [flags]\n\nIs what a tender pledges kept? Judges launches of toise "
             "train that filled the machine with copies: the slowest node counts.\nEach pledged figure gets an "
             "interval, and the whole one verdict.",
    .notes = "At its pledge means: the true rate of the slowest node. A machine at its pledge is rejected in at most "
             "5% of tenders,\nand one below the pledge by the tolerance (5%) is accepted in at most 5%. A launch that "
             "FAILED rejects the machine.\nExit codes: 0 accepted, 1 rejected, 3 inconclusive, 2 bad input.\n",
};

static int answer(const struct flags *f, struct base_error *e) {
    enum accept_verdict verdict = ACCEPT_UNDECIDED;
    json_t *record = NULL;
    int code = accept_make(f->tender, f->files.word, f->files.count, f->skip_bad, &record, &verdict, e);
    if (!code) code = cli_emit(&f->output, record, e);
    if (!code) report_accept(cli_page(&f->output), record);
    json_decref(record);
    if (code || verdict == ACCEPT_KEPT) return code;
    return verdict == ACCEPT_BROKEN ? BASE_NO : BASE_INCONCLUSIVE;
}

int command_accept(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    static struct flags flags; /* too large for a stack: room for thousands of words */
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = cli_options_apart(&COMMAND, &flags, e);
    if (!code) code = record_check(flags.output.out, e);
    return code ? code : answer(&flags, e);
}
