/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes tensors into .safetensors files, one a rank: each has whole tensors, about as many bytes as the others. All
 * ranks put the next tensor of each file together at the same time, so that files are written at the same time. Or all
 * tensors are put together first, in a copy, from which any thread can write a file while training goes on. */
#ifndef TOISE_CHECKPOINT_SHARDS_H
#define TOISE_CHECKPOINT_SHARDS_H

#include <jansson.h>

#include "parallel/collect.h"

/* Arrays of a kind of file, and what is put before the tensors' names in each. */
struct checkpoint_kind {
    const char *name; /* "model": its files are model.safetensors, or model-00001-of-00004.safetensors and so on */
    int arrays;
    struct {
        enum parallel_what what;
        const char *prefix;
    } array[2];
};
extern const struct checkpoint_kind checkpoint_model, checkpoint_gradients, checkpoint_optimizer;

struct checkpoint_shards {
    struct parallel_engine *engine;
    int *first;        /* [world + 1] rank r writes tensors first[r] to first[r + 1] - 1 */
    int files, number; /* of a kind; and this rank's, from 0 */
    int rounds;        /* the most tensors of a rank */
    int *wanted;       /* [world] */
    int64_t largest;   /* elements of this rank's largest tensor */
    int64_t room;      /* of values */
    float *values;     /* a tensor that was put together; NULL: this rank needs none */
    const float *copy; /* of this rank's tensors; NULL: there is none */
    struct parallel_exchange exchange;
};

/* Who writes: all ranks, or rank 0 alone; or all ranks, from a copy. */
enum checkpoint_spread { CHECKPOINT_FIRST, CHECKPOINT_ALL, CHECKPOINT_COPIED };
/* Collective. Close it also after an error. */
int checkpoint_shards_open(struct checkpoint_shards *shards, struct parallel_engine *engine,
                           enum checkpoint_spread spread, struct base_error *e);
void checkpoint_shards_close(struct checkpoint_shards *shards);

/* Bytes of a tensor that is put together, and of its pieces: at most twice the largest tensor. And of what is written
 * or read back at once. */
double checkpoint_shards_buffers(const struct checkpoint_shards *shards);

enum { CHECKPOINT_FILE = 64 };
/* The name of this rank's file of a kind. False: it has none. */
bool checkpoint_shards_file(const struct checkpoint_shards *shards, const struct checkpoint_kind *kind,
                            char name[CHECKPOINT_FILE]);
/* Copies this rank's tensors into its arena PLAN_COPY, put together. BASE_BROKEN on all ranks. Collective. */
int checkpoint_shards_copy(struct checkpoint_shards *shards, struct base_error *e);
/* Writes this rank's file of a kind as `path`. sums: {tensor: checksum}, which is added to; NULL: none. BASE_BROKEN on
 * all ranks; collective. From a copy it writes on the calling thread alone, and BASE_BROKEN is this rank's. */
int checkpoint_shards_write(struct checkpoint_shards *shards, const struct checkpoint_kind *kind, const char *path,
                            json_t *sums, struct base_error *e);

/* Reads a file as it is on disk and compares it with the checksums of its tensors, one for each. BASE_BROKEN names the
 * tensor that differs or cannot be read. A checksum is 16 hexadecimal digits: of parallel_mix of DATA_TENSORS_CHUNK
 * elements at a time, h = 3 h + mix. */
int checkpoint_file_check(const char *path, const json_t *sums, int threads, struct base_error *e);

#endif
