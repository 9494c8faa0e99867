/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder that appears complete or not at all: it is written as FOLDER.part, synced and renamed. Only for this room,
 * except for checkpoint_folder_check. */
#ifndef TOISE_CHECKPOINT_FOLDER_H
#define TOISE_CHECKPOINT_FOLDER_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct checkpoint_folder {
    char path[PATH_MAX], part[PATH_MAX]; /* part: while it is written */
};

/* Checks that --save can create `folder`: BASE_USAGE if it exists or its parent cannot be written. `make`: also creates
 * missing parents, and a folder that it removes at once. */
int checkpoint_folder_check(const char *folder, bool make, struct base_error *e);

/* Makes FOLDER.part. BASE_BROKEN: it cannot be made, or is there. */
int checkpoint_folder_begin(struct checkpoint_folder *folder, const char *path, struct base_error *e);
/* Syncs and renames it. BASE_BROKEN leaves FOLDER.part. */
int checkpoint_folder_end(const struct checkpoint_folder *folder, struct base_error *e);
/* Removes a FOLDER or FOLDER.part: FOLDER is first renamed, so that it is never there in part. Removes only files that
 * this room writes, and follows no link; what else is in the folder stays, and so does FOLDER.part with it. */
void checkpoint_folder_remove(const char *path);
/* The length of a folder's path without slashes at its end. */
int checkpoint_folder_length(const char *path);
/* "FOLDER/name" in path[PATH_MAX]. */
void checkpoint_folder_file(const char *folder, const char *name, char path[PATH_MAX]);
/* Writes and syncs a file. Takes over `json`; NULL is no memory. BASE_BROKEN. */
int checkpoint_folder_json(const char *folder, const char *name, json_t *json, struct base_error *e);

#endif
