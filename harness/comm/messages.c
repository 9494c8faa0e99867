/* SPDX-License-Identifier: Apache-2.0
 *
 * Point-to-point messages, all-to-alls and broadcasts, which MPI carries out. MPI counts in int, so what is longer than
 * 1 GiB goes as one element of a datatype made for it (Hammond, Schaefer and Latham, "To INT_MAX... and beyond!",
 * 2014). All-to-alls of uneven blocks are messages between pairs of ranks, since MPI_Ialltoallv counts in int too. The
 * callers' requests form the list of those in flight, so that nothing here allocates. */
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

/* A handle holds an MPI_Request. */
static MPI_Request load(void *const *handle) {
    MPI_Request request;
    memcpy(&request, handle, sizeof request);
    return request;
}
static void store(void **handle, MPI_Request request) {
    memcpy(handle, &request, sizeof request);
}
/* Whether it is complete, or none. */
static bool landed(void **handle) {
    MPI_Request request = load(handle);
    int done;
    comm_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    store(handle, request);
    return done;
}

static void enlist(struct comm_messages *m, MPI_Request started, struct comm_request *request) {
    *request = (struct comm_request){.active = true, .message = true, .next = m->first};
    store(&request->handle, started);
    m->first = request;
}

static MPI_Request sending(MPI_Comm comm, const void *data, size_t bytes, int to, int tag) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Isend(data, p.count, p.type, to, tag, comm, &started), "MPI_Isend");
    done_with(&p);
    return started;
}
static MPI_Request receiving(MPI_Comm comm, void *data, size_t bytes, int from, int tag) {
    struct payload p = payload_of(bytes);
    MPI_Request started;
    comm_check(MPI_Irecv(data, p.count, p.type, from, tag, comm, &started), "MPI_Irecv");
    done_with(&p);
    return started;
}

void comm_message_send(struct comm_messages *m, MPI_Comm comm, const void *data, size_t bytes, int to, int tag,
                       struct comm_request *request) {
    enlist(m, sending(comm, data, bytes, to, COMM_MESSAGE_TAG + tag), request);
}
void comm_message_receive(struct comm_messages *m, MPI_Comm comm, void *data, size_t bytes, int from, int tag,
                          struct comm_request *request) {
    enlist(m, receiving(comm, data, bytes, from, COMM_MESSAGE_TAG + tag), request);
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

static int64_t before(const int64_t *bytes, int rank) {
    int64_t sum = 0;
    for (int r = 0; r < rank; r++) sum += bytes[r];
    return sum;
}

/* Step s sends to the rank that is s to the right, and receives from the one s to the left. */
static void take_step(struct comm_exchange *x, void **pair) {
    const struct comm_exchanges *of = x->of;
    const int right = (of->rank + x->step) % of->size, left = (of->rank + of->size - x->step) % of->size;
    const size_t out = (size_t)x->to_bytes[right], in = (size_t)x->from_bytes[left];
    char *from = x->from + before(x->from_bytes, left);
    const char *to = x->to + before(x->to_bytes, right);
    store(&pair[0], in ? receiving(of->comm, from, in, left, x->tag) : MPI_REQUEST_NULL);
    store(&pair[1], out ? sending(of->comm, to, out, right, x->tag) : MPI_REQUEST_NULL);
    x->step++;
}

/* Takes the steps that can be taken; returns whether all are complete. Every rank takes them in order. So the peers of
 * the earliest incomplete step have all come to it, and no rank waits for ever. */
static bool exchanged(struct comm_exchange *x) {
    const int steps = ((const struct comm_exchanges *)x->of)->size;
    bool all = true;
    for (int i = 0; i < COMM_PAIRS; i++) {
        bool idle = true;
        for (bool more = true; more;) {
            const bool one = landed(&x->pair[i][0]), other = landed(&x->pair[i][1]); /* MPI is asked about both */
            idle = one && other, more = idle && x->step < steps;
            if (more) take_step(x, x->pair[i]);
        }
        all &= idle;
    }
    return all;
}

void comm_message_exchange(struct comm_messages *m, struct comm_exchanges *of, const void *to, const int64_t *to_bytes,
                           void *from, const int64_t *from_bytes, struct comm_request *request) {
    struct comm_exchange x = {of, to, from, to_bytes, from_bytes, .step = 1};
    const size_t own = (size_t)to_bytes[of->rank];
    x.tag = COMM_RING_TAGS + (int)(of->begun++ % COMM_EXCHANGE_TAGS);
    for (int i = 0; i < 2 * COMM_PAIRS; i++) store(&x.pair[i / 2][i % 2], MPI_REQUEST_NULL);
    if (own) memcpy(x.from + before(from_bytes, of->rank), x.to + before(to_bytes, of->rank), own);
    *request = (struct comm_request){0};
    if (exchanged(&x)) return;
    enlist(m, MPI_REQUEST_NULL, request);
    request->exchange = x;
}

void comm_message_progress(struct comm_messages *m) {
    for (struct comm_request **at = &m->first, *each; (each = *at);) {
        if (each->exchange.of ? exchanged(&each->exchange) : landed(&each->handle)) {
            *at = each->next;
            each->active = false;
            comm_meter_down(each->meter);
        } else {
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
