/* SPDX-License-Identifier: Apache-2.0
 *
 * A comm around another one: counts what passes, and passes it on or not. Proves the ledger's messages, and
 * times a step as if messages were free. */
#ifndef TOISE_COMM_COUNT_H
#define TOISE_COMM_COUNT_H

#include "comm/comm.h"

enum comm_op {
    COMM_SUM_START,
    COMM_PROGRESS,
    COMM_WAIT,
    COMM_SUM,
    COMM_MAX,
    COMM_BARRIER,
    COMM_BROADCAST,
    COMM_GATHER,
    COMM_OPS
};

enum comm_count_mode {
    COMM_FORWARD,   /* everything reaches the inner comm */
    COMM_NULL_SUMS, /* all_reduce_start, progress and wait do nothing; the blocking operations go on */
    COMM_ONLY_COUNT /* nothing is sent: each value stands for the result, gather fills in copies of its own, so
                       that one process can play a rank of a world of any size */
};

/* Owned by the caller; mode may change while no sum is in flight, counts be cleared at any time. */
struct comm_counter {
    struct comm *inner;
    enum comm_count_mode mode;
    bool of_group; /* made by comm_split, freed by comm_close */
    struct {
        int64_t calls, bytes; /* bytes: of one rank's operand, not what travels */
    } op[COMM_OPS];
};

/* *world becomes a comm that looks like `inner` (its rank, size, nodes) and goes through the counter. Closing it leaves
 * both as they are. comm_agree and comm_split are not counted; a group has a counter of its own, at first in the mode
 * of its parent. Where nothing is sent, every rank is taken to have given the same colour: the group is all of them. */
void comm_count_wrap(struct comm *world, struct comm_counter *counter, struct comm *inner, enum comm_count_mode mode);
/* The counter that calls on `comm` go through; NULL: none, as for a rank in no group. */
struct comm_counter *comm_counter_of(const struct comm *comm);

#endif
