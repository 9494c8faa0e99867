/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command that measures knows about its launch: --job, and the flags that --launches gives its children. */
#ifndef TOISE_CLI_LAUNCH_H
#define TOISE_CLI_LAUNCH_H

#include "cli/cli.h"
#include "records/launch.h"

struct cli_launch {
    const char *job;   /* NULL: not given */
    int64_t index, of; /* of a child; else 0 */
};
extern const struct cli_option cli_launch_options[];

/* BASE_USAGE: --job is not a plain name. */
int cli_launch_check(const struct cli_launch *flags, struct base_error *e);
/* A new launch of these ranks. Collective. */
void cli_launch_open(struct comm *world, const struct cli_launch *flags, struct record_launch *launch);

#endif
