/* SPDX-License-Identifier: Apache-2.0
 *
 * A comm that wraps another one. It counts what passes, and forwards it or not. Tests compare the ledger's messages
 * with its counts. Training uses it to time a step as if messages were free. */
#ifndef TOISE_COMM_COUNT_H
#define TOISE_COMM_COUNT_H

#include "comm/comm.h"

enum comm_op {
    COMM_ALL_REDUCE_START,
    COMM_REDUCE_SCATTER_START,
    COMM_ALL_GATHER_START,
    COMM_BROADCAST_START,
    COMM_ALL_TO_ALL_START,
    COMM_ALL_TO_ALL_V_START,
    COMM_SEND_START,
    COMM_RECEIVE_START,
    COMM_PROGRESS,
    COMM_WAIT,
    COMM_SUM,
    COMM_MAX,
    COMM_BARRIER,
    COMM_REST,
    COMM_BROADCAST,
    COMM_ALL_GATHER,
    COMM_OPS
};

enum comm_count_mode {
    COMM_FORWARD,   /* everything is forwarded */
    COMM_NULL_SUMS, /* what is started, progress and wait do nothing; blocking operations are forwarded */
    COMM_ONLY_COUNT /* nothing is sent: each value stands for the result. all_gather fills in copies of this rank's
                       data, and an all-to-all returns what it got, as far as it fits. So one process can play a rank of
                       a world of any size. */
};

/* Owned by the caller. The mode may change while no sum is in flight; counts may be cleared at any time. */
struct comm_counter {
    struct comm *inner;
    enum comm_count_mode mode;
    bool of_group; /* made by comm_split, freed by comm_close */
    struct {
        int64_t calls, bytes; /* bytes: of one rank's operand, all its blocks; not of the network traffic */
    } op[COMM_OPS];
};

/* *world becomes a comm with the rank, size and nodes of `inner` whose calls go through the counter. Closing it leaves
 * counter and `inner` unchanged. Sums that are forwarded have the order (`tree`) of *world. comm_agree and comm_split
 * are not counted. A group has its own counter, which starts in its parent's mode. In COMM_ONLY_COUNT every rank is
 * assumed to give the same colour, so the group is all of them. */
void comm_count_wrap(struct comm *world, struct comm_counter *counter, struct comm *inner, enum comm_count_mode mode);
/* The counter of `comm`; NULL: none, as for a rank in no group. */
struct comm_counter *comm_counter_of(const struct comm *comm);

#endif
