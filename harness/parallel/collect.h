/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole model's parameters, whatever part of them each rank keeps. For checks and files, not for steps. */
#ifndef TOISE_PARALLEL_COLLECT_H
#define TOISE_PARALLEL_COLLECT_H

#include "parallel/engine.h"

enum parallel_what { PARALLEL_MASTER, PARALLEL_GRADIENTS, PARALLEL_MOMENT1, PARALLEL_MOMENT2 };

/* Whether this rank keeps all of it, so that parallel_collect only copies. The same on all ranks. */
bool parallel_has_all(const struct parallel_engine *engine, enum parallel_what what);
/* Writes a tensor of engine->whole into out[count], on every rank. Collective unless this rank has all. */
void parallel_collect(struct parallel_engine *engine, enum parallel_what what, int tensor, float *out);
/* Sets what this rank keeps of a tensor's master weights from the whole tensor's values[count]. parallel_restart makes
 * them take effect.
 */
void parallel_keep(struct parallel_engine *engine, int tensor, const float *values);

/* The values that the path computes with for master weights from[n]: rounded to its dtype. */
void parallel_stored(const struct parallel_engine *engine, const float *from, int64_t n, double *out);

/* Reads weights as the path stores them, for struct model_reference. Collective unless this rank has all: the ranks
 * read the same tensors in the same order. */
struct parallel_reader {
    struct parallel_engine *engine;
    float *values; /* of one tensor; NULL if this rank has all */
    int tensor;
};
int parallel_reader_open(struct parallel_reader *reader, struct parallel_engine *engine, struct base_error *e);
void parallel_reader_close(struct parallel_reader *reader);
void parallel_read(void *reader, int64_t offset, int64_t count, double *out);

#endif
