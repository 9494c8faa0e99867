/* SPDX-License-Identifier: Apache-2.0
 *
 * --launches: starts this command again and again, each time as a process of its own, and summarises their records. */
#ifndef TOISE_CLI_LAUNCHES_H
#define TOISE_CLI_LAUNCHES_H

#include "cli/launch.h"

struct cli_launches {
    int64_t launches; /* at least so many; 0: --launches was not given */
    double ci;        /* wanted of the mean over launches */
    double budget_s;  /* of all launches together. With it, launches go on beyond their number until ci is reached, and
                         none starts that may end later. NAN: exactly their number */
    bool passes_budget; /* the command has --budget of its own: a child gets its share */
};
extern const struct cli_option cli_launches_option[]; /* --launches; int64_t */

/* Runs the launches. argv[argc]: the command's arguments, which its children get too. Prints a line for each launch,
 * then the summary; with --json the children's records and the summaries, one a line. Appends the summaries to --out,
 * as the children do with their records. BASE_USAGE under a launcher, with the loop to use. Else the worst exit code of
 * launches and summary; what finished is kept. */
int cli_launches_run(struct comm *world, const struct cli_command *command, int argc, char *const *argv,
                     const struct cli_launches *asked, const struct cli_launch *launch, const struct cli_output *output,
                     struct base_error *e);

#endif
