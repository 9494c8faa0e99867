/* SPDX-License-Identifier: Apache-2.0
 *
 * toise import: reads other tools' files, and writes their figures as records. */
#include "import/import.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    struct cli_words files;
    struct import_options options;
    int from, op;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "FILE", .kind = CLI_WORDS, .at = offsetof(struct flags, files), .file = CLI_READ, .hint = "...",
     .help = "output of another tool; each file is one launch, unless it shows several"},
    {.name = "--from", .kind = CLI_CHOICE, .at = offsetof(struct flags, from), .word = import_format_name,
     .fallback = "auto", .hint = "FORMAT", .help = ": the format; auto refuses a file whose format is not clear"},
    {.name = "--node", .kind = CLI_TEXT, .at = offsetof(struct flags, options.node), .hint = "NAME",
     .help = "the node that ran; default what the file says"},
    {.name = "--nodes", .kind = CLI_INTEGER, .at = offsetof(struct flags, options.nodes), .min = 1, .max = 1e6,
     .hint = "N", .help = "nodes of a launch, for rates per node; default what the file says"},
    {.name = "--machine", .kind = CLI_TEXT, .at = offsetof(struct flags, options.machine), .hint = "NAME",
     .help = "label of the machine"},
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct flags, options.model), .hint = "NAME",
     .help = "label of the model, for logs of training"},
    {.name = "--job", .kind = CLI_TEXT, .at = offsetof(struct flags, options.job), .hint = "NAME",
     .help = "the job that these launches belong to; default a job for each file"},
    {.name = "--seq", .kind = CLI_INTEGER, .at = offsetof(struct flags, options.seq), .min = 1, .max = CLI_SIZE_MOST,
     .hint = "N", .alias = "--seq-length",
     .help = "tokens of a sequence, for a log of training that does not list its arguments"},
    {.name = "--warmup", .kind = CLI_INTEGER, .at = offsetof(struct flags, options.warmup), .min = 0,
     .max = CLI_SIZE_MOST, .fallback = "1", .hint = "N",
     .help = "first iterations of each launch of training that are in no figure; they are recorded apart"},
    {.name = "--op", .kind = CLI_CHOICE, .at = offsetof(struct flags, op), .word = import_op_name, .hint = "OP",
     .help = ": the collective, for output of an nccl-tests that does not name it"},
    {.name = "--skip-bad", .kind = CLI_FLAG, .at = offsetof(struct flags, options.skip_bad),
     .help = "leave out damaged lines, rows and repetitions, and say how many"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "FILE", .text = "FILE is missing; toise import --help lists the formats"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "import",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise import FILE... --out RECORDS.jsonl [flags]\n\nWhat do other tools' figures say in the same "
             "statistics? Reads logs of Megatron-LM, output of nccl-tests (text or\nJSON), JSON of Google Benchmark, "
             "and tables with the columns node,metric,value. Their records have the status\nUNVERIFIED, since toise "
             "checked nothing.",
    .notes = "A table may also have the columns unit, better (higher or lower) and launch. Several starts in one log "
             "of training\nare several launches.\n",
};

static int show(const struct flags *f, const json_t *records, const struct import_notes *notes, struct base_error *e) {
    FILE *page = cli_page(&f->output);
    const json_t *record;
    size_t i;
    json_array_foreach(records, i, record) {
        const int code = cli_emit(&f->output, record, e);
        if (code) return code;
    }
    report_import(page, records);
    if (notes->skipped)
        fprintf(page, "skipped     %ld damaged line%s or rows; the first: %s\n", notes->skipped,
                notes->skipped == 1 ? "" : "s", notes->first);
    return BASE_OK;
}

/* All files are read before a record is written. */
static int import(struct flags *f, json_t *records, struct base_error *e) {
    struct import_notes all = {0}, notes;
    int code = cli_options_apart(&COMMAND, f, e);
    if (!code) code = record_check(f->output.out, e);
    f->options.from = (enum import_format)f->from, f->options.op = f->op;
    for (int i = 0; i < f->files.count && !code; i++) {
        code = import_file(f->files.word[i], &f->options, records, &notes, e);
        if (notes.skipped && !all.skipped) all = notes, all.skipped = 0;
        all.skipped += notes.skipped;
    }
    return code ? code : show(f, records, &all, e);
}

int command_import(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    static struct flags flags;
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (code) return code;
    json_t *records = json_array();
    code = import(&flags, records, e);
    json_decref(records);
    return code;
}
