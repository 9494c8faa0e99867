/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring: at each step a rank sends one segment to the right and receives another from the left.
 *
 * The tree: at step s a rank exchanges with the one whose number differs in bit s. So pairs are added, then pairs of
 * pairs, and the bits do not depend on where messages are cut. In an all-reduce each sends half of what it holds, adds
 * the other half, and later gets sums back the same way. In a reduce-scatter each sends the blocks that are for the
 * other's half of the ranks. As many bytes are sent as around a ring, in fewer steps. On ranks placed node by node the
 * first and most bytes stay within a node. */
#include <assert.h>
#include <string.h>

#include "comm/steps.h"

void comm_steps_plan(struct comm_job *j, int size) {
    const int64_t most = j->unit < COMM_SEGMENT ? COMM_SEGMENT / j->unit : 1;
    const int64_t whole = most * (j->tree ? 2 : size);
    j->pieces = (j->count + whole - 1) / whole;
    j->steps = size - 1;
    if (!j->tree) return;
    assert((size & (size - 1)) == 0);
    for (j->steps = 0; 1 << j->steps < size;) j->steps++;
    if (j->kind != COMM_RING_REDUCE_SCATTER) return;
    const int64_t longest = (j->count + size - 1) / size;
    j->pieces = size / 2 * ((longest + most - 1) / most);
}

int comm_steps_first(const struct comm_job *j) {
    return j->kind == COMM_RING_ALL_GATHER ? j->steps : 0;
}
static bool adding(const struct comm_piece *p) {
    return p->step < p->job->steps;
}

