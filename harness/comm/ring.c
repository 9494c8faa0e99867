/* SPDX-License-Identifier: Apache-2.0
 *
 * All-reduce around a ring of ranks: reduce-scatter, then all-gather; and each of them alone. Buffers are cut into
 * small pieces, so that a received addend is still in cache when it is added. A few pieces are in flight. One rank adds
 * up each element in ring order, and the others get its copy. MPI_Iallreduce is not used: Open MPI 4.1 also advances it
 * only inside MPI calls; with two ranks it does all additions on one of them; and with the same polling the overlapped
 * compute takes two to three times as long. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "comm/internal.h"

enum {
    SEGMENT = 256 << 10, /* bytes of a message: several in flight fit in a core's L2 */
    FLIGHT = 8,          /* pieces in flight; with one, the link would idle until the peer polls */
    JOBS = 256           /* outstanding operations; starting one more waits for the oldest */
};

struct job {
    enum comm_ring_kind kind;
    char *buffer;
    int64_t count, unit; /* elements, and bytes of one */
    int64_t pieces, begun, done;
    struct comm_meter *meter;
};

/* A piece of a job: `size` segments. At each step every rank sends one segment and receives another. */
struct piece {
    struct job *job; /* NULL: this slot is free */
    int64_t number;  /* of the job's pieces */
    char *addend;    /* receive buffer of SEGMENT bytes */
    int step, tag;
    int pending; /* incomplete messages of this step: at most one send and one receive */
};

struct comm_ring {
    MPI_Comm comm;
    int position, size;
    const int *order;              /* [size]: ranks around the ring */
    struct job jobs[JOBS];         /* job n is in jobs[n % JOBS] */
    int64_t oldest, feeding, next; /* job numbers: first incomplete; first with pieces to begin; next to start */
    int64_t begun;                 /* pieces begun so far; a piece has the same number on every rank */
    int flying;
    struct piece piece[FLIGHT];
    MPI_Request request[2 * FLIGHT]; /* of piece i: 2i receives, 2i + 1 sends */
    char *addends;
    struct comm_ring *next_ring; /* circular list of all rings of one world */
};

struct comm_ring *comm_ring_open(struct comm_ring *sibling) {
    struct comm_ring *r = calloc(1, sizeof *r);
    char *addends = aligned_alloc(64, (size_t)SEGMENT * FLIGHT);
    if (!r || !addends) {
        free(r);
        free(addends);
        return NULL;
    }
    memset(addends, 0, (size_t)SEGMENT * FLIGHT); /* page faults happen here, not in the first step */
    *r = (struct comm_ring){.addends = addends, .next_ring = sibling ? sibling->next_ring : r};
    if (sibling) sibling->next_ring = r;
    for (int i = 0; i < FLIGHT; i++) r->piece[i].addend = addends + (size_t)i * SEGMENT;
    for (int i = 0; i < 2 * FLIGHT; i++) r->request[i] = MPI_REQUEST_NULL;
    return r;
}

void comm_ring_place(struct comm_ring *r, MPI_Comm comm, const int *order, int position, int size) {
    r->comm = comm;
    r->order = order;
    r->position = position;
    r->size = size;
}

/* The rank that is `steps` to the right; negative: to the left. */
static int neighbour(const struct comm_ring *r, int steps) {
    return r->order[(r->position + steps + r->size) % r->size];
}

void comm_ring_close(struct comm_ring *r) {
    struct comm_ring *before = r;
    while (before->next_ring != r) before = before->next_ring;
    before->next_ring = r->next_ring;
    free(r->addends);
    free(r);
}

/* Part `number` of `parts` of the elements [*low, *high). */
static void narrow(int64_t *low, int64_t *high, int64_t number, int64_t parts) {
    const int64_t first = *low, count = *high - first;
    *low = first + count * number / parts;
    *high = first + count * (number + 1) / parts;
}

/* Segment `i` of a piece, modulo the ring's size: returns its start and sets *bytes to its length. The piece of an
 * all-reduce is contiguous. Otherwise it has a part of each rank's block: segment n of the rank that completes it. */
static char *segment(const struct comm_ring *r, const struct piece *p, int i, int *bytes) {
    const struct job *j = p->job;
    const int n = (i % r->size + r->size) % r->size;
    int64_t low = 0, high = j->count;
    if (j->kind == COMM_RING_ALL_REDUCE) {
        narrow(&low, &high, p->number, j->pieces);
        narrow(&low, &high, n, r->size);
    } else {
        const int owner = r->order[(n + r->size - 1) % r->size];
        low = comm_block(j->count, r->size, owner);
        high = comm_block(j->count, r->size, owner + 1);
        narrow(&low, &high, p->number, j->pieces);
    }
    *bytes = (int)((high - low) * j->unit);
    return j->buffer + low * j->unit;
}

