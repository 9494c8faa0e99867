/* SPDX-License-Identifier: Apache-2.0
 *
 * The MPI backend: topology of the world and its groups, small blocking operations, and the end of a job. Results must
 * have the same bits on all ranks, which MPI promises only for what a single rank computed. So sums and maxima are
 * reduced to rank 0 and broadcast. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/internal.h"

/* The state of a comm. */
struct group {
    MPI_Comm comm; /* a private communicator, so that messages cannot be mixed up with another library's */
    struct comm_ring *ring;
    struct comm_exchanges exchanges;
    struct comm_messages own, *messages; /* the world's own, which all its groups share */
    bool world;
    int place[]; /* each rank's lowest rank on its node, then the ranks node by node */
};

static struct group *of(const struct comm *c) {
    return c->state;
}
static MPI_Comm mpi(const struct comm *c) {
    return of(c)->comm;
}

static bool running(void) {
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    return started && !ended;
}

static void abort_job(int code) __attribute__((noreturn));
static void abort_job(int code) {
    fflush(NULL);
    if (running()) MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

void comm_abort(struct comm *world, int code) {
    (void)world;
    abort_job(code);
}

void comm_check(int result, const char *call) {
    if (result == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "", host[256] = "?";
    int length, rank = -1;
    MPI_Error_string(result, text, &length);
    gethostname(host, sizeof host - 1);
    if (running()) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    fprintf(stderr, "toise: %s failed on rank %d, host %s: %s\n", call, rank, host, text);
    abort_job(BASE_BROKEN);
}

static void all_reduce_start(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                             struct comm_request *request) {
    comm_ring_start(of(c)->ring, COMM_RING_ALL_REDUCE, c, buffer, count, (int)kernel_dtype_bytes(dtype), request);
}
static void reduce_scatter_start(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                                 struct comm_request *request) {
    comm_ring_start(of(c)->ring, COMM_RING_REDUCE_SCATTER, c, buffer, count, (int)kernel_dtype_bytes(dtype), request);
}
static void all_gather_start(struct comm *c, void *buffer, int64_t count, int unit, struct comm_request *request) {
    comm_ring_start(of(c)->ring, COMM_RING_ALL_GATHER, c, buffer, count, unit, request);
}
/* A message was started, and may be complete. */
static void begun(const struct comm *c, struct comm_request *request) {
    if (!request->active) return;
    request->meter = c->meter;
    comm_meter_up(c->meter);
}
static void broadcast_start(struct comm *c, void *data, size_t bytes, int root, struct comm_request *request) {
    comm_message_broadcast(of(c)->messages, mpi(c), data, bytes, root, request);
    begun(c, request);
}
static void all_to_all_start(struct comm *c, const void *to, void *from, size_t bytes, struct comm_request *request) {
    comm_message_all_to_all(of(c)->messages, mpi(c), to, from, bytes, request);
    begun(c, request);
}
static void all_to_all_v_start(struct comm *c, const void *to, const int64_t *to_bytes, void *from,
                               const int64_t *from_bytes, struct comm_request *request) {
    comm_message_exchange(of(c)->messages, &of(c)->exchanges, to, to_bytes, from, from_bytes, request);
    begun(c, request);
}
static void send_start(struct comm *c, const void *data, size_t bytes, int to, int tag, struct comm_request *request) {
    comm_message_send(of(c)->messages, mpi(c), data, bytes, to, tag, request);
    begun(c, request);
}
static void receive_start(struct comm *c, void *data, size_t bytes, int from, int tag, struct comm_request *request) {
    comm_message_receive(of(c)->messages, mpi(c), data, bytes, from, tag, request);
    begun(c, request);
}
static void progress(struct comm *c) {
    comm_ring_progress(of(c)->ring);
    comm_message_progress(of(c)->messages);
}
static void wait(struct comm *c, struct comm_request *request) {
    const double began = c->meter && request->active ? base_clock_now() : 0;
    if (request->message)
        comm_message_wait(of(c)->messages, of(c)->ring, request);
    else
        comm_ring_wait(of(c)->ring, request);
    if (began > 0) c->meter->waited_s += base_clock_now() - began;
}

static void reduce(struct comm *c, double *x, int n, MPI_Op op) {
    const void *from = c->rank == 0 ? MPI_IN_PLACE : x;
    const double began = c->meter ? base_clock_now() : 0;
    comm_meter_up(c->meter);
    comm_check(MPI_Reduce(from, x, n, MPI_DOUBLE, op, 0, mpi(c)), "MPI_Reduce");
    comm_check(MPI_Bcast(x, n, MPI_DOUBLE, 0, mpi(c)), "MPI_Bcast");
    comm_meter_down(c->meter);
    if (c->meter) c->meter->waited_s += base_clock_now() - began;
}
static void sum(struct comm *c, double *x, int n) {
    reduce(c, x, n, MPI_SUM);
}
static void max(struct comm *c, double *x, int n) {
    reduce(c, x, n, MPI_MAX);
}

static void barrier(struct comm *c) {
    comm_check(MPI_Barrier(mpi(c)), "MPI_Barrier");
}

/* Polls ever more rarely, and sleeps in between: MPI_Barrier would keep a core busy. */
static void rest(struct comm *c) {
    enum { FIRST_NS = 100000, LAST_NS = 10000000 };
    MPI_Request request;
    int done = 0;
    comm_check(MPI_Ibarrier(mpi(c), &request), "MPI_Ibarrier");
    for (long ns = FIRST_NS;; ns = 2 * ns < LAST_NS ? 2 * ns : LAST_NS) {
        comm_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        if (done) return;
        nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
    }
}

static void broadcast(struct comm *c, void *data, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 1 << 30) {
        const size_t left = bytes - at;
        const int n = left < 1 << 30 ? (int)left : 1 << 30;
        comm_check(MPI_Bcast((char *)data + at, n, MPI_BYTE, 0, mpi(c)), "MPI_Bcast");
    }
}

static void all_gather(struct comm *c, const void *mine, size_t bytes, void *all) {
    const int n = bytes <= INT_MAX ? (int)bytes : -1; /* MPI then fails and comm_check names the call */
    comm_check(MPI_Allgather(mine, n, MPI_BYTE, all, n, MPI_BYTE, mpi(c)), "MPI_Allgather");
}

/* Returns the worst code; *e gets the message of the lowest rank that has it. */
static int agree_over(MPI_Comm comm, int rank, int code, struct base_error *e) {
    struct base_error words = {0};
    struct {
        int code, rank;
    } mine = {code, rank}, worst; /* MPI_MAXLOC takes the lowest rank among equals */
    comm_check(MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm), "MPI_Allreduce");
    if (!worst.code) return BASE_OK;
    if (e) words = *e;
    comm_check(MPI_Bcast(words.text, sizeof words.text, MPI_CHAR, worst.rank, comm), "MPI_Bcast");
    if (e) {
        memcpy(e->text, words.text, sizeof e->text);
        e->code = worst.code;
    }
    return worst.code;
}
static int agree(struct comm *c, int code, struct base_error *e) {
    return c->size == 1 ? code : agree_over(mpi(c), c->rank, code, e);
}

