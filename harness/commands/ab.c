/* SPDX-License-Identifier: Apache-2.0
 *
 * toise ab: runs two commands in turns until it is decided which is faster. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/topology.h"
#include "cli/launch.h"
#include "commands/commands.h"
#include "inventory/fingerprint.h"
#include "records/record.h"
#include "report/report.h"
#include "study/ab.h"

struct flags {
    const char *command[2], *metric;
    double delta, alpha, budget, limit;
    int64_t least, most, warmup, seed;
    int better;
    struct cli_launch launch;
    struct cli_output output;
};

static const char *better(int i) {
    static const char *const names[] = {"higher", "lower", NULL};
    return names[i];
}

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "A", .kind = CLI_WORD, .at = offsetof(struct flags, command[0]),
     .help = "the first command, as one argument in quotes; the shell runs it"},
    {.name = "B", .kind = CLI_WORD, .at = offsetof(struct flags, command[1]), .help = "the second"},
    {.name = "--metric", .kind = CLI_TEXT, .at = offsetof(struct flags, metric), .hint = "M",
     .help = "seconds (wall time of the command), printed (the last number it prints), or a key of the records that it "
             "prints with --json, such as result.mfu; default the records' rate or time if both commands print records "
             "of kind train, kernel or comm, else seconds. Several records count by their geometric mean"},
    {.name = "--better", .kind = CLI_CHOICE, .at = offsetof(struct flags, better), .word = better, .hint = "B",
     .help = ": which values are better; default lower for names in _s and _bytes, higher for _per_s and mfu"},
    {.name = "--delta", .kind = CLI_SHARE, .at = offsetof(struct flags, delta), .min = 1e-4, .max = 1, .fallback = "3%",
     .hint = "X", .help = "a smaller difference does not matter: commands closer than that are equivalent"},
    {.name = "--alpha", .kind = CLI_SHARE, .at = offsetof(struct flags, alpha), .min = 1e-6, .max = 0.2,
     .fallback = "2.5%", .hint = "X",
     .help = "chance that equal commands are called different, over all looks together"},
    {.name = "--blocks", .kind = CLI_INTEGER, .at = offsetof(struct flags, most), .min = 5, .max = 990,
     .fallback = "100", .hint = "N", .help = "at most so many blocks of one A and one B"},
    {.name = "--min-blocks", .kind = CLI_INTEGER, .at = offsetof(struct flags, least), .min = 5, .max = 990,
     .fallback = "5", .hint = "N", .help = "blocks before the first look"},
    {.name = "--warmup", .kind = CLI_INTEGER, .at = offsetof(struct flags, warmup), .min = 0, .max = 10,
     .fallback = "1", .hint = "N", .help = "blocks that run first and do not count: they fill the page cache"},
    {.name = "--budget", .kind = CLI_NUMBER, .at = offsetof(struct flags, budget), .min = 1, .max = 1e7, .hint = "S",
     .help = "start no block after so many seconds"},
    {.name = "--timeout", .kind = CLI_NUMBER, .at = offsetof(struct flags, limit), .min = 0.1, .max = 1e6,
     .fallback = "3600", .hint = "S", .help = "seconds after which a command is killed"},
    {.name = "--seed", .kind = CLI_INTEGER, .at = offsetof(struct flags, seed), .min = 0, .max = 9e15, .fallback = "1",
     .hint = "N", .help = "seed of the order within blocks"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "B", .text = "needs two commands: toise ab 'CMD A' 'CMD B'"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "ab",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise ab 'CMD A' 'CMD B' [flags]\n\nRuns two commands in turns and says whether B is faster, slower or "
             "equivalent, and how sure that is.",
    .notes = "A block is one run of each, in random order. Looks at 5, 8, 12 ... blocks decide; each spends a part of\n"
             "--alpha, as Pocock's boundary does, so that looking often does no harm.\n"
             "Exit codes: 0 B is faster or equivalent, 1 slower, 3 undecided, 4 a command failed.\n",
};

/* What on_block needs. */
struct progress {
    FILE *page;
    bool terminal, said;
};

static void show_block(void *context, const struct study_ab *ab) {
    struct progress *p = context;
    const int counted = ab->blocks - ab->warmup, b = ab->blocks - 1;
    char text[2][32], interval[64] = "";
    for (int s = 0; s < 2; s++) base_text_duration(ab->samples[s].seconds[b], text[s], sizeof text[s]);
    if (counted >= ab->rule.least)
        snprintf(interval, sizeof interval, "   B over A %.4f [%.4f, %.4f]", ab->view.ratio, ab->view.low,
                 ab->view.high);
    fprintf(p->page, "%s", p->terminal ? "\r\033[K" : "");
    if (counted < 1)
        fprintf(p->page, "warm-up %d of %d", ab->blocks, ab->warmup);
    else
        fprintf(p->page, "block %d of at most %d", counted, ab->rule.most);
    fprintf(p->page, "   A %s   B %s%s%s", text[0], text[1], interval, p->terminal ? "" : "\n");
    fflush(p->page);
    p->said = true;
}

