/* SPDX-License-Identifier: Apache-2.0
 *
 * toise compare: reads the sides' records, compares, records and reports. */
#include "compare/compare.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    struct cli_words sides;
    double delta;
    bool across_builds, skip_bad, all;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "BASE NEW [MORE...]", .kind = CLI_WORDS, .at = offsetof(struct flags, sides), .file = CLI_READ,
     .help = "record files, or folders of them; each later side is compared with BASE"},
    {.name = "--delta", .kind = CLI_SHARE, .at = offsetof(struct flags, delta), .min = 0.0001, .max = 1,
     .fallback = COMPARE_DELTA, .hint = "SHARE", .help = "differences up to this one are none: the rates are equivalent"},
    {.name = "--across-builds", .kind = CLI_FLAG, .at = offsetof(struct flags, across_builds),
     .help = "give a verdict although the sides' toise, compiler or flags differ"},
    {.name = "--skip-bad", .kind = CLI_FLAG, .at = offsetof(struct flags, skip_bad),
     .help = "leave out lines that are not records, and count them"},
    {.name = "--all", .kind = CLI_FLAG, .at = offsetof(struct flags, all),
     .help = "list every pair, every record left out, and all that differs"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_command COMMAND = {
    .name = "compare",
    .options = OPTIONS,
    .usage =
        "toise compare BASE NEW [MORE...] [flags]\n\nIs NEW faster than BASE, by how much, and how sure is that? "
        "Compares records of toise train, kernels and comm, and\nimported ones, that did the same work: a workload, "
        "or an identical configuration. The launch is the unit of replication,\nnot the step. Give at least five "
        "launches a side, made in turns. The ratio is of rates: above 1, NEW is faster.",
    .notes =
        "The interval is Welch's t of the launches' logarithms. With three nodes a side, means of nodes are compared, "
        "and the\nverdict is about such nodes; with fewer it is about these nodes. A cause is named only where the "
        "parts of the step that\nchanged agree with it.\nExit codes: 0 faster or equivalent, 1 slower, 3 inconclusive, "
        "2 bad input.\n",
};

static int check(const struct flags *f, struct base_error *e) {
    if (f->sides.count < 2)
        return base_fail(e, BASE_USAGE, "%s: give at least two sides, BASE and NEW: record files, or folders of them",
                         f->sides.count ? f->sides.word[0] : "no side is given");
    if (f->sides.count > COMPARE_SIDES_MOST)
        return base_fail(e, BASE_USAGE,
                         "%d sides are given, at most %d can be compared: put the records of a side into "
                         "one folder",
                         f->sides.count, COMPARE_SIDES_MOST);
    const int code = cli_options_apart(&COMMAND, f, e);
    return code ? code : record_check(f->output.out, e);
}

static int answer(const struct flags *f, struct base_error *e) {
    const struct compare_options options = {f->delta, f->across_builds, f->skip_bad};
    enum study_verdict verdict = STUDY_INCONCLUSIVE;
    json_t *record = NULL;
    int code = compare_make(f->sides.word, f->sides.count, &options, &record, &verdict, e);
    if (!code) code = cli_emit(&f->output, record, e);
    if (!code) report_compare(cli_page(&f->output), record, f->all);
    json_decref(record);
    return code ? code : study_verdict_code(verdict);
}

int command_compare(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    static struct flags flags; /* too large for a stack: room for thousands of words */
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = check(&flags, e);
    return code ? code : answer(&flags, e);
}
