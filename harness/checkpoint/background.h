/* SPDX-License-Identifier: Apache-2.0
 *
 * Saves while training goes on: the ranks copy what they save, then a thread of each writes, syncs and reads back its
 * files. Their bytes are those of checkpoint_save. Only the main threads call MPI: when no thread writes any more, they
 * agree on that and complete the checkpoint. Until then it has no name, so a kill leaves the one before. */
#ifndef TOISE_CHECKPOINT_BACKGROUND_H
#define TOISE_CHECKPOINT_BACKGROUND_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/threads.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/files.h"

struct checkpoint_background {
    struct parallel_engine *engine;
    const struct base_cpus *cpus;
    bool saving; /* a checkpoint is begun and not ended; the same on all ranks */
    struct checkpoint_files files;
    struct checkpoint_shards shards;
    const json_t *about;
    double copy_s;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* one of the next two */
    bool writing, closing;
    _Atomic uint64_t progress; /* the thread's */
    /* The thread's until it is no longer writing. */
    int code;
    struct base_error error;
    double write_s, check_s;
};

/* Starts the thread. The plan has room for copies. cpus: where it may run, also of those that compute; they and the
 * engine must outlive it. BASE_BROKEN is this rank's. Close it also after an error; one of zeros may be
 * closed. */
int checkpoint_background_open(struct checkpoint_background *background, struct parallel_engine *engine,
                               const struct base_cpus *cpus, struct base_error *e);
/* Waits until nothing is written. What is not ended leaves no name. */
void checkpoint_background_close(struct checkpoint_background *background);

/* Copies the engine's state, and begins to write it as a new checkpoint in `root`. No other may be begun and not ended.
 * about: as for checkpoint_save, until it is ended. BASE_BROKEN on all ranks leaves no trace. Collective. */
int checkpoint_background_begin(struct checkpoint_background *background, const char *root, const json_t *about,
                                struct base_error *e);
/* Whether this rank's thread is still writing. */
bool checkpoint_background_writes(struct checkpoint_background *background);
/* Waits for the threads of all ranks, and completes the checkpoint that was begun. BASE_BROKEN on all ranks leaves no
 * trace. Collective. */
int checkpoint_background_end(struct checkpoint_background *background, struct checkpoint_cost *cost,
                              struct base_error *e);

#endif