static void add_f32(float *restrict sum, const float *restrict addend, int count) {
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
static void add(void *sum, const void *addend, int bytes, int64_t unit) {
    unit == sizeof(float) ? add_f32(sum, addend, bytes / 4) : add_bf16(sum, addend, bytes / 2);
}

/* Part `number` of `parts` of the elements [*low, *high). */
static void narrow(int64_t *low, int64_t *high, int64_t number, int64_t parts) {
    const int64_t first = *low, count = *high - first;
    *low = first + count * number / parts;
    *high = first + count * (number + 1) / parts;
}
/* The start of elements [low, high), and *bytes: their length. */
static char *range(const struct comm_job *j, int64_t low, int64_t high, int *bytes) {
    *bytes = (int)((high - low) * j->unit);
    return j->buffer + low * j->unit;
}
/* Part `number` of `parts` of the block of rank `owner`: its start, and *bytes: its length. */
static char *block_part(const struct comm_job *j, int size, int owner, int64_t number, int64_t parts, int *bytes) {
    int64_t low = comm_block(j->count, size, owner), high = comm_block(j->count, size, owner + 1);
    narrow(&low, &high, number, parts);
    return range(j, low, high, bytes);
}

/* The rank that is `steps` to the right; negative: to the left. */
static int neighbour(const struct comm_place *at, int steps) {
    return at->order[(at->position + steps + at->size) % at->size];
}

/* Segment `i` of a piece, modulo the ring's size: returns its start and sets *bytes to its length. The piece of an
 * all-reduce is contiguous. Otherwise it has a part of each rank's block: segment n of the rank that completes it. */
static char *segment(const struct comm_place *at, const struct comm_piece *p, int i, int *bytes) {
    const int n = (i % at->size + at->size) % at->size;
    int64_t low = 0, high = p->job->count;
    if (p->job->kind != COMM_RING_ALL_REDUCE) {
        const int owner = at->order[(n + at->size - 1) % at->size];
        return block_part(p->job, at->size, owner, p->number, p->job->pieces, bytes);
    }
    narrow(&low, &high, p->number, p->job->pieces);
    narrow(&low, &high, n, at->size);
    return range(p->job, low, high, bytes);
}

/* The first size - 1 steps add. A rank then holds one complete segment, and the remaining steps pass copies on. Both
 * phases move the same segments: step s sends number position - s and receives the one before it. */
static struct comm_step ring_begin(const struct comm_place *at, const struct comm_piece *p) {
    struct comm_step s = {.to = neighbour(at, 1), .from = neighbour(at, -1)};
    s.out = segment(at, p, at->position - p->step, &s.out_bytes);
    s.in = segment(at, p, at->position - p->step - 1, &s.in_bytes);
    if (adding(p)) s.in = p->scratch;
    return s;
}
static void ring_add(const struct comm_place *at, const struct comm_piece *p) {
    int bytes;
    char *sum = segment(at, p, at->position - p->step - 1, &bytes);
    add(sum, p->scratch, bytes, p->job->unit);
}

/* The bit of rank numbers in which the piece's step pairs them: from the lowest up, and back. */
static int bit(const struct comm_piece *p) {
    return adding(p) ? p->step : 2 * p->job->steps - 1 - p->step;
}

/* What of an all-reduce's piece rank `rank` holds after it has added at this step: half of that before. The bits of its
 * number say which halves, from the lowest bit on. */
static char *half(const struct comm_piece *p, int rank, int *bytes) {
    int64_t low = 0, high = p->job->count;
    int number = 0;
    for (int i = 0; i <= bit(p); i++) number = 2 * number + (rank >> i & 1);
    narrow(&low, &high, p->number, p->job->pieces);
    narrow(&low, &high, number, 2 << bit(p));
    return range(p->job, low, high, bytes);
}
static struct comm_step halve(const struct comm_place *at, const struct comm_piece *p) {
    const int peer = at->rank ^ 1 << bit(p);
    struct comm_step s = {.to = peer, .from = peer};
    s.out = half(p, adding(p) ? peer : at->rank, &s.out_bytes);
    s.in = half(p, adding(p) ? at->rank : peer, &s.in_bytes);
    if (adding(p)) s.in = p->scratch;
    return s;
}

/* A reduce-scatter's piece has a part of two blocks, 2n and 2n + 1; pieces go through all n, then to the next part. The
 * first step leaves each rank with one of them, that of its lowest bit. Then every second rank that still has it hands
 * it on, until it is with its owner. */
static int owner_of(const struct comm_place *at, const struct comm_piece *p) {
    return 2 * (int)(p->number % (at->size / 2)) + (at->rank & 1);
}
static char *part(const struct comm_place *at, const struct comm_piece *p, int owner, int *bytes) {
    const int pairs = at->size / 2;
    return block_part(p->job, at->size, owner, p->number / pairs, p->job->pieces / pairs, bytes);
}
static bool hands_on(const struct comm_place *at, const struct comm_piece *p) {
    return p->step && (at->rank ^ owner_of(at, p)) >> p->step & 1;
}
static struct comm_step scatter(const struct comm_place *at, const struct comm_piece *p) {
    const int peer = at->rank ^ 1 << p->step, owner = owner_of(at, p);
    struct comm_step s = {.to = MPI_PROC_NULL, .from = MPI_PROC_NULL};
    if (p->step == 0 || hands_on(at, p)) {
        s.to = peer;
        s.out = part(at, p, p->step ? owner : owner ^ 1, &s.out_bytes);
    }
    if (!hands_on(at, p)) {
        s.from = peer;
        s.in = p->scratch;
        part(at, p, owner, &s.in_bytes);
    }
    return s;
}

static void tree_add(const struct comm_place *at, const struct comm_piece *p) {
    const bool scatters = p->job->kind == COMM_RING_REDUCE_SCATTER;
    int bytes;
    char *sum = scatters ? part(at, p, owner_of(at, p), &bytes) : half(p, at->rank, &bytes);
    add(sum, p->scratch, bytes, p->job->unit);
}

struct comm_step comm_steps_begin(const struct comm_place *at, const struct comm_piece *p) {
    if (!p->job->tree) return ring_begin(at, p);
    return p->job->kind == COMM_RING_REDUCE_SCATTER ? scatter(at, p) : halve(at, p);
}

bool comm_steps_next(const struct comm_place *at, struct comm_piece *p) {
    const bool scatters = p->job->kind == COMM_RING_REDUCE_SCATTER;
    if (p->job->tree && scatters && hands_on(at, p)) return false;
    if (adding(p)) p->job->tree ? tree_add(at, p) : ring_add(at, p);
    return ++p->step < (scatters ? 1 : 2) * p->job->steps;
}
