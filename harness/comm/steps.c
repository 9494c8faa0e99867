/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring: at each step a rank sends one segment to the right and receives another from the left. */
#include <string.h>

#include "comm/steps.h"

void comm_steps_plan(struct comm_job *j, int size) {
    const int64_t most = j->unit < COMM_SEGMENT ? COMM_SEGMENT / j->unit : 1;
    const int64_t whole = most * size;
    j->pieces = (j->count + whole - 1) / whole;
    j->steps = size - 1;
}

int comm_steps_first(const struct comm_job *j) {
    return j->kind == COMM_RING_ALL_GATHER ? j->steps : 0;
}
int comm_steps_end(const struct comm_job *j) {
    return j->kind == COMM_RING_REDUCE_SCATTER ? j->steps : 2 * j->steps;
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
/* The piece's part of the block of rank `owner`. */
static void block(const struct comm_piece *p, int size, int owner, int64_t *low, int64_t *high) {
    *low = comm_block(p->job->count, size, owner);
    *high = comm_block(p->job->count, size, owner + 1);
    narrow(low, high, p->number, p->job->pieces);
}
/* The start of elements [low, high), and *bytes: their length. */
static char *range(const struct comm_job *j, int64_t low, int64_t high, int *bytes) {
    *bytes = (int)((high - low) * j->unit);
    return j->buffer + low * j->unit;
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
    if (p->job->kind == COMM_RING_ALL_REDUCE) {
        narrow(&low, &high, p->number, p->job->pieces);
        narrow(&low, &high, n, at->size);
    } else {
        block(p, at->size, at->order[(n + at->size - 1) % at->size], &low, &high);
    }
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
static void ring_finish(const struct comm_place *at, const struct comm_piece *p) {
    int bytes;
    char *sum = segment(at, p, at->position - p->step - 1, &bytes);
    add(sum, p->scratch, bytes, p->job->unit);
}

struct comm_step comm_steps_begin(const struct comm_place *at, const struct comm_piece *p) {
    return ring_begin(at, p);
}
void comm_steps_finish(const struct comm_place *at, const struct comm_piece *p) {
    if (adding(p)) ring_finish(at, p);
}
