/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder that holds a run's checkpoints. Only for this room. */
#ifndef TOISE_CHECKPOINT_ROOT_H
#define TOISE_CHECKPOINT_ROOT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* "ROOT/step-00000100" in path[PATH_MAX]. */
void checkpoint_root_name(const char *root, int64_t step, char path[PATH_MAX]);
/* The step of an entry "step-00000100" or "step-00000100.part"; -1: it is neither. */
int64_t checkpoint_root_step(const char *name, bool *part);
/* The step of the newest checkpoint in `root`; -1: it has none. */
int64_t checkpoint_root_newest(const char *root);

#endif
