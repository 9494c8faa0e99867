/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs launches one after the other. Each child appends its own record, so that a kill loses none that finished. */
#define _GNU_SOURCE /* program_invocation_name */
#include "cli/launches.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/progress.h"
#include "guard/stop.h"
#include "records/load.h"
#include "records/record.h"
#include "report/report.h"
#include "study/launches.h"

enum { OUTPUT_MOST = 1 << 30, EXTRA = 10 };
static const double STOP_S = 120; /* for a launch that is told to stop: its step, and its record */

/* clang-format off */
const struct cli_option cli_launches_option[] = {
    {.name = "--launches", .kind = CLI_INTEGER, .min = 1, .max = 100000, .hint = "N",
     .help = "start toise N times, each a process of its own; --ci is then of their mean, and --budget of all together: "
             "with it launches go on beyond N until --ci is reached"},
    {.name = NULL},
};
/* clang-format on */

struct run {
    const struct cli_command *command;
    const struct cli_launches *asked;
    const struct cli_output *output;
    struct cli_progress progress;
    char **argv; /* of a child: the program, the command, its arguments, then EXTRA more, NULL */
    int argc;    /* without the extra ones */
    char job[80];
    struct record_loaded *records; /* of all launches */
    size_t count;
    json_t *summaries;
    int stopped;                     /* the signal that this process got; 0: none */
    int done, worst;                 /* launches that ended with a record or an answer; the worst exit code */
    double began, longest, overhead; /* seconds: clock; of the longest launch; of what it did beside timed steps */
    char why[1024];                  /* the first message of the worst code */
};

/* An answer of no is worse than inconclusive. */
static int badness(int code) {
    static const int order[] = {BASE_OK, BASE_INCONCLUSIVE, BASE_NO, BASE_USAGE, BASE_BROKEN};
    for (int i = 0; i < (int)(sizeof order / sizeof *order); i++)
        if (order[i] == code) return i;
    return badness(BASE_BROKEN);
}

static void worsen(struct run *l, int code, const char *why) {
    if (badness(code) <= badness(l->worst)) return;
    l->worst = badness(code) == badness(BASE_BROKEN) ? BASE_BROKEN : code;
    snprintf(l->why, sizeof l->why, "%.1000s", why);
}

/* How long the next launch may take steps, so that the launches that are still due fit into the budget. */
static double share(const struct run *l) {
    const double left = l->asked->budget_s - (base_clock_now() - l->began);
    const double due = fmax(1, (double)l->asked->launches - l->done), all = left / due;
    return fmax(1, l->done ? all - l->overhead : all / 2);
}

/* Adds what tells the child that it is one of many. texts: their storage. */
static void arguments(const struct run *l, char texts[3][32]) {
    char **at = l->argv + l->argc;
    const int index = l->done + 1, of = index > l->asked->launches ? index : (int)l->asked->launches;
    snprintf(texts[0], 32, "--launch-index=%d", index);
    snprintf(texts[1], 32, "--launch-of=%d", of);
    *at++ = "--json";
    *at++ = texts[0];
    *at++ = texts[1];
    *at++ = "--job";
    *at++ = (char *)l->job;
    if (l->asked->passes_budget && !isnan(l->asked->budget_s)) {
        snprintf(texts[2], 32, "--budget=%.3f", share(l));
        *at++ = texts[2];
    }
    *at = NULL;
}

/* Keeps the records of a child's output, and prints them with --json. */
static int take(struct run *l, char *out, double seconds, struct base_error *e) {
    char *rest = out, *line;
    while ((line = strsep(&rest, "\n"))) {
        json_t *record = *line == '{' ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (!record) continue;
        struct record_loaded *more = realloc(l->records, (l->count + 1) * sizeof *more);
        if (!more) {
            json_decref(record);
            return base_fail(e, BASE_BROKEN, "out of memory for %zu records", l->count + 1);
        }
        l->records = more;
        l->records[l->count++] = (struct record_loaded){.record = record};
        l->overhead = fmax(l->overhead, seconds - record_real(record, "result.wall_s"));
        if (l->output->json) puts(line);
    }
    if (l->output->json && fflush(stdout)) return base_fail(e, BASE_BROKEN, "cannot write to standard output");
    return BASE_OK;
}

/* The last message of toise in the end of a child's errors; "" if there is none. */
static const char *message(char *errors) {
    char *rest = errors, *line;
    const char *last = "";
    while ((line = strsep(&rest, "\n")))
        if (!strncmp(line, "toise: ", 7)) last = line + 7;
    return last;
}

