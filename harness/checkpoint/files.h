/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of one checkpoint: each rank writes its own, reads them back, and then all ranks complete the folder, or
 * none of it stays. Only for this room. */
#ifndef TOISE_CHECKPOINT_FILES_H
#define TOISE_CHECKPOINT_FILES_H

#include "checkpoint/folder.h"
#include "checkpoint/shards.h"

struct checkpoint_files {
    struct parallel_engine *engine;
    struct checkpoint_folder folder;
    bool made;    /* the folder */
    int64_t step; /* of the state that is saved */
    json_t *mine; /* those that this rank wrote, for checkpoint.json */
};

/* Makes the folder of the engine's step. BASE_BROKEN on all ranks. Collective. End it also after an error. */
int checkpoint_files_begin(struct checkpoint_files *files, struct parallel_engine *engine, const char *root,
                           struct base_error *e);
/* Writes and syncs this rank's files of both kinds. Collective, and BASE_BROKEN on all ranks, unless it is from a copy:
 * then any thread may, and knows only of its own. */
int checkpoint_files_write(struct checkpoint_files *files, struct checkpoint_shards *shards, struct base_error *e);
/* Reads them back on `threads` threads. BASE_BROKEN is this rank's. */
int checkpoint_files_check(const struct checkpoint_files *files, int threads, struct base_error *e);
/* Completes the checkpoint if code, which all ranks have, is 0. BASE_BROKEN on all ranks leaves no trace. bytes: of all
 * ranks' files. Collective. */
int checkpoint_files_end(struct checkpoint_files *files, int code, const json_t *about, double *bytes,
                         struct base_error *e);

#endif
