/* SPDX-License-Identifier: Apache-2.0
 *
 * A comm that counts calls and bytes, and forwards them or not, by its mode. */
#include "comm/count.h"

#include <stdlib.h>
#include <string.h>

/* The state of a group: the counter, and the comm that it wraps. */
struct counted {
    struct comm_counter counter;
    struct comm inner;
};

/* Counts one call; returns whether to forward it. */
static bool passes(struct comm *c, enum comm_op op, size_t bytes) {
    struct comm_counter *k = c->state;
    k->op[op].calls++;
    k->op[op].bytes += (int64_t)bytes;
    return k->mode == COMM_FORWARD || (k->mode == COMM_NULL_SUMS && op > COMM_WAIT);
}
static struct comm *inner(struct comm *c) {
    return ((struct comm_counter *)c->state)->inner;
}

/* The comm whose sums follow the order of `c`. */
static struct comm *ordered(struct comm *c) {
    inner(c)->tree = c->tree;
    return inner(c);
}

static void all_reduce_start(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                             struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_ALL_REDUCE_START, (size_t)count * kernel_dtype_bytes(dtype)))
        inner(c)->ops->all_reduce_start(ordered(c), buffer, count, dtype, request);
}
static void reduce_scatter_start(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                                 struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_REDUCE_SCATTER_START, (size_t)count * kernel_dtype_bytes(dtype)))
        inner(c)->ops->reduce_scatter_start(ordered(c), buffer, count, dtype, request);
}
static void all_gather_start(struct comm *c, void *buffer, int64_t count, int unit, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_ALL_GATHER_START, (size_t)count * (size_t)unit))
        inner(c)->ops->all_gather_start(inner(c), buffer, count, unit, request);
}
static void broadcast_start(struct comm *c, void *data, size_t bytes, int root, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_BROADCAST_START, bytes)) inner(c)->ops->broadcast_start(inner(c), data, bytes, root, request);
}
static void all_to_all_start(struct comm *c, const void *to, void *from, size_t bytes, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_ALL_TO_ALL_START, bytes * (size_t)c->size))
        inner(c)->ops->all_to_all_start(inner(c), to, from, bytes, request);
    else if (bytes)
        memcpy(from, to, bytes * (size_t)c->size);
}
static void all_to_all_v_start(struct comm *c, const void *to, const int64_t *to_bytes, void *from,
                               const int64_t *from_bytes, struct comm_request *request) {
    int64_t out = 0, in = 0;
    for (int r = 0; r < c->size; r++) out += to_bytes[r], in += from_bytes[r];
    *request = (struct comm_request){0};
    if (passes(c, COMM_ALL_TO_ALL_V_START, (size_t)out))
        inner(c)->ops->all_to_all_v_start(inner(c), to, to_bytes, from, from_bytes, request);
    else if (out && in)
        memcpy(from, to, (size_t)(out < in ? out : in));
}
static void send_start(struct comm *c, const void *data, size_t bytes, int to, int tag, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_SEND_START, bytes)) inner(c)->ops->send_start(inner(c), data, bytes, to, tag, request);
}
static void receive_start(struct comm *c, void *data, size_t bytes, int from, int tag, struct comm_request *request) {
    *request = (struct comm_request){0};
    if (passes(c, COMM_RECEIVE_START, bytes)) inner(c)->ops->receive_start(inner(c), data, bytes, from, tag, request);
}
static void progress(struct comm *c) {
    if (passes(c, COMM_PROGRESS, 0)) inner(c)->ops->progress(inner(c));
}
static void wait(struct comm *c, struct comm_request *request) {
    if (passes(c, COMM_WAIT, 0)) inner(c)->ops->wait(inner(c), request);
}
static void sum(struct comm *c, double *x, int n) {
    if (passes(c, COMM_SUM, (size_t)n * sizeof *x)) inner(c)->ops->sum(inner(c), x, n);
}
static void max(struct comm *c, double *x, int n) {
    if (passes(c, COMM_MAX, (size_t)n * sizeof *x)) inner(c)->ops->max(inner(c), x, n);
}
static void barrier(struct comm *c) {
    if (passes(c, COMM_BARRIER, 0)) inner(c)->ops->barrier(inner(c));
}
static void rest(struct comm *c) {
    if (passes(c, COMM_REST, 0)) inner(c)->ops->rest(inner(c));
}
static void broadcast(struct comm *c, void *data, size_t bytes) {
    if (passes(c, COMM_BROADCAST, bytes)) inner(c)->ops->broadcast(inner(c), data, bytes);
}
static void all_gather(struct comm *c, const void *mine, size_t bytes, void *all) {
    if (passes(c, COMM_ALL_GATHER, bytes)) {
        inner(c)->ops->all_gather(inner(c), mine, bytes, all);
        return;
    }
    for (int r = 0; bytes && r < c->size; r++) memmove((char *)all + (size_t)r * bytes, mine, bytes);
}

static bool only_counts(const struct comm *c) {
    return ((struct comm_counter *)c->state)->mode == COMM_ONLY_COUNT;
}
static int agree(struct comm *c, int code, struct base_error *e) {
    return only_counts(c) ? code : comm_agree(inner(c), code, e);
}

static int split(struct comm *c, int colour, int key, struct comm *group, struct base_error *e) {
    const bool only = only_counts(c);
    struct counted *g = calloc(1, sizeof *g);
    int code = agree(c, g ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a group's message counter"), e);
    if (!code && only) comm_serial(&g->inner); /* never called */
    if (!code && !only) code = comm_split(inner(c), colour, key, &g->inner, e);
    if (code || colour < 0) {
        free(g);
        if (!code) comm_empty(group);
        return code;
    }
    comm_count_wrap(group, &g->counter, &g->inner, ((struct comm_counter *)c->state)->mode);
    g->counter.of_group = true;
    if (only) {
        *group = *c;
        group->state = &g->counter;
    }
    return BASE_OK;
}

static void close_group(struct comm *c) {
    struct comm_counter *k = c->state;
    if (!k->of_group) return;
    comm_close(k->inner);
    free(k); /* it is the first member of its struct counted */
}

static const struct comm_ops ops = {.all_reduce_start = all_reduce_start,
                                    .reduce_scatter_start = reduce_scatter_start,
                                    .all_gather_start = all_gather_start,
                                    .broadcast_start = broadcast_start,
                                    .all_to_all_start = all_to_all_start,
                                    .all_to_all_v_start = all_to_all_v_start,
                                    .send_start = send_start,
                                    .receive_start = receive_start,
                                    .progress = progress,
                                    .wait = wait,
                                    .sum = sum,
                                    .max = max,
                                    .barrier = barrier,
                                    .rest = rest,
                                    .broadcast = broadcast,
                                    .all_gather = all_gather,
                                    .agree = agree,
                                    .split = split,
                                    .close = close_group};

void comm_count_wrap(struct comm *world, struct comm_counter *counter, struct comm *from, enum comm_count_mode mode) {
    *counter = (struct comm_counter){.inner = from, .mode = mode};
    *world = *from;
    world->ops = &ops;
    world->state = counter;
}

struct comm_counter *comm_counter_of(const struct comm *comm) {
    return comm->ops->close == ops.close ? comm->state : NULL; /* also if its other functions are wrapped */
}
