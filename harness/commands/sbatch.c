/* SPDX-License-Identifier: Apache-2.0
 *
 * toise sbatch: the jobs of a campaign, submitted to Slurm. */
#include "cli/cli.h"
#include "commands/commands.h"
#include "jobs/jobs.h"
#include "report/report.h"

struct flags {
    const char *campaign, *folder;
    bool submit, resume;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "CAMPAIGN", .kind = CLI_WORD, .at = offsetof(struct flags, campaign), .file = CLI_READ,
     .help = "a file that says what to run on how many nodes, how often"},
    {.name = "--dir", .kind = CLI_TEXT, .at = offsetof(struct flags, folder), .hint = "DIR",
     .help = "the folder of its records, journals and logs; default results/NAME"},
    {.name = "--submit", .kind = CLI_FLAG, .at = offsetof(struct flags, submit),
     .help = "submit the jobs; without it their script is only written"},
    {.name = "--resume", .kind = CLI_FLAG, .at = offsetof(struct flags, resume),
     .help = "go on: only launches that are missing or failed"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "CAMPAIGN", .text = "the campaign's file is missing, as in: toise sbatch campaign.json"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "sbatch",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise sbatch CAMPAIGN [flags]\n\nShows the jobs of a campaign and what they have measured, and writes or "
             "runs the script that submits those that are\nmissing. Each job starts when the one `at_once` before it "
             "ended, however it ended.",
    .notes = "A campaign's file:\n"
             "  {\"name\": \"upgrade\", \"launches\": 5, \"days\": 3, \"sbatch\": [\"--partition=cpu\"], \"work\": [\n"
             "    {\"command\": \"train\", \"workload\": \"node-m\", \"precision\": \"bf16\", \"nodes\": [1, 2, 4]}]}\n"
             "Commands are train, kernels, scale and nodes; scripts/README.md has every key.\n"
             "Exit codes: 0 shown or submitted, 1 a job ended without its launches.\n",
};

/* A campaign that was begun is not begun again by accident. */
static int check_begun(const struct flags *f, const struct jobs_campaign *c, struct base_error *e) {
    for (int i = 0; i < c->count && f->submit && !f->resume; i++)
        if (c->jobs[i].state != JOBS_NEW)
            return base_fail(e, BASE_USAGE,
                             "--submit: %s holds %s of this campaign already; add --resume to go on, or "
                             "give another --dir",
                             c->folder, c->jobs[i].done || c->jobs[i].failed ? "records" : "submitted jobs");
    return BASE_OK;
}

/* The state of all jobs, as a page and a record. */
static int show(const struct flags *f, const struct jobs_campaign *c, struct base_error *e) {
    json_t *record = jobs_record(c);
    const int code = cli_emit(&f->output, record, e);
    report_jobs(cli_page(&f->output), record);
    json_decref(record);
    return code;
}

/* What was submitted before a refusal is shown, too. */
static int submit(const struct flags *f, struct jobs_campaign *c, struct base_error *e) {
    struct base_error other;
    const int code = jobs_submit(c, e), seen = jobs_look(c, code ? &other : e);
    if (!code && seen) return seen;
    const int shown = show(f, c, code ? &other : e);
    return code ? code : shown;
}

static int run(const struct flags *f, struct jobs_campaign *c, struct base_error *e) {
    int missing = 0, failed = 0;
    int code = jobs_read(c, f->campaign, f->folder, e);
    if (!code) code = record_check(f->output.out, e);
    if (!code) code = jobs_look(c, e);
    if (!code) code = check_begun(f, c, e);
    if (!code) code = jobs_write(c, &missing, e);
    if (!code) code = f->submit && missing ? submit(f, c, e) : show(f, c, e);
    if (code) return code;
    for (int i = 0; i < c->count; i++) failed += c->jobs[i].state == JOBS_FAILED;
    if (missing && !f->submit)
        fprintf(cli_page(&f->output), "\n%s/submit.sh submits %d job%s; so does --submit%s\n", c->folder, missing,
                report_plural(missing), missing == c->count ? "" : " --resume");
    return failed ? base_fail(e, BASE_NO, "%d job%s ended without the launches asked for; --submit --resume runs them",
                              failed, report_plural(failed))
                  : BASE_OK;
}

int command_sbatch(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags f = {0};
    static struct jobs_campaign campaign; /* too large for the stack */
    int code = cli_options_read(&COMMAND, &f, argc, argv, e);
    if (!code && f.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = cli_options_apart(&COMMAND, &f, e);
    if (code) return code;
    code = run(&f, &campaign, e);
    jobs_close(&campaign);
    return code;
}
