/* SPDX-License-Identifier: Apache-2.0
 *
 * The world over MPI: where each rank stands, the small blocking operations, and how a job ends.
 * Results must have the same bits everywhere, which MPI promises only of what one rank computed: so sums and
 * maxima are reduced to rank 0 and broadcast. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/internal.h"

static struct {
    MPI_Comm comm; /* a duplicate of MPI_COMM_WORLD, so that no message meets another library's */
    struct comm_ring *ring;
    int rank;
} mpi = {.comm = MPI_COMM_NULL, .rank = -1};

static void abort_job(int code) __attribute__((noreturn));
static void abort_job(int code) {
    int started = 0, ended = 0;
    fflush(NULL);
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (started && !ended) MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

void comm_abort(struct comm *world, int code) {
    if (world->size == 1 && mpi.comm == MPI_COMM_NULL) {
        fflush(NULL);
        _exit(code);
    }
    abort_job(code);
}

void comm_check(int result, const char *call) {
    if (result == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "", host[256] = "?";
    int length;
    MPI_Error_string(result, text, &length);
    gethostname(host, sizeof host - 1);
    fprintf(stderr, "toise: %s failed on rank %d, host %s: %s\n", call, mpi.rank, host, text);
    abort_job(BASE_BROKEN);
}

static void sum_start(struct comm *c, float *buffer, int64_t count, struct comm_request *request) {
    (void)c;
    comm_ring_start(mpi.ring, buffer, count, request);
}
static void progress(struct comm *c) {
    (void)c;
    comm_ring_progress(mpi.ring);
}
static void wait(struct comm *c, struct comm_request *request) {
    (void)c;
    comm_ring_wait(mpi.ring, request);
}

static void reduce(struct comm *c, double *x, int n, MPI_Op op) {
    const void *from = c->rank == 0 ? MPI_IN_PLACE : x;
    comm_check(MPI_Reduce(from, x, n, MPI_DOUBLE, op, 0, mpi.comm), "MPI_Reduce");
    comm_check(MPI_Bcast(x, n, MPI_DOUBLE, 0, mpi.comm), "MPI_Bcast");
}
static void sum(struct comm *c, double *x, int n) {
    reduce(c, x, n, MPI_SUM);
}
static void max(struct comm *c, double *x, int n) {
    reduce(c, x, n, MPI_MAX);
}

static void barrier(struct comm *c) {
    (void)c;
    comm_check(MPI_Barrier(mpi.comm), "MPI_Barrier");
}

static void broadcast(struct comm *c, void *data, size_t bytes) {
    (void)c;
    for (size_t at = 0; at < bytes; at += 1 << 30) {
        const size_t left = bytes - at;
        const int n = left < 1 << 30 ? (int)left : 1 << 30;
        comm_check(MPI_Bcast((char *)data + at, n, MPI_BYTE, 0, mpi.comm), "MPI_Bcast");
    }
}

static void gather(struct comm *c, const void *mine, size_t bytes, void *all) {
    (void)c;
    const int n = bytes <= INT_MAX ? (int)bytes : -1; /* which MPI refuses by name */
    comm_check(MPI_Allgather(mine, n, MPI_BYTE, all, n, MPI_BYTE, mpi.comm), "MPI_Allgather");
}

static const struct comm_ops ops = {sum_start, progress, wait, sum, max, barrier, broadcast, gather};

/* leader[r]: the lowest world rank that shares memory with rank r. */
static void find_leaders(struct comm *w, int *leader) {
    MPI_Comm node;
    int lowest = w->rank;
    comm_check(MPI_Comm_split_type(mpi.comm, MPI_COMM_TYPE_SHARED, w->rank, MPI_INFO_NULL, &node),
               "MPI_Comm_split_type");
    comm_check(MPI_Comm_rank(node, &w->local_rank), "MPI_Comm_rank");
    comm_check(MPI_Comm_size(node, &w->local_size), "MPI_Comm_size");
    comm_check(MPI_Bcast(&lowest, 1, MPI_INT, 0, node), "MPI_Bcast");
    comm_check(MPI_Comm_free(&node), "MPI_Comm_free");
    comm_check(MPI_Allgather(&lowest, 1, MPI_INT, leader, 1, MPI_INT, mpi.comm), "MPI_Allgather");
}

/* Numbers the nodes by their lowest rank, and lays the ring node by node, whatever order ranks were placed in:
 * so one link in and one out of each node carry it. */
static struct comm_ring *open_ring(struct comm *w, const int *leader) {
    const int mine = leader[w->rank];
    int position = 0, left = w->rank, right = w->rank;
    int *order = malloc((size_t)w->size * sizeof *order);
    if (!order) return NULL;
    w->node = w->nodes = 0;
    for (int r = 0, at = 0; r < w->size; r++) {
        if (leader[r] != r) continue;
        w->node += r < mine;
        w->nodes++;
        for (int q = r; q < w->size; q++)
            if (leader[q] == r) order[at++] = q;
    }
    while (order[position] != w->rank) position++;
    left = order[(position + w->size - 1) % w->size];
    right = order[(position + 1) % w->size];
    free(order);
    return comm_ring_open(mpi.comm, position, w->size, left, right);
}

int comm_open(struct comm *world, struct base_error *e) {
    int provided = MPI_THREAD_SINGLE;
    struct comm w = {.ops = &ops};
    comm_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    comm_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    comm_check(MPI_Comm_dup(MPI_COMM_WORLD, &mpi.comm), "MPI_Comm_dup");
    comm_check(MPI_Comm_rank(mpi.comm, &w.rank), "MPI_Comm_rank");
    comm_check(MPI_Comm_size(mpi.comm, &w.size), "MPI_Comm_size");
    mpi.rank = w.rank;
    int *leader = malloc((size_t)w.size * sizeof *leader);
    if (leader) {
        find_leaders(&w, leader);
        mpi.ring = open_ring(&w, leader);
        free(leader);
    }
    *world = w;
    int code = BASE_OK;
    if (provided < MPI_THREAD_FUNNELED)
        code = base_fail(e, BASE_BROKEN, "this MPI gives no MPI_THREAD_FUNNELED; use one built with thread support");
    if (!mpi.ring) code = base_fail(e, BASE_BROKEN, "no memory for %d ranks' communication", w.size);
    return comm_agree(world, code, e);
}

void comm_close(struct comm *world) {
    if (mpi.comm == MPI_COMM_NULL) return;
    (void)world;
    comm_ring_close(mpi.ring);
    mpi.ring = NULL;
    comm_check(MPI_Comm_free(&mpi.comm), "MPI_Comm_free");
    comm_check(MPI_Finalize(), "MPI_Finalize");
}

int comm_agree(struct comm *world, int code, struct base_error *e) {
    if (world->size == 1) return code;
    struct base_error words = {0};
    struct {
        int code, rank;
    } mine = {code, world->rank}, worst; /* MPI_MAXLOC takes the lowest rank among equals */
    comm_check(MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, mpi.comm), "MPI_Allreduce");
    if (!worst.code) return BASE_OK;
    if (e) words = *e;
    comm_check(MPI_Bcast(words.text, sizeof words.text, MPI_CHAR, worst.rank, mpi.comm), "MPI_Bcast");
    if (e) {
        memcpy(e->text, words.text, sizeof e->text);
        e->code = worst.code;
    }
    return worst.code;
}

const char *comm_library(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (!text[0] && MPI_Get_library_version(text, &length) != MPI_SUCCESS) return "unknown MPI";
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}