/* A line for people: the launch's rate or number of records, how it ended, and the time left. */
static void report(struct run *l, const struct base_child_end *end, size_t before) {
    const size_t records = l->count - before;
    const json_t *first = records ? l->records[before].record : NULL;
    const struct study_launches_kind *kind = first ? study_launches_kind(first) : NULL;
    const int due = (int)l->asked->launches - l->done;
    char took[32], left[32], what[96] = "no record";
    base_text_duration(end->seconds, took, sizeof took);
    base_text_duration(due * (base_clock_now() - l->began) / l->done, left, sizeof left);
    if (records > 1) snprintf(what, sizeof what, "%zu records", records);
    const double rate = records == 1 && kind ? record_real(first, kind->key) : NAN;
    if (records == 1) snprintf(what, sizeof what, "%s", record_text(first, "status"));
    if (!isnan(rate)) snprintf(what, sizeof what, "%-12s %.5g %s", record_text(first, "status"), rate, kind->unit);
    cli_progress_close(&l->progress);
    fprintf(l->progress.out, "launch %d of %lld   %s   %s%s%s%s\n", l->done,
            (long long)(due < 0 ? l->done : l->asked->launches), what, took, due > 0 ? ", about " : "",
            due > 0 ? left : "", due > 0 ? " left" : "");
    fflush(l->progress.out);
}

/* One launch. */
static int launch(struct run *l, struct base_error *e) {
    const struct base_child_how how = {.limit_s = 1e9, .most = OUTPUT_MOST, .stop_s = STOP_S};
    struct base_child_end end = {0};
    const size_t before = l->count;
    char texts[3][32], what[64];
    arguments(l, texts);
    snprintf(what, sizeof what, "launch %d", l->done + 1);
    cli_progress_phase(&l->progress, what);
    struct base_error broke = {0};
    int code = base_child_run(l->argv, &how, &end, &broke);
    l->stopped = end.signal;
    if (l->stopped && !end.out) return BASE_OK; /* it came between two launches */
    if (code && !l->stopped) return base_fail(e, code, "%s", broke.text);
    l->longest = fmax(l->longest, end.seconds);
    code = take(l, end.out, end.seconds, e);
    l->done++;
    if (end.code != BASE_USAGE) report(l, &end, before);
    char why[1200];
    const char *said = message(end.errors);
    if (end.code > 128 || !*said)
        snprintf(why, sizeof why, "launch %d ended with exit code %d%s%.900s", l->done, end.code, *said ? ": " : "",
                 said);
    else
        snprintf(why, sizeof why, "launch %d: %s", l->done, said);
    if (!l->stopped) worsen(l, end.code, end.code == BASE_USAGE ? said : why);
    free(end.out);
    return code;
}

static int summarise(struct run *l, struct base_error *e) {
    json_decref(l->summaries);
    l->summaries = NULL;
    return study_launches(l->records, l->count, l->asked->ci, &l->summaries, e);
}

/* Whether another launch can change the answer, and may still start. */
static bool goes_on(const struct run *l) {
    const bool budgeted = !isnan(l->asked->budget_s), enough = l->done >= l->asked->launches;
    if (l->stopped || badness(l->worst) >= badness(BASE_USAGE)) return false; /* the next one would end the same way */
    if (budgeted && base_clock_now() - l->began + l->longest > l->asked->budget_s) return false;
    if (!enough) return true;
    return budgeted && l->worst == BASE_OK && study_launches_code(l->summaries, NULL) == BASE_INCONCLUSIVE;
}

static int run_all(struct run *l, struct base_error *e) {
    int code = BASE_OK;
    base_child_hold_signals();
    do {
        code = launch(l, e);
        if (!code) code = summarise(l, e);
    } while (!code && goes_on(l));
    base_child_release_signals();
    cli_progress_close(&l->progress);
    return code;
}

/* Appends and prints the summaries of what finished. */
static int show(struct run *l, struct base_error *e) {
    const json_t *summary;
    size_t i;
    int code = BASE_OK;
    json_array_foreach(l->summaries, i, summary) if (!code) code = cli_emit(l->output, summary, e);
    if (!json_array_size(l->summaries)) return code;
    fputc('\n', l->progress.out);
    report_launches(l->progress.out, l->summaries, REPORT_TEXT);
    if (fflush(l->progress.out) && !code) code = base_fail(e, BASE_BROKEN, "cannot write to standard output");
    return code;
}

