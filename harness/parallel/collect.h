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
/* The whole tensor where parallel_has_all: in this rank's memory. */
const float *parallel_whole(const struct parallel_engine *engine, enum parallel_what what, int tensor);
/* Whether this rank keeps some of a tensor of engine->whole. And sets that from the tensor's values[count];
 * parallel_restart or parallel_resume make weights take effect. */
bool parallel_keeps(const struct parallel_engine *engine, int tensor);
void parallel_keep(struct parallel_engine *engine, enum parallel_what what, int tensor, const float *values);

/* The elements of a tensor that a rank owns: [first, first + count) of its own tensor, adjacent in its memory. */
struct parallel_piece {
    int64_t first, count;
    struct model_split split; /* their places in the whole tensor */
};
/* Pieces on their way; `from` grows as needed. */
struct parallel_exchange {
    struct parallel_piece *to_piece, *from_piece; /* [world] */
    struct comm_request *requests;                /* [2 world] */
    float *from;
    int64_t room; /* elements of it */
};
int parallel_exchange_open(struct parallel_exchange *x, const struct parallel_engine *engine, struct base_error *e);
void parallel_exchange_close(struct parallel_exchange *x);
/* Puts tensors together on one rank each, at once: rank r gets tensor wanted[r] of engine->whole in its out[count]; -1:
 * none. Each element comes from one rank that owns it, the same replica if it has a copy. Collective;
 * wanted[world] agrees on all ranks. BASE_BROKEN on all: out of memory. */
int parallel_gather_to(struct parallel_engine *engine, enum parallel_what what, const int *wanted,
                       struct parallel_exchange *x, float *out, struct base_error *e);

/* choice[n] becomes the sum over the ranks, of which one has a number and the others 0. BASE_BROKEN on all: out of
 * memory. */
int parallel_sum_choices(struct comm *comm, int32_t *choice, int64_t n, struct base_error *e);

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