/* Whether this step adds what arrives, as the first size - 1 steps do. A rank then holds one complete segment, and the
 * remaining steps pass copies on. Both phases move the same segments: step s sends number position - s and receives the
 * one before it. */
static bool adding(const struct comm_ring *r, const struct piece *p) {
    return p->step < r->size - 1;
}

static void post(struct comm_ring *r, int slot) {
    struct piece *p = &r->piece[slot];
    MPI_Request *request = &r->request[2 * slot];
    int out, in;
    const char *from = segment(r, p, r->position - p->step, &out);
    char *to = segment(r, p, r->position - p->step - 1, &in);
    if (adding(r, p)) to = p->addend;
    comm_check(MPI_Irecv(to, in, MPI_BYTE, neighbour(r, -1), p->tag, r->comm, request), "MPI_Irecv");
    comm_check(MPI_Isend(from, out, MPI_BYTE, neighbour(r, 1), p->tag, r->comm, request + 1), "MPI_Isend");
    p->pending = 2;
}

/* Begins pieces in order while slots are free. */
static void feed(struct comm_ring *r) {
    for (int slot = 0; slot < FLIGHT && r->feeding < r->next; slot++) {
        struct piece *p = &r->piece[slot];
        struct job *j = &r->jobs[r->feeding % JOBS];
        if (p->job) continue;
        p->job = j;
        p->number = j->begun;
        p->step = j->kind == COMM_RING_ALL_GATHER ? r->size - 1 : 0;
        p->tag = (int)(r->begun++ % COMM_RING_TAGS);
        r->flying++;
        if (++j->begun == j->pieces) r->feeding++;
        post(r, slot);
    }
}

static void add(float *restrict sum, const float *restrict addend, int count) {
    for (int i = 0; i < count; i++) sum[i] += addend[i];
}
/* The BF16 in the upper halves of two words. FP32 has over twice the bits of BF16, so that rounding its sum rounds the
 * exact one. A NaN has zeros below these halves, and stays. */
static uint32_t upper_sum(uint32_t a, uint32_t b) {
    float x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&a, &x, sizeof a);
    return (a + 0x7fff + (a >> 16 & 1)) & 0xffff0000u;
}
/* In pairs: each is one word, which takes half the instructions. */
static void add_bf16(kernel_bf16 *restrict sum, const kernel_bf16 *restrict addend, int count) {
    for (int i = 0; i < count / 2; i++) {
        uint32_t a, b;
        memcpy(&a, sum + 2L * i, sizeof a);
        memcpy(&b, addend + 2L * i, sizeof b);
        a = upper_sum(a & 0xffff0000u, b & 0xffff0000u) | upper_sum(a << 16, b << 16) >> 16;
        memcpy(sum + 2L * i, &a, sizeof a);
    }
    if (count % 2) {
        const uint32_t a = sum[count - 1], b = addend[count - 1];
        sum[count - 1] = (kernel_bf16)(upper_sum(a << 16, b << 16) >> 16);
    }
}

/* Both messages of the piece's step have completed: go to its next step. */
static void advance(struct comm_ring *r, int slot) {
    struct piece *p = &r->piece[slot];
    if (adding(r, p)) {
        int bytes;
        void *sum = segment(r, p, r->position - p->step - 1, &bytes), *addend = p->addend;
        p->job->unit == sizeof(float) ? add(sum, addend, bytes / 4) : add_bf16(sum, addend, bytes / 2);
    }
    if (++p->step < (p->job->kind == COMM_RING_REDUCE_SCATTER ? 1 : 2) * (r->size - 1)) {
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

void comm_ring_start(struct comm_ring *r, enum comm_ring_kind kind, void *buffer, int64_t count, int unit,
                     struct comm_meter *meter, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (count == 0 || r->size == 1) return;
    if (r->next - r->oldest == JOBS) {
        const double began = base_clock_now();
        while (r->next - r->oldest == JOBS) comm_ring_progress(r);
        if (meter) meter->waited_s += base_clock_now() - began;
    }
    const int64_t segment = unit < SEGMENT ? SEGMENT / unit : 1, whole = segment * r->size;
    r->jobs[r->next % JOBS] = (struct job){.kind = kind,
                                           .buffer = buffer,
                                           .count = count,
                                           .unit = unit,
                                           .pieces = (count + whole - 1) / whole,
                                           .meter = meter};
    comm_meter_up(meter);
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
