/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations between ranks as a table: how one is called, what its ranks put in, what they must get out, and what a
 * link carries. Values are whole numbers, so that sums are exact in any order of addends. */
#ifndef TOISE_COLLECTIVES_OP_H
#define TOISE_COLLECTIVES_OP_H

#include "comm/comm.h"

enum collectives_kind {
    COLLECTIVES_ALL_REDUCE,
    COLLECTIVES_REDUCE_SCATTER,
    COLLECTIVES_ALL_GATHER,
    COLLECTIVES_BROADCAST,
    COLLECTIVES_ALL_TO_ALL,
    COLLECTIVES_P2P,           /* pairs of ranks, even and next: a message there and back; half of that is a call */
    COLLECTIVES_BIDIRECTIONAL, /* each rank sends to the next one and receives from the one before, at once */
    COLLECTIVES_OPS
};

/* The operands of one call on one rank. In place there is only x. */
struct collectives_operands {
    float *x, *y;  /* [count] */
    int64_t count; /* of the size in the table: all ranks' blocks, where they have blocks */
};

struct collectives_op {
    const char *name;  /* "all_reduce" */
    const char *redop; /* "sum" or "none" */
    int root;          /* -1: none */
    bool in_place;
    bool blocks; /* the operand is divided among the ranks, so that its count in the table is per rank */
    double part; /* of a run that is one call */
    /* busbw over algbw: the part of its operand that each rank sends at least, as nccl-tests derives it
     * (doc/PERFORMANCE.md; src/sendrecv.cu). all_reduce: every element is added on n - 1 ranks and copied to n - 1,
     * over n links: 2 (n - 1) / n. reduce_scatter and all_gather are one half of that each, all_to_all keeps one block
     * of n: (n - 1) / n. A broadcast's root, and a message's sender, send everything: 1. */
    double (*bus)(int ranks);
    /* One run, started and waited for. */
    void (*run)(struct comm *, const struct collectives_operands *);
    /* Sets what this rank puts in, and poison where results go. `salt` changes the values from check to check. */
    void (*fill)(const struct comm *, const struct collectives_operands *, int salt);
    /* How many elements on this rank are not what they must be after one run. */
    double (*wrong)(const struct comm *, const struct collectives_operands *, int salt);
};

extern const struct collectives_op collectives_ops[COLLECTIVES_OPS];

/* "all_reduce", ...; NULL after the last. */
const char *collectives_op_name(int i);

/* The operand's bytes for a size that was asked for: whole floats, and as many in every block. 0: too small, a rank
 * would have none. As in nccl-tests. */
int64_t collectives_op_bytes(const struct collectives_op *op, int64_t bytes, int ranks);

#endif
