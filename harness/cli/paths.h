/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks that a file that a command writes is not also one of its other inputs or outputs. */
#ifndef TOISE_CLI_PATHS_H
#define TOISE_CLI_PATHS_H

#include <stdbool.h>

#include "base/error.h"

/* Whether `path` is `folder` or inside it. Compares names with links resolved; neither needs to exist. */
bool cli_path_within(const char *path, const char *folder);

struct cli_path {
    const char *flag, *path; /* path NULL: not given; it may also be a preset's name */
    bool written;
};
/* BASE_USAGE: two of the `count` paths are the same file, by name or by link, and one of them is written. */
int cli_paths_apart(const struct cli_path *paths, int count, struct base_error *e);

#endif
