/* SPDX-License-Identifier: Apache-2.0
 *
 * toise report: reads records, prints the summary of their launches, and writes a page of everything. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "commands/commands.h"
#include "compare/compare.h"
#include "html/html.h"
#include "records/load.h"
#include "records/record.h"
#include "report/report.h"
#include "study/launches.h"

struct flags {
    struct cli_words files;
    const char *page;
    double ci; /* NAN: not given */
    double delta;
    int format;
    bool skip_bad;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "FILES", .kind = CLI_WORDS, .at = offsetof(struct flags, files), .file = CLI_READ,
     .help = "files of records; a folder stands for all *.jsonl files in it"},
    {.name = "--html", .alias = "-o", .kind = CLI_TEXT, .at = offsetof(struct flags, page), .file = CLI_WRITTEN,
     .hint = "FILE", .help = "write a page of everything in the records, and compare the first of FILES with the others"},
    {.name = "--format", .kind = CLI_CHOICE, .at = offsetof(struct flags, format), .word = report_format_name,
     .fallback = "text", .hint = "F", .help = ": the table's form; csv has plain numbers in SI units"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct flags, ci), .min = 0.0001, .max = 1, .hint = "X",
     .help = "judge each mean: PASSED if its 95% interval over launches has at most this relative half-width"},
    {.name = "--delta", .kind = CLI_SHARE, .at = offsetof(struct flags, delta), .min = 0.0001, .max = 1,
     .fallback = COMPARE_DELTA, .hint = "X", .help = "of the page's comparison: smaller differences are none"},
    {.name = "--skip-bad", .kind = CLI_FLAG, .at = offsetof(struct flags, skip_bad),
     .help = "skip lines that are not records, and count them"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "FILES", .text = "needs files of records: toise report FILES"},
    {.given = "--json", .excludes = "--format", .text = "both set the output's form"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "report",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise report FILES [flags]\n\nSummarises launches: the rate of each, and their mean with a 95% interval "
             "over launches. Launches that did the same\nwork on the same machine in one job are one row. --html "
             "writes a page of all that the records hold.",
    .notes = "Exit codes: 0 without --ci. With it 1 if a launch FAILED, 3 if an interval is wider than asked.\n",
};

/* Compares the files given, if there are several. Why they cannot be compared is for the page to say. */
static int compare_files(const struct flags *f, json_t **comparison, char *why, size_t size, struct base_error *e) {
    const struct compare_options options = {.delta = f->delta, .skip_bad = f->skip_bad};
    enum study_verdict verdict;
    struct base_error refused = {0};
    *why = 0;
    if (f->files.count > COMPARE_SIDES_MOST)
        snprintf(why, size, "%d sides are given, at most %d can be compared: put the records of a side into one folder",
                 f->files.count, COMPARE_SIDES_MOST);
    if (f->files.count < 2 || *why) return BASE_OK;
    const int code = compare_make(f->files.word, f->files.count, &options, comparison, &verdict, &refused);
    if (code && code != BASE_USAGE) return base_fail(e, code, "%s", refused.text);
    if (code) snprintf(why, size, "%s", refused.text);
    return BASE_OK;
}

static int write_page(const struct flags *f, const struct record_list *list, const json_t *summaries,
                      struct base_error *e) {
    json_t *comparison = NULL;
    char why[1024];
    bool plain = false;
    int code = compare_files(f, &comparison, why, sizeof why, e);
    const struct html_input input = {list, summaries, comparison, why};
    if (!code) code = html_write(f->page, &input, &plain, e);
    json_decref(comparison);
    if (code) return code;
    fprintf(stderr, "page        %s%s\n", f->page, plain ? ", without drawings: gnuplot is not installed" : "");
    return BASE_OK;
}

/* Kinds that are a page each, below the table of launches. */
static const struct {
    const char *kind;
    void (*page)(FILE *out, const json_t *record);
} pages[] = {{"scale", report_scale}, {"nodes", report_nodes}, {"accept", report_accept}};

/* Prints the pages of such records. Returns how many there are. */
static int print_pages(const struct flags *f, const struct record_list *list) {
    int count = 0;
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
            if (strcmp(record_text(list->at[i].record, "kind"), pages[k].kind) != 0) continue;
            if (!f->output.json && f->format == REPORT_TEXT) pages[k].page(stdout, list->at[i].record);
            count++;
        }
    return count;
}

/* Appends the summaries to --out, and prints them. */
static int show(const struct flags *f, const json_t *summaries, struct base_error *e) {
    const json_t *summary;
    size_t i;
    int code = BASE_OK;
    json_array_foreach(summaries, i, summary) if (!code) code = cli_emit(&f->output, summary, e);
    if (!f->output.json) report_launches(stdout, summaries, (enum report_format)f->format);
    if (fflush(stdout) && !code) code = base_fail(e, BASE_BROKEN, "cannot write the report to standard output");
    return code;
}

static int answer(const struct flags *f, const struct record_list *list, const json_t *summaries,
                  struct base_error *e) {
    int code = f->page ? write_page(f, list, summaries, e) : BASE_OK;
    if (!code && json_array_size(summaries)) code = show(f, summaries, e);
    const int printed = code ? 0 : print_pages(f, list);
    if (!code && !f->page && !printed && !json_array_size(summaries))
        code = base_fail(e, BASE_USAGE,
                         "%s: none of the %zu records has a rate: give records of train, kernels, comm, scale or nodes",
                         f->files.word[0], list->count);
    return code || isnan(f->ci) ? code : study_launches_code(summaries, e);
}

static int run(const struct flags *f, struct record_list *list, struct base_error *e) {
    json_t *summaries = NULL;
    int code = record_load(list, f->files.word, f->files.count, f->skip_bad, e);
    if (code) return code;
    if (list->skipped.lines)
        fprintf(stderr, "toise: %ld lines are not records and were skipped; the first: %s\n", list->skipped.lines,
                list->skipped.first);
    code = study_launches(list->at, list->count, f->ci, &summaries, e);
    if (!code) code = answer(f, list, summaries, e);
    json_decref(summaries);
    return code;
}

int command_report(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    static struct flags flags;
    struct record_list list = {0};
    flags = (struct flags){.ci = NAN};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = cli_options_apart(&COMMAND, &flags, e);
    if (!code) code = record_check(flags.output.out, e);
    if (!code) code = record_check_anew(flags.page, "--html", e);
    if (!(code = comm_agree(world, code, e))) code = run(&flags, &list, e);
    record_list_close(&list);
    return code;
}
