/* SPDX-License-Identifier: Apache-2.0
 *
 * All-reduce around a ring of ranks: reduce-scatter, then all-gather; and each of them alone. Sums may follow a tree
 * instead (steps.c). Buffers are cut into small pieces, so that a received addend is still in cache when it is added. A
 * few pieces are in flight. One rank completes the sum of each element, and the others get its copy. MPI_Iallreduce is
 * not used: Open MPI 4.1 also advances it only inside MPI calls; with two ranks it does all additions on one of them;
 * and with the same polling the overlapped compute takes two to three times as long. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "comm/steps.h"

enum {
    FLIGHT = 8, /* pieces in flight; with one, the link would idle until the peer polls */
    JOBS = 256  /* outstanding operations; starting one more waits for the oldest */
};

struct comm_ring {
    MPI_Comm comm;
    struct comm_place place;
    struct comm_job jobs[JOBS];    /* job n is in jobs[n % JOBS] */
    int64_t oldest, feeding, next; /* job numbers: first incomplete; first with pieces to begin; next to start */
    int64_t begun;                 /* pieces begun so far; a piece has the same number on every rank */
    int flying;
    struct comm_piece piece[FLIGHT];
    MPI_Request request[2 * FLIGHT]; /* of piece i: 2i receives, 2i + 1 sends */
    char *scratch;
    struct comm_ring *next_ring; /* circular list of all rings of one world */
};

struct comm_ring *comm_ring_open(struct comm_ring *sibling) {
    struct comm_ring *r = calloc(1, sizeof *r);
    char *scratch = aligned_alloc(64, (size_t)COMM_SEGMENT * FLIGHT);
    if (!r || !scratch) {
        free(r);
        free(scratch);
        return NULL;
    }
    memset(scratch, 0, (size_t)COMM_SEGMENT * FLIGHT); /* page faults happen here, not in the first step */
    *r = (struct comm_ring){.scratch = scratch, .next_ring = sibling ? sibling->next_ring : r};
    if (sibling) sibling->next_ring = r;
    for (int i = 0; i < FLIGHT; i++) r->piece[i].scratch = scratch + (size_t)i * COMM_SEGMENT;
    for (int i = 0; i < 2 * FLIGHT; i++) r->request[i] = MPI_REQUEST_NULL;
    return r;
}

void comm_ring_place(struct comm_ring *r, MPI_Comm comm, const int *order, int position, int size) {
    r->comm = comm;
    r->place = (struct comm_place){.rank = order[position], .size = size, .position = position, .order = order};
}

void comm_ring_close(struct comm_ring *r) {
    struct comm_ring *before = r;
    while (before->next_ring != r) before = before->next_ring;
    before->next_ring = r->next_ring;
    free(r->scratch);
    free(r);
}

static void post(struct comm_ring *r, int slot) {
    struct comm_piece *p = &r->piece[slot];
    MPI_Request *request = &r->request[2 * slot];
    const struct comm_step s = comm_steps_begin(&r->place, p);
    comm_check(MPI_Irecv(s.in, s.in_bytes, MPI_BYTE, s.from, p->tag, r->comm, request), "MPI_Irecv");
    comm_check(MPI_Isend(s.out, s.out_bytes, MPI_BYTE, s.to, p->tag, r->comm, request + 1), "MPI_Isend");
    p->pending = 2;
}

/* Begins pieces in order while slots are free. */
static void feed(struct comm_ring *r) {
    for (int slot = 0; slot < FLIGHT && r->feeding < r->next; slot++) {
        struct comm_piece *p = &r->piece[slot];
        struct comm_job *j = &r->jobs[r->feeding % JOBS];
        if (p->job) continue;
        p->job = j;
        p->number = j->begun;
        p->step = comm_steps_first(j);
        p->tag = (int)(r->begun++ % COMM_RING_TAGS);
        r->flying++;
        if (++j->begun == j->pieces) r->feeding++;
        post(r, slot);
    }
}

/* Both messages of the piece's step have completed: go to its next step. */
static void advance(struct comm_ring *r, int slot) {
    struct comm_piece *p = &r->piece[slot];
    if (comm_steps_next(&r->place, p)) {
        post(r, slot);
        return;
    }
    p->job->done++;
    p->job = NULL;
    r->flying--;
}

static bool complete(const struct comm_ring *r, int64_t number) {
    const struct comm_job *j = &r->jobs[number % JOBS];
    return number < r->oldest || j->done == j->pieces;
}

static void poll(struct comm_ring *r) {
    if (!r->flying) return;
    int count, done[2 * FLIGHT];
    comm_check(MPI_Testsome(2 * FLIGHT, r->request, &count, done, MPI_STATUSES_IGNORE), "MPI_Testsome");
    for (int i = 0; i < count; i++)
        if (--r->piece[done[i] / 2].pending == 0) advance(r, done[i] / 2);
    while (r->oldest < r->feeding && complete(r, r->oldest)) comm_meter_down(r->jobs[r->oldest++ % JOBS].meter);
    feed(r);
}

/* Polls all rings, since a peer may be waiting for a sum of another ring. One round only: a poll inside the compute
 * must be short. */
void comm_ring_progress(struct comm_ring *r) {
    struct comm_ring *each = r;
    do {
        poll(each);
        each = each->next_ring;
    } while (each != r);
}

void comm_ring_start(struct comm_ring *r, enum comm_ring_kind kind, const struct comm *c, void *buffer, int64_t count,
                     int unit, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (count == 0 || c->size == 1) return;
    if (r->next - r->oldest == JOBS) {
        const double began = base_clock_now();
        while (r->next - r->oldest == JOBS) comm_ring_progress(r);
        if (c->meter) c->meter->waited_s += base_clock_now() - began;
    }
    struct comm_job *j = &r->jobs[r->next % JOBS];
    *j = (struct comm_job){.kind = kind, .buffer = buffer, .count = count, .unit = unit, .meter = c->meter};
    j->tree = c->tree && kind != COMM_RING_ALL_GATHER;
    comm_steps_plan(j, c->size);
    comm_meter_up(c->meter);
    r->next++;
    *request = (struct comm_request){.handle = (void *)(uintptr_t)r->next, .active = true};
    feed(r);
}

void comm_ring_wait(struct comm_ring *r, struct comm_request *request) {
    if (!request->active) return;
    const int64_t number = (int64_t)(uintptr_t)request->handle - 1;
    for (unsigned round = 1; !complete(r, number); round++) {
        comm_ring_progress(r);
        /* Costs nothing on a dedicated core. If ranks share a core, the peer may need it. */
        if (round % COMM_YIELD == 0) sched_yield();
    }
    request->active = false;
}
