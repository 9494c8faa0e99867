/* SPDX-License-Identifier: Apache-2.0
 *
 * The room checkpoint/ keeps a training on disk: weights as Hugging Face's files (weights.h), and checkpoints, which
 * any layout can go on from.
 *
 * It promises that what is on disk under its name is complete: a kill at any moment, or a full disk, leaves what was
 * there before. Each rank writes some of the tensors (shards.h), and reads back what it wrote: all ranks at once, or a
 * thread of each while training goes on (background.h). It needs parallel/, data/'s files, comm/ and guard/. It does
 * not know when something is saved, or what a run's work is: the caller's `about` says that.
 *
 * A checkpoint is a folder:
 *   config.json, model.safetensors    as transformers reads them: master weights in FP32. Of several ranks
 *                                     model-00001-of-00002.safetensors ... and model.safetensors.index.json
 *   optimizer.safetensors             AdamW's moments as exp_avg.NAME and exp_avg_sq.NAME, in shards likewise
 *   checkpoint.json                   {"checkpoint": "toise/1", "step", "files": [{"file", "kind", "bytes", "tensors":
 *                                     {name: checksum}}, ...], and the caller's `about`}
 * Checkpoints of a run are in one folder, as step-00000100: the next step is number 100, counted from 0. The data of a
 * step is a function of its number and the seed, so that number is the data's position. */
#ifndef TOISE_CHECKPOINT_CHECKPOINT_H
#define TOISE_CHECKPOINT_CHECKPOINT_H

#include <jansson.h>
#include <limits.h>

#include "parallel/collect.h"

#define CHECKPOINT_SCHEMA "toise/1"
enum { CHECKPOINT_STEP_MOST = 1000000000 };

struct checkpoint {
    char folder[PATH_MAX];
    json_t *about; /* all of checkpoint.json */
    int64_t step;
};

/* path: a checkpoint, or a folder of them, of which the newest counts. BASE_USAGE: there is none, or a file is missing,
 * truncated or from a later version; contents are not read. */
int checkpoint_open(struct checkpoint *checkpoint, const char *path, struct base_error *e);
void checkpoint_close(struct checkpoint *checkpoint);
/* Compares all files with their checksums, then sets weights, moments and the number of updates. BASE_USAGE names the
 * tensor that is damaged. Collective. */
int checkpoint_load(struct parallel_engine *engine, const struct checkpoint *checkpoint, struct base_error *e);

/* What saving took, and how much: the same on all ranks. */
struct checkpoint_cost {
    double write_s, check_s; /* of the slowest rank: written and synced; read back and, not in the background, named */
    double bytes;            /* of all files */
    /* In the background, of the slowest rank: what the ranks waited for, before and after it was written, and how long
     * it was written while no rank waited. Else 0. */
    double copy_s, wait_s, hidden_s;
    double buffers; /* bytes that a rank needed for tensors on their way, at most */
};
/* Saves the engine's state in `root` as a new checkpoint. about: for checkpoint.json, on rank 0; else NULL. BASE_BROKEN
 * leaves no trace. Collective. */
int checkpoint_save(struct parallel_engine *engine, const char *root, const json_t *about, struct checkpoint_cost *cost,
                    struct base_error *e);
/* Checks that a run which goes on from `from` (NULL: from the start) can save in `root`. BASE_USAGE: that cannot be
 * made, holds anything else, checkpoints of another run, or later ones than `from`. make: creates it, locks it until
 * the process ends, and removes what killed runs left. */
int checkpoint_root_check(const char *root, const struct checkpoint *from, bool make, struct base_error *e);
/* Removes all but the newest `keep` checkpoints, and that of step `start`. */
void checkpoint_root_keep(const char *root, int keep, int64_t start);

/* Writes the engine's master weights or its gradients as a .safetensors file that transformers loads. Collective: rank
 * 0 writes, and all learn whether it worked. */
int checkpoint_weights_write(const char *path, struct parallel_engine *engine, enum parallel_what what,
                             struct base_error *e);
/* Writes config.json and model.safetensors, from rank 0, into a new folder. BASE_BROKEN leaves nothing, except a
 * FOLDER.part that could not be renamed. Collective. */
int checkpoint_export(struct parallel_engine *engine, const char *folder, struct base_error *e);

#endif
