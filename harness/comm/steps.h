/* SPDX-License-Identifier: Apache-2.0
 *
 * What a piece of a collective sends and receives at each step, and what it adds: around a ring of ranks, or along a
 * binary tree over them. It calls no MPI. Only ring.c includes it, which keeps the pieces in flight. */
#ifndef TOISE_COMM_STEPS_H
#define TOISE_COMM_STEPS_H

#include "comm/internal.h"

enum { COMM_SEGMENT = 256 << 10 }; /* most bytes of a message: several in flight fit in a core's L2 */

/* A rank among those of its communicator. */
struct comm_place {
    int rank, size;
    int position;     /* around the ring: order[position] is `rank` */
    const int *order; /* [size] */
};

struct comm_job {
    enum comm_ring_kind kind;
    bool tree;
    char *buffer;
    int64_t count, unit; /* elements, and bytes of one */
    struct comm_meter *meter;
    int64_t pieces, begun, done;
    int steps; /* that add what arrives; as many pass sums on */
};

/* A part of a job. Ranks take its steps together: at each one a rank sends a message and receives another. */
struct comm_piece {
    struct comm_job *job; /* NULL: this slot is free */
    int64_t number;       /* of the job's pieces */
    char *scratch;        /* COMM_SEGMENT bytes, for what is received and added */
    int step, tag;
    int pending; /* incomplete messages of this step */
};

struct comm_step {
    const char *out;
    char *in;
    int out_bytes, in_bytes;
    int to, from; /* ranks */
};

/* Sets the job's pieces and steps. */
void comm_steps_plan(struct comm_job *job, int size);
int comm_steps_first(const struct comm_job *job);
/* The messages of the piece's step; to or from MPI_PROC_NULL there is none. What arrives may go into its scratch. */
struct comm_step comm_steps_begin(const struct comm_place *place, const struct comm_piece *piece);
/* The messages are complete: adds what arrived, if this step adds, and goes to the next one. False: it was the last. */
bool comm_steps_next(const struct comm_place *place, struct comm_piece *piece);

#endif
