/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the MPI backend share. Only this room includes it. */
#ifndef TOISE_COMM_INTERNAL_H
#define TOISE_COMM_INTERNAL_H

#include <mpi.h>

#include "base/clock.h"
#include "comm/comm.h"

/* Returns if `result` is MPI_SUCCESS. Otherwise prints the call and the error to stderr and ends the job with
 * BASE_BROKEN. */
void comm_check(int result, const char *call);

enum {
    COMM_YIELD = 32, /* polls in a wait before the core is yielded */
    /* Tags of the ring, then of exchanges, then COMM_TAGS of messages. Every MPI has at least 2^15. */
    COMM_RING_TAGS = 1 << 13,
    COMM_EXCHANGE_TAGS = 1 << 13,
    COMM_MESSAGE_TAG = COMM_RING_TAGS + COMM_EXCHANGE_TAGS,
};

/* An operation begins, and is complete. NULL: nobody asks. */
static inline void comm_meter_up(struct comm_meter *m) {
    if (m && !m->flying++) m->since = base_clock_now();
}
static inline void comm_meter_down(struct comm_meter *m) {
    if (m && !--m->flying) m->busy_s += base_clock_now() - m->since;
}

/* Collectives in flight on a communicator whose ranks form a ring. The ring advances together with `sibling` and that
 * one's siblings (NULL: alone). Opening only allocates; NULL: out of memory. */
struct comm_ring;
struct comm_ring *comm_ring_open(struct comm_ring *sibling);
void comm_ring_close(struct comm_ring *ring);
/* Call before the first start: order[size] has the ranks around the ring, and this rank is order[position]. The caller
 * owns order. */
void comm_ring_place(struct comm_ring *ring, MPI_Comm comm, const int *order, int position, int size);

/* An all-reduce is a reduce-scatter followed by an all-gather. */
enum comm_ring_kind { COMM_RING_ALL_REDUCE, COMM_RING_REDUCE_SCATTER, COMM_RING_ALL_GATHER };
/* `count` elements of `unit` bytes. Sums are of FP32 if that is 4, of BF16 if it is 2. `c`, the ring's comm, has the
 * meter, and says whether sums follow the tree. */
void comm_ring_start(struct comm_ring *ring, enum comm_ring_kind kind, const struct comm *c, void *buffer,
                     int64_t count, int unit, struct comm_request *request);
/* Like progress and wait of comm_ops, of this ring and its siblings. */
void comm_ring_progress(struct comm_ring *ring);
void comm_ring_wait(struct comm_ring *ring, struct comm_request *request);

/* Operations that MPI carries out: messages of any length, all-to-alls and broadcasts, and exchanges (all_to_all_v). A
 * world and its groups share the list of those in flight, which advance together. Starting does not allocate. */
struct comm_messages {
    struct comm_request *first;
};
void comm_message_send(struct comm_messages *m, MPI_Comm comm, const void *data, size_t bytes, int to, int tag,
                       struct comm_request *request);
void comm_message_receive(struct comm_messages *m, MPI_Comm comm, void *data, size_t bytes, int from, int tag,
                          struct comm_request *request);
void comm_message_broadcast(struct comm_messages *m, MPI_Comm comm, void *data, size_t bytes, int root,
                            struct comm_request *request);
void comm_message_all_to_all(struct comm_messages *m, MPI_Comm comm, const void *to, void *from, size_t bytes,
                             struct comm_request *request);
/* A comm, as its exchanges need it. It stays where it is while one is in flight. */
struct comm_exchanges {
    MPI_Comm comm;
    int rank, size;
    int64_t begun; /* the same on every rank, so that each exchange has its tag */
};
void comm_message_exchange(struct comm_messages *m, struct comm_exchanges *of, const void *to, const int64_t *to_bytes,
                           void *from, const int64_t *from_bytes, struct comm_request *request);
void comm_message_progress(struct comm_messages *m);
/* `ring` and its siblings advance meanwhile. */
void comm_message_wait(struct comm_messages *m, struct comm_ring *ring, struct comm_request *request);

#endif