/* The exit code and message of all launches together. */
static int conclude(const struct run *l, struct base_error *e) {
    const int due = (int)l->asked->launches - l->done;
    struct base_error why = {0};
    const int code = study_launches_code(l->summaries, &why);
    if (badness(l->worst) > badness(code))
        return base_fail(e, l->worst, "%s%s", l->why,
                         l->worst == BASE_BROKEN && l->output->out ? "; what finished is in --out" : "");
    if (l->stopped && due > 0)
        return base_fail(e, BASE_INCONCLUSIVE, "inconclusive: stopped by %s after %d of %lld launches",
                         guard_stop_name(l->stopped), l->done, (long long)l->asked->launches);
    if (code == BASE_INCONCLUSIVE && due > 0)
        return base_fail(e, code, "%s; --budget ended before %d of %lld launches", why.text, due,
                         (long long)l->asked->launches);
    return code ? base_fail(e, code, "%s", why.text) : BASE_OK;
}

/* A word as the shell reads it back. */
static void quote(char *text, size_t size, const char *word) {
    const bool plain =
        *word &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=%,:+@") == strlen(word);
    size_t used = strlen(text);
    if (used + 4 * strlen(word) + 4 > size) word = "...", used = used < size - 5 ? used : size - 5;
    used += (size_t)snprintf(text + used, size - used, "%s", plain ? " " : " '");
    for (; *word; word++) {
        const char one[2] = {*word, 0};
        used += (size_t)snprintf(text + used, size - used, "%s", *word == '\'' ? "'\\''" : one);
    }
    if (!plain) snprintf(text + used, size - used, "'");
}

/* BASE_USAGE: mpirun or srun started this process, and cannot start launches within itself. */
static int refuse(const struct comm *world, const struct cli_command *command, int argc, char *const *argv,
                  const struct cli_launches *asked, const struct cli_output *output, struct base_error *e) {
    char words[900] = "";
    const char *out = output->out ? output->out : "launches.jsonl";
    for (int i = 0; i < argc; i++) {
        const bool ours = !strncmp(argv[i], "--launches", 10);
        if (!ours) quote(words, sizeof words, argv[i]);
        if (ours && !strchr(argv[i], '=')) i++;
    }
    if (!output->out) quote(words, sizeof words, "--out"), quote(words, sizeof words, out);
    return base_fail(
        e, BASE_USAGE,
        "--launches starts toise again, which it cannot under %s; use this loop: job=$(date +%%s); for i in "
        "$(seq %lld); do %s -n %d %s %s%s --job $job; done; %s report %s --ci %g%%",
        comm_launcher_name(), (long long)asked->launches, comm_launcher_name(), world->size, program_invocation_name,
        command->name, words, program_invocation_name, out, 100 * asked->ci);
}

static bool prepare(struct run *l, int argc, char *const *argv) {
    static char program[] = "/proc/self/exe";
    if (!(l->argv = calloc((size_t)(argc + 2 + EXTRA), sizeof *l->argv))) return false;
    l->argv[0] = program;
    l->argv[1] = (char *)l->command->name;
    for (int i = 0; i < argc; i++) l->argv[2 + i] = argv[i];
    l->argc = 2 + argc;
    return true;
}

int cli_launches_run(struct comm *world, const struct cli_command *command, int argc, char *const *argv,
                     const struct cli_launches *asked, const struct cli_launch *flags, const struct cli_output *output,
                     struct base_error *e) {
    if (comm_launched()) return refuse(world, command, argc, argv, asked, output, e);
    FILE *page = cli_page(output);
    struct record_launch launch;
    struct run l = {.command = command,
                    .asked = asked,
                    .output = output,
                    .progress = {.out = page, .terminal = report_terminal(page)},
                    .began = base_clock_now()};
    cli_launch_open(world, flags, &launch);
    snprintf(l.job, sizeof l.job, "%s", launch.job);
    if (!prepare(&l, argc, argv)) return base_fail(e, BASE_BROKEN, "out of memory");
    const int code = run_all(&l, e), shown = show(&l, code ? NULL : e);
    const int end = code ? code : shown ? shown : conclude(&l, e);
    for (size_t i = 0; i < l.count; i++) json_decref(l.records[i].record);
    json_decref(l.summaries);
    free(l.records), free(l.argv);
    return end;
}
