/* SPDX-License-Identifier: Apache-2.0
 *
 * Point-to-point messages, all-to-alls and broadcasts, which MPI carries out. MPI counts in int, so what is longer than
 * 1 GiB goes as one element of a datatype made for it (Hammond, Schaefer and Latham, "To INT_MAX... and beyond!",
 * 2014). The callers' requests form the list of those in flight, so that nothing here allocates. */
#include <sched.h>
#include <string.h>

#include "comm/internal.h"

enum { MOST = 1 << 30, BLOCK = 1 << 20 };

_Static_assert(sizeof(MPI_Request) <= sizeof(void *), "the handle of a comm_request holds an MPI_Request");

/* The datatype and its count that describe `bytes` bytes. Pass both to done_with. */
struct payload {
    MPI_Datatype type;
    int count;
};

static struct payload payload_of(size_t bytes) {
    if (bytes <= MOST) return (struct payload){MPI_BYTE, (int)bytes};
    struct payload p = {.count = 1};
    const int length[2] = {(int)(bytes / BLOCK), (int)(bytes % BLOCK)};
    const MPI_Aint at[2] = {0, (MPI_Aint)(bytes - bytes % BLOCK)};
    MPI_Datatype block[2] = {MPI_DATATYPE_NULL, MPI_BYTE};
    comm_check(MPI_Type_contiguous(BLOCK, MPI_BYTE, block), "MPI_Type_contiguous");
    comm_check(MPI_Type_create_struct(2, length, at, block, &p.type), "MPI_Type_create_struct");
    comm_check(MPI_Type_commit(&p.type), "MPI_Type_commit");
    comm_check(MPI_Type_free(block), "MPI_Type_free");
    return p;
}

/* MPI keeps a freed type until the messages that use it are complete. */
static void done_with(struct payload *p) {
    if (p->type != MPI_BYTE) comm_check(MPI_Type_free(&p->type), "MPI_Type_free");
}

static void enlist(struct comm_messages *m, MPI_Request started, struct comm_request *request) {
    *request = (struct comm_request){.active = true, .message = true, .next = m->first};
    memcpy(&request->handle, &started, sizeof started);
    m->first = request;
}

void comm_message_send(struct comm_messages *m, MPI_Comm comm, const void *data, size_t bytes, int to, int tag,
                       struct comm_request *request) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Isend(data, p.count, p.type, to, COMM_RING_TAGS + tag, comm, &started), "MPI_Isend");
    done_with(&p);
    enlist(m, started, request);
}

void comm_message_receive(struct comm_messages *m, MPI_Comm comm, void *data, size_t bytes, int from, int tag,
                          struct comm_request *request) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Irecv(data, p.count, p.type, from, COMM_RING_TAGS + tag, comm, &started), "MPI_Irecv");
    done_with(&p);
    enlist(m, started, request);
}

void comm_message_broadcast(struct comm_messages *m, MPI_Comm comm, void *data, size_t bytes, int root,
                            struct comm_request *request) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Ibcast(data, p.count, p.type, root, comm, &started), "MPI_Ibcast");
    done_with(&p);
    enlist(m, started, request);
}

void comm_message_all_to_all(struct comm_messages *m, MPI_Comm comm, const void *to, void *from, size_t bytes,
                             struct comm_request *request) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Ialltoall(to, p.count, p.type, from, p.count, p.type, comm, &started), "MPI_Ialltoall");
    done_with(&p);
    enlist(m, started, request);
}

void comm_message_progress(struct comm_messages *m) {
    for (struct comm_request **at = &m->first, *each; (each = *at);) {
        MPI_Request started;
        int done;
        memcpy(&started, &each->handle, sizeof started);
        comm_check(MPI_Test(&started, &done, MPI_STATUS_IGNORE), "MPI_Test");
        if (done) {
            *at = each->next;
            each->active = false;
        } else {
            memcpy(&each->handle, &started, sizeof started);
            at = &each->next;
        }
    }
}

void comm_message_wait(struct comm_messages *m, struct comm_ring *ring, struct comm_request *request) {
    for (unsigned round = 1; request->active; round++) {
        comm_message_progress(m);
        comm_ring_progress(ring);
        /* as in comm_ring_wait */
        if (round % COMM_YIELD == 0) sched_yield();
    }
}
