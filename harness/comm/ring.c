/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums around a ring of ranks: reduce-scatter, then all-gather, in pieces whose received addend is still in cache,
 * a few in flight. Open MPI 4.1 moves its own non-blocking sum only inside calls too, and with two ranks adds all on
 * one of them: polled alike, it takes the compute two to three times as long. One rank adds up each element, in
 * ring order, and the others get its copy. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "comm/internal.h"

enum {
    SEGMENT = 64 << 10, /* elements of a message, 256 KiB: several in flight stay within a core's L2 */
    FLIGHT = 8,         /* pieces in flight: the next hop waits for a poll on the peer, so one would idle the link */
    JOBS = 256,         /* sums started and not complete; one more waits for the oldest */
    YIELD = 32,         /* polls of a wait between offers of the core */
    TAGS = 1 << 14      /* tags in use; every MPI has at least twice as many */
};

struct job {
    float *buffer;
    int64_t count, pieces, begun, done;
};

/* A piece of a job: `size` segments, of which every rank sends one and receives another at each step. */
struct piece {
    struct job *job; /* NULL: no piece in flight here */
    float *first;    /* of the piece, within the job's buffer */
    float *addend;   /* received segment, SEGMENT elements */
    int64_t count;
    int step, tag;
    int pending; /* messages of this step not complete: one each way */
};

struct comm_ring {
    MPI_Comm comm;
    int position, size, left, right;
    struct job jobs[JOBS];         /* job number n lives in jobs[n % JOBS] */
    int64_t oldest, feeding, next; /* numbers: first not complete; first with pieces left to begin; next to start */
    int64_t begun;                 /* pieces, ever: the same piece has the same number on every rank */
    int flying;
    struct piece piece[FLIGHT];
    MPI_Request request[2 * FLIGHT]; /* of piece i: 2i receives, 2i + 1 sends */
    float *addends;
    struct comm_ring *next_ring; /* all rings of one world, in a circle */
};

struct comm_ring *comm_ring_open(struct comm_ring *beside) {
    struct comm_ring *r = calloc(1, sizeof *r);
    float *addends = aligned_alloc(64, sizeof(float) * SEGMENT * FLIGHT);
    if (!r || !addends) {
        free(r);
        free(addends);
        return NULL;
    }
    memset(addends, 0, sizeof(float) * SEGMENT * FLIGHT); /* page faults belong here and not into the first step */
    *r = (struct comm_ring){.addends = addends, .next_ring = beside ? beside->next_ring : r};
    if (beside) beside->next_ring = r;
    for (int i = 0; i < FLIGHT; i++) r->piece[i].addend = addends + (size_t)i * SEGMENT;
    for (int i = 0; i < 2 * FLIGHT; i++) r->request[i] = MPI_REQUEST_NULL;
    return r;
}

void comm_ring_place(struct comm_ring *r, MPI_Comm comm, int position, int size, int left, int right) {
    r->comm = comm;
    r->position = position;
    r->size = size;
    r->left = left;
    r->right = right;
}

void comm_ring_close(struct comm_ring *r) {
    struct comm_ring *before = r;
    while (before->next_ring != r) before = before->next_ring;
    before->next_ring = r->next_ring;
    free(r->addends);
    free(r);
}

/* Segment `i` (any integer, counted around the ring) of a piece: where it begins; its length through *count. */
static float *segment(const struct comm_ring *r, const struct piece *p, int i, int *count) {
    const int64_t n = (i % r->size + r->size) % r->size;
    const int64_t low = p->count * n / r->size, high = p->count * (n + 1) / r->size;
    *count = (int)(high - low);
    return p->first + low;
}

/* In the first size - 1 steps what arrives is added; a rank then holds one whole segment, and in the rest it is
 * passed on. Both phases move the same segments: step s sends number position - s and receives the one before. */
static bool adding(const struct comm_ring *r, const struct piece *p) {
    return p->step < r->size - 1;
}

