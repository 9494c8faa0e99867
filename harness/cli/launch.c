/* SPDX-License-Identifier: Apache-2.0
 *
 * Names a launch and its job. */
#include "cli/launch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "inventory/place.h"

enum { JOB_MOST = 64 };

/* clang-format off */
const struct cli_option cli_launch_options[] = {
    {.name = "--job", .kind = CLI_TEXT, .at = offsetof(struct cli_launch, job), .hint = "NAME",
     .help = "launches with one NAME are not independent jobs; default the job of Slurm, else each launch is its own"},
    {.name = "--launch-index", .kind = CLI_INTEGER, .at = offsetof(struct cli_launch, index), .max = 1e6, .hint = "N"},
    {.name = "--launch-of", .kind = CLI_INTEGER, .at = offsetof(struct cli_launch, of), .max = 1e6, .hint = "N"},
    {.name = NULL},
};
/* clang-format on */

int cli_launch_check(const struct cli_launch *flags, struct base_error *e) {
    if (!flags->job) return BASE_OK;
    bool plain = strlen(flags->job) <= JOB_MOST;
    for (const char *c = flags->job; *c; c++) plain = plain && *c > ' ' && *c <= '~';
    if (plain) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--job: \"%.80s\" is not a plain name; take up to %d visible ASCII characters",
                     flags->job, JOB_MOST);
}

/* Where this process's ranks are, which does not change. NULL on all but rank 0. */
static json_t *place_of(struct comm *world) {
    static json_t *place;
    static bool known;
    if (!known) inventory_place(world, &place, NULL);
    known = true;
    return place;
}

void cli_launch_open(struct comm *world, const struct cli_launch *flags, struct record_launch *launch) {
    char date[32], host[24] = "";
    const char *slurm = getenv("SLURM_JOB_ID");
    *launch = (struct record_launch){.nodes = world->nodes, .index = (int)flags->index, .of = (int)flags->of};
    base_clock_date(date);
    gethostname(host, sizeof host - 1);
    snprintf(launch->id, sizeof launch->id, "%.20s-%.23s-%ld", date, host, (long)getpid());
    world->ops->broadcast(world, launch->id, sizeof launch->id);
    if (flags->job)
        snprintf(launch->job, sizeof launch->job, "%s", flags->job);
    else if (slurm && slurm[0])
        snprintf(launch->job, sizeof launch->job, "slurm-%.64s", slurm);
    else
        snprintf(launch->job, sizeof launch->job, "%s", launch->id);
    launch->place = place_of(world);
}
