/* SPDX-License-Identifier: Apache-2.0
 *
 * Comms without MPI: a world of one rank, in which every sum is the value itself, and a comm without ranks. */
#include <string.h>

#include "comm/comm.h"

static void all_reduce_start(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                             struct comm_request *request) {
    (void)c, (void)buffer, (void)count, (void)dtype;
    *request = (struct comm_request){0};
}
static void all_gather_start(struct comm *c, void *buffer, int64_t count, int unit, struct comm_request *request) {
    (void)c, (void)buffer, (void)count, (void)unit;
    *request = (struct comm_request){0};
}
static void broadcast_start(struct comm *c, void *data, size_t bytes, int root, struct comm_request *request) {
    (void)c, (void)data, (void)bytes, (void)root;
    *request = (struct comm_request){0};
}
static void all_to_all_start(struct comm *c, const void *to, void *from, size_t bytes, struct comm_request *request) {
    if (bytes && c->size) memcpy(from, to, bytes);
    *request = (struct comm_request){0};
}
static void all_to_all_v_start(struct comm *c, const void *to, const int64_t *to_bytes, void *from,
                               const int64_t *from_bytes, struct comm_request *request) {
    (void)from_bytes;
    all_to_all_start(c, to, from, c->size ? (size_t)to_bytes[0] : 0, request);
}
/* There is no other rank. */
static void send_start(struct comm *c, const void *data, size_t bytes, int to, int tag, struct comm_request *request) {
    (void)c, (void)data, (void)bytes, (void)to, (void)tag;
    *request = (struct comm_request){0};
}
static void receive_start(struct comm *c, void *data, size_t bytes, int from, int tag, struct comm_request *request) {
    (void)c, (void)data, (void)bytes, (void)from, (void)tag;
    *request = (struct comm_request){0};
}
static void progress(struct comm *c) {
    (void)c;
}
static void wait(struct comm *c, struct comm_request *request) {
    (void)c, (void)request;
}
static void keep(struct comm *c, double *x, int n) {
    (void)c, (void)x, (void)n;
}
static void barrier(struct comm *c) {
    (void)c;
}
static void broadcast(struct comm *c, void *data, size_t bytes) {
    (void)c, (void)data, (void)bytes;
}
static void all_gather(struct comm *c, const void *mine, size_t bytes, void *all) {
    if (bytes && c->size && all != mine) memcpy(all, mine, bytes);
}

static int agree(struct comm *c, int code, struct base_error *e) {
    (void)c, (void)e;
    return code;
}
static int split(struct comm *c, int colour, int key, struct comm *group, struct base_error *e) {
    (void)key, (void)e;
    colour < 0 || c->size == 0 ? comm_empty(group) : comm_serial(group);
    return BASE_OK;
}
static void close_group(struct comm *c) {
    (void)c;
}

static const struct comm_ops ops = {.all_reduce_start = all_reduce_start,
                                    .reduce_scatter_start = all_reduce_start,
                                    .all_gather_start = all_gather_start,
                                    .broadcast_start = broadcast_start,
                                    .all_to_all_start = all_to_all_start,
                                    .all_to_all_v_start = all_to_all_v_start,
                                    .send_start = send_start,
                                    .receive_start = receive_start,
                                    .progress = progress,
                                    .wait = wait,
                                    .sum = keep,
                                    .max = keep,
                                    .barrier = barrier,
                                    .rest = barrier,
                                    .broadcast = broadcast,
                                    .all_gather = all_gather,
                                    .agree = agree,
                                    .split = split,
                                    .close = close_group};

void comm_serial(struct comm *world) {
    *world = (struct comm){.ops = &ops, .size = 1, .nodes = 1, .local_size = 1};
}

void comm_empty(struct comm *comm) {
    *comm = (struct comm){.ops = &ops, .rank = -1, .node = -1, .local_rank = -1};
}