static void post(struct comm_ring *r, int slot) {
    struct piece *p = &r->piece[slot];
    MPI_Request *request = &r->request[2 * slot];
    int out, in;
    const float *from = segment(r, p, r->position - p->step, &out);
    float *to = segment(r, p, r->position - p->step - 1, &in);
    comm_check(MPI_Irecv(adding(r, p) ? p->addend : to, in, MPI_FLOAT, r->left, p->tag, r->comm, request), "MPI_Irecv");
    comm_check(MPI_Isend(from, out, MPI_FLOAT, r->right, p->tag, r->comm, request + 1), "MPI_Isend");
    p->pending = 2;
}

/* Begins pieces in their order while there is room. */
static void feed(struct comm_ring *r) {
    for (int slot = 0; slot < FLIGHT && r->feeding < r->next; slot++) {
        struct piece *p = &r->piece[slot];
        struct job *j = &r->jobs[r->feeding % JOBS];
        if (p->job) continue;
        const int64_t low = j->count * j->begun / j->pieces, high = j->count * (j->begun + 1) / j->pieces;
        p->job = j;
        p->first = j->buffer + low;
        p->count = high - low;
        p->step = 0;
        p->tag = (int)(r->begun++ % TAGS);
        r->flying++;
        if (++j->begun == j->pieces) r->feeding++;
        post(r, slot);
    }
}

static void add(float *restrict sum, const float *restrict addend, int count) {
    for (int i = 0; i < count; i++) sum[i] += addend[i];
}

/* Both messages of a piece's step are there: on to the next step. */
static void advance(struct comm_ring *r, int slot) {
    struct piece *p = &r->piece[slot];
    if (adding(r, p)) {
        int count;
        float *sum = segment(r, p, r->position - p->step - 1, &count);
        add(sum, p->addend, count);
    }
    if (++p->step < 2 * (r->size - 1)) {
        post(r, slot);
        return;
    }
    p->job->done++;
    p->job = NULL;
    r->flying--;
}

static bool complete(const struct comm_ring *r, int64_t number) {
    const struct job *j = &r->jobs[number % JOBS];
    return number < r->oldest || j->done == j->pieces;
}

static void poll(struct comm_ring *r) {
    if (!r->flying) return;
    int count, done[2 * FLIGHT];
    comm_check(MPI_Testsome(2 * FLIGHT, r->request, &count, done, MPI_STATUSES_IGNORE), "MPI_Testsome");
    for (int i = 0; i < count; i++)
        if (--r->piece[done[i] / 2].pending == 0) advance(r, done[i] / 2);
    while (r->oldest < r->feeding && complete(r, r->oldest)) r->oldest++;
    feed(r);
}

/* All rings, as a peer may wait for another one's sum first. One round and no more: a poll from inside the compute
 * must stay short. */
void comm_ring_progress(struct comm_ring *r) {
    struct comm_ring *each = r;
    do {
        poll(each);
        each = each->next_ring;
    } while (each != r);
}

void comm_ring_start(struct comm_ring *r, float *buffer, int64_t count, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (count == 0 || r->size == 1) return;
    while (r->next - r->oldest == JOBS) comm_ring_progress(r);
    const int64_t whole = (int64_t)SEGMENT * r->size;
    r->jobs[r->next % JOBS] = (struct job){.buffer = buffer, .count = count, .pieces = (count + whole - 1) / whole};
    r->next++;
    *request = (struct comm_request){.handle = (void *)(uintptr_t)r->next, .active = true};
    feed(r);
}

void comm_ring_wait(struct comm_ring *r, struct comm_request *request) {
    if (!request->active) return;
    const int64_t number = (int64_t)(uintptr_t)request->handle - 1;
    for (unsigned round = 1; !complete(r, number); round++) {
        comm_ring_progress(r);
        /* Free where the core is ours; where ranks share cores, the peer may be waiting for this one. */
        if (round % YIELD == 0) sched_yield();
    }
    request->active = false;
}
