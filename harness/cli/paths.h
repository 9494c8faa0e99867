/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that a command is given: what it writes must be none of what it reads or writes besides. */
#ifndef TOISE_CLI_PATHS_H
#define TOISE_CLI_PATHS_H

#include <stdbool.h>

#include "base/error.h"

/* Whether `path` is `folder` or lies in it, by their names, links resolved: neither need be there. */
bool cli_lies_in(const char *path, const char *folder);

struct cli_path {
    const char *flag, *path; /* path NULL: not given. It may be no path (a preset's name). */
    bool written;
};
/* BASE_USAGE where two of `count` are one file, by name or by link, and one of them is written. */
int cli_paths_apart(const struct cli_path *paths, int count, struct base_error *e);

#endif