static int resolve_metric(const struct flags *f, struct study_ab *ab, struct base_error *e) {
    const char *m = f->metric;
    const bool rate = m && (base_text_ends(m, "_per_s") || strstr(m, "_per_s_per_") || base_text_ends(m, "mfu") ||
                            base_text_ends(m, "hfu"));
    const bool cost = m && !rate && (base_text_ends(m, "_s") || base_text_ends(m, "_bytes"));
    ab->metric = !m                      ? STUDY_AB_AUTO
                 : !strcmp(m, "seconds") ? STUDY_AB_SECONDS
                 : !strcmp(m, "printed") ? STUDY_AB_PRINTED
                                         : STUDY_AB_KEY;
    ab->lower = f->better >= 0 ? f->better == 1 : cost || ab->metric == STUDY_AB_SECONDS;
    if (ab->metric == STUDY_AB_KEY) snprintf(ab->key, sizeof ab->key, "%s", m);
    if (ab->metric == STUDY_AB_KEY && strlen(m) >= sizeof ab->key)
        return base_fail(e, BASE_USAGE, "--metric: the key is too long: %.64s...", m);
    if (f->better >= 0 && (!m || ab->metric == STUDY_AB_SECONDS))
        return base_fail(e, BASE_USAGE, "--better needs --metric printed or a key: of times, lower is better");
    if (f->better < 0 && !rate && !cost && (ab->metric == STUDY_AB_PRINTED || ab->metric == STUDY_AB_KEY))
        return base_fail(e, BASE_USAGE,
                         "--metric %s does not say which values are better: add --better higher or lower", m);
    return BASE_OK;
}

static int resolve(const struct flags *f, struct study_ab *ab, struct base_error *e) {
    *ab = (struct study_ab){.command = {f->command[0], f->command[1]},
                            .rule = {f->alpha, f->delta, (int)f->least, (int)f->most},
                            .warmup = (int)f->warmup,
                            .budget_s = isnan(f->budget) ? 0 : f->budget,
                            .limit_s = f->limit,
                            .seed = (uint64_t)f->seed,
                            .on_block = show_block};
    if (f->least > f->most)
        return base_fail(e, BASE_USAGE, "--min-blocks %d is more than --blocks %d", (int)f->least, (int)f->most);
    int code = resolve_metric(f, ab, e);
    if (!code) code = cli_launch_check(&f->launch, e);
    return code ? code : record_check(f->output.out, e);
}

/* Describes the machine before anything runs: afterwards an error would lose the blocks. */
static int describe(json_t **machine, struct base_error *e) {
    struct base_topology topology;
    enum kernel_isa isa;
    struct kernel_ops ops;
    int code = base_topology_read(&topology, e);
    if (!code) code = cli_isa(&isa, e);
    if (code) return code;
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    *machine = inventory_fingerprint(&topology, &ops, isa);
    return BASE_OK;
}

/* Records what there is, also of a comparison that broke off. */
static int finish(struct comm *world, const struct flags *f, const struct study_ab *ab, const char *why,
                  json_t *machine, struct base_error *e) {
    struct record_launch launch;
    cli_launch_open(world, &f->launch, &launch);
    json_t *record = study_ab_record(ab, &launch, why, json_incref(machine));
    const int code = cli_emit(&f->output, record, e);
    report_ab(cli_page(&f->output), record);
    json_decref(record);
    return code;
}

static int compare(struct comm *world, const struct flags *f, struct study_ab *ab, json_t *machine,
                   struct base_error *e) {
    struct progress progress = {.page = cli_page(&f->output), .terminal = report_terminal(cli_page(&f->output))};
    struct base_error why = {0};
    ab->context = &progress;
    const int ran = study_ab_run(ab, &why);
    if (progress.terminal && progress.said) fputs("\r\033[K", progress.page);
    if (ran && !ab->blocks) return base_fail(e, ran, "%s", why.text);
    if (!ran && !ab->decided)
        snprintf(why.text, sizeof why.text, "%s",
                 ab->blocks - ab->warmup < ab->rule.most ? "--budget is spent" : "the last look did not decide");
    const int code = finish(world, f, ab, why.text, machine, e);
    if (code) return code;
    return ran ? base_fail(e, ran, "%s", why.text) : study_verdict_code(ab->view.verdict);
}

int command_ab(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {.budget = NAN};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    struct study_ab *ab = code ? NULL : calloc(1, sizeof *ab);
    if (!code && !ab) code = base_fail(e, BASE_BROKEN, "out of memory");
    if (!code) code = resolve(&flags, ab, e);
    json_t *machine = NULL;
    if (!code) code = describe(&machine, e);
    if (!code) code = compare(world, &flags, ab, machine, e);
    json_decref(machine);
    if (ab) study_ab_close(ab);
    free(ab);
    return code;
}
