/* SPDX-License-Identifier: Apache-2.0
 *
 * What the flags of `toise comm` hold, and what its operations, groups and sizes mean. */
#ifndef TOISE_COMMANDS_COMM_SIZES_H
#define TOISE_COMMANDS_COMM_SIZES_H

#include "cli/cli.h"
#include "cli/launch.h"
#include "collectives/collectives.h"

struct comm_flags {
    const char *ops, *groups, *bytes, *begin, *end, *step, *model, *csv;
    int64_t factor, threads; /* factor 0: not given */
    double seconds, ci, timeout;
    int bind;
    struct cli_launch launch;
    struct cli_output output;
};

/* Reads --op, --group and the sizes: --bytes, else a sweep from --begin to --end, else from 16 KiB by factors of four
 * up to the model's gradient. Without --group, o->groups is 0. */
int comm_sizes_resolve(const struct comm_flags *flags, struct collectives_options *o, struct base_error *e);

#endif