static int split(struct comm *c, int colour, int key, struct comm *group, struct base_error *e);
static void close_group(struct comm *c);
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

/* leader[r]: the lowest rank that shares memory with rank r. */
static void find_leaders(struct comm *w, int *leader) {
    MPI_Comm node;
    int lowest = w->rank;
    comm_check(MPI_Comm_split_type(mpi(w), MPI_COMM_TYPE_SHARED, w->rank, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
    comm_check(MPI_Comm_rank(node, &w->local_rank), "MPI_Comm_rank");
    comm_check(MPI_Comm_size(node, &w->local_size), "MPI_Comm_size");
    comm_check(MPI_Bcast(&lowest, 1, MPI_INT, 0, node), "MPI_Bcast");
    comm_check(MPI_Comm_free(&node), "MPI_Comm_free");
    comm_check(MPI_Allgather(&lowest, 1, MPI_INT, leader, 1, MPI_INT, mpi(w)), "MPI_Allgather");
}

/* Numbers the nodes by their lowest rank and orders the ring node by node, whatever the placement of ranks. So the ring
 * uses one link into each node and one out of it. */
static void order_ring(struct comm *w, const int *leader, int *order) {
    int position = 0;
    w->node = w->nodes = 0;
    for (int r = 0, at = 0; r < w->size; r++) {
        if (leader[r] != r) continue;
        w->node += r < leader[w->rank];
        w->nodes++;
        for (int q = r; q < w->size; q++)
            if (leader[q] == r) order[at++] = q;
    }
    while (order[position] != w->rank) position++;
    comm_ring_place(of(w)->ring, mpi(w), order, position, w->size);
}

/* Allocates a group of at most `ranks` ranks, whose requests advance together with those of `sibling` (NULL: alone). */
static struct group *reserve(int ranks, const struct group *sibling, struct base_error *e) {
    struct group *g = malloc(sizeof *g + 2 * (size_t)ranks * sizeof *g->place);
    if (g) {
        g->own = (struct comm_messages){0};
        g->messages = sibling ? sibling->messages : &g->own;
        g->ring = comm_ring_open(sibling ? sibling->ring : NULL);
    }
    if (g && g->ring) return g;
    free(g);
    base_fail(e, BASE_BROKEN, "out of memory for the communication of %d ranks", ranks);
    return NULL;
}
static void release(struct group *g) {
    if (g) comm_ring_close(g->ring);
    free(g);
}

/* Fills *w and *g for `comm`. Collective over its ranks. */
static void describe(struct comm *w, struct group *g, MPI_Comm comm) {
    *w = (struct comm){.ops = &ops, .state = g};
    g->comm = comm;
    g->world = false;
    comm_check(MPI_Comm_rank(comm, &w->rank), "MPI_Comm_rank");
    comm_check(MPI_Comm_size(comm, &w->size), "MPI_Comm_size");
    g->exchanges = (struct comm_exchanges){.comm = comm, .rank = w->rank, .size = w->size};
    find_leaders(w, g->place);
    order_ring(w, g->place, g->place + w->size);
}

int comm_open(struct comm *world, struct base_error *e) {
    int provided = MPI_THREAD_SINGLE, rank, size;
    MPI_Comm comm;
    comm_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    comm_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    comm_check(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
    comm_check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    comm_check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
    struct group *g = reserve(size, NULL, e);
    int code = g ? BASE_OK : BASE_BROKEN;
    if (provided < MPI_THREAD_FUNNELED)
        code = base_fail(e, BASE_BROKEN,
                         "this MPI does not support MPI_THREAD_FUNNELED; use one built with thread support");
    code = agree_over(comm, rank, code, e);
    if (!code) {
        describe(world, g, comm);
        g->world = true;
        return BASE_OK;
    }
    release(g);
    comm_check(MPI_Comm_free(&comm), "MPI_Comm_free");
    comm_check(MPI_Finalize(), "MPI_Finalize");
    comm_empty(world);
    world->rank = rank;
    return code;
}

/* Once all ranks have their memory, nothing can fail on one rank alone. */
static int split(struct comm *c, int colour, int key, struct comm *group, struct base_error *e) {
    MPI_Comm comm;
    struct group *g = colour < 0 ? NULL : reserve(c->size, of(c), e);
    const int code = agree(c, colour < 0 || g ? BASE_OK : BASE_BROKEN, e);
    if (code) {
        release(g);
        return code;
    }
    comm_check(MPI_Comm_split(mpi(c), colour < 0 ? MPI_UNDEFINED : colour, key, &comm), "MPI_Comm_split");
    g ? describe(group, g, comm) : comm_empty(group);
    return BASE_OK;
}

static void close_group(struct comm *c) {
    struct group *g = of(c);
    const bool world = g->world;
    comm_check(MPI_Comm_free(&g->comm), "MPI_Comm_free");
    release(g);
    if (world) comm_check(MPI_Finalize(), "MPI_Finalize");
}
