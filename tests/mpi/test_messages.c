/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4 7
 *
 * What is started and waited for besides all-reduces: reduce-scatter, all-gather, broadcast, all-to-all, messages and
 * exchanges, in the world and in groups. Sizes of 0, 1, odd, and not divisible by the ranks. What surrounds a buffer
 * stays as it is. */
#include <string.h>
#include <time.h>

#include "mpi/support/agreed.h"

enum { EDGE = 64, POISON = 0x5a };

static const int64_t counts[] = {0, 1, 2, 3, 7, 1000, 1000003};
enum { COUNTS = sizeof counts / sizeof *counts };

/* A buffer of `bytes` bytes of poison between two edges of it. */
static unsigned char *buffer(size_t bytes) {
    unsigned char *b = malloc(bytes + 2 * EDGE);
    memset(b, POISON, bytes + 2 * EDGE);
    return b + EDGE;
}
/* Whether the edges are intact; frees the buffer. */
static bool release(unsigned char *b, size_t bytes) {
    bool good = true;
    for (int i = 1; i <= EDGE; i++) good &= b[-i] == POISON && b[bytes + (size_t)i - 1] == POISON;
    free(b - EDGE);
    return good;
}

/* Byte i that `rank` sends, in a turn of the test. */
static unsigned char byte(int64_t i, int rank, int turn) {
    return (unsigned char)(i * 7 + i / 251 + 31 * rank + 5 * turn);
}

static void named(struct agreed *a, bool good, const char *op, int64_t count) {
    char what[96];
    snprintf(what, sizeof what, "%s of %lld", op, (long long)count);
    agreed_check(a, good, what);
}

/* Each rank's block has the sum, with the same bits in a second run. */
static void reduce_scatters(struct agreed *a) {
    struct comm *w = &a->world;
    for (int k = 0; k < COUNTS; k++) {
        const int64_t n = counts[k], low = comm_block(n, w->size, w->rank), high = comm_block(n, w->size, w->rank + 1);
        const size_t bytes = (size_t)n * sizeof(float);
        float *whole = malloc(bytes + sizeof *whole);
        uint64_t hash[2];
        bool good = true;
        for (int turn = 0; turn < 2; turn++) {
            struct comm_request request;
            unsigned char *b = buffer(bytes);
            float *x = (float *)(void *)b;
            agreed_fill(x, n, k, w->rank);
            w->ops->reduce_scatter_start(w, x, n, KERNEL_F32, &request);
            w->ops->wait(w, &request);
            hash[turn] = agreed_hash(x + low, (size_t)(high - low) * sizeof *x);
            memset(whole, 0, bytes);
            memcpy(whole + low, x + low, (size_t)(high - low) * sizeof *x);
            w->ops->all_gather_start(w, whole, n, sizeof *whole, &request);
            w->ops->wait(w, &request);
            good &= !request.active && release(b, bytes) && agreed_is_sum(a, whole, n, k);
        }
        named(a, good && hash[0] == hash[1], "a reduce-scatter", n);
        named(a, agreed_same(a, agreed_hash(whole, bytes)), "the same bits on all ranks after gathering", n);
        free(whole);
    }
}

static void all_gathers(struct agreed *a, struct comm *c, const int *ranks) {
    enum { UNITS = 5 };
    static const int units[UNITS] = {1, 2, 4, 12, 300001}; /* the last is longer than a message of the ring */
    for (int k = 0; k < COUNTS * UNITS; k++) {
        const int64_t n = counts[k / UNITS];
        const int unit = units[k % UNITS];
        if (n > 7 && unit > 12) continue;
        const size_t bytes = (size_t)n * (size_t)unit;
        struct comm_request request;
        unsigned char *b = buffer(bytes);
        bool good = true;
        for (int64_t i = comm_block(n, c->size, c->rank) * unit; i < comm_block(n, c->size, c->rank + 1) * unit; i++)
            b[i] = byte(i, a->world.rank, k);
        c->ops->all_gather_start(c, b, n, unit, &request);
        c->ops->wait(c, &request);
        for (int r = 0; r < c->size; r++)
            for (int64_t i = comm_block(n, c->size, r) * unit; i < comm_block(n, c->size, r + 1) * unit; i++)
                good &= b[i] == byte(i, ranks[r], k);
        named(a, good && release(b, bytes), "an all-gather", n);
    }
}

static void broadcasts(struct agreed *a, struct comm *c, const int *ranks) {
    for (int k = 0; k < COUNTS; k++) {
        const int root = k % c->size;
        struct comm_request request;
        unsigned char *b = buffer((size_t)counts[k]);
        bool good = true;
        for (int64_t i = 0; c->rank == root && i < counts[k]; i++) b[i] = byte(i, a->world.rank, k);
        c->ops->broadcast_start(c, b, (size_t)counts[k], root, &request);
        c->ops->wait(c, &request);
        for (int64_t i = 0; i < counts[k]; i++) good &= b[i] == byte(i, ranks[root], k);
        named(a, good && release(b, (size_t)counts[k]), "a broadcast", counts[k]);
    }
}

static void all_to_alls(struct agreed *a, struct comm *c, const int *ranks) {
    for (int k = 0; k < COUNTS; k++) {
        const int64_t n = counts[k];
        const size_t bytes = (size_t)n * (size_t)c->size;
        struct comm_request request;
        unsigned char *to = buffer(bytes), *from = buffer(bytes);
        bool good = true;
        for (int64_t r = 0; r < c->size; r++)
            for (int64_t i = 0; i < n; i++) to[r * n + i] = byte(i, a->world.rank + 3 * ranks[r], k);
        c->ops->all_to_all_start(c, to, from, (size_t)n, &request);
        c->ops->wait(c, &request);
        for (int64_t r = 0; r < c->size; r++)
            for (int64_t i = 0; i < n; i++) good &= from[r * n + i] == byte(i, ranks[r] + 3 * a->world.rank, k);
        good &= release(from, bytes);
        named(a, release(to, bytes) && good, "an all-to-all", n);
    }
}

/* Bytes from one rank to another, in turn k: every fourth block is empty, and the others differ. */
static int64_t length(int from, int to, int k) {
    const int64_t part = counts[k % COUNTS] / (1 + (from + 2 * to) % 5);
    return (from + to + k) % 4 ? part + from : 0;
}

/* All turns are in flight at once, so that later ones overtake. Even ranks start late, and wait from the last to the
 * first. */
static void uneven_all_to_alls(struct agreed *a, struct comm *c, const int *ranks) {
    enum { TURNS = 2 * COUNTS };
    struct comm_request request[TURNS];
    int64_t *to_bytes[TURNS], *from_bytes[TURNS], out[TURNS] = {0}, in[TURNS] = {0};
    unsigned char *to[TURNS], *from[TURNS];
    bool good[TURNS];
    if (a->world.rank % 2 == 0) nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    for (int k = 0; k < TURNS; k++) {
        to_bytes[k] = calloc((size_t)c->size, sizeof **to_bytes);
        from_bytes[k] = calloc((size_t)c->size, sizeof **from_bytes);
        for (int r = 0; r < c->size; r++) {
            out[k] += to_bytes[k][r] = length(a->world.rank, ranks[r], k);
            in[k] += from_bytes[k][r] = length(ranks[r], a->world.rank, k);
        }
        to[k] = buffer((size_t)out[k]), from[k] = buffer((size_t)in[k]);
        unsigned char *next = to[k];
        for (int r = 0; r < c->size; r++)
            for (int64_t i = 0; i < to_bytes[k][r]; i++) *next++ = byte(i, a->world.rank + 3 * ranks[r], k);
        c->ops->all_to_all_v_start(c, to[k], to_bytes[k], from[k], from_bytes[k], &request[k]);
    }
    for (int i = 0; i < TURNS; i++) { /* looks at each before MPI is called again */
        const int k = a->world.rank % 2 ? i : TURNS - 1 - i;
        c->ops->wait(c, &request[k]);
        const unsigned char *next = from[k];
        good[k] = !request[k].active;
        for (int r = 0; r < c->size; r++)
            for (int64_t j = 0; j < from_bytes[k][r]; j++)
                good[k] &= *next++ == byte(j, ranks[r] + 3 * a->world.rank, k);
    }
    for (int k = 0; k < TURNS; k++) {
        good[k] &= release(from[k], (size_t)in[k]);
        named(a, release(to[k], (size_t)out[k]) && good[k], "an all-to-all of uneven blocks", counts[k % COUNTS]);
        free(to_bytes[k]), free(from_bytes[k]);
    }
}

/* Each rank sends to the next and receives from the one before, at once, twice with two tags, waited for in reverse. */
static void exchanges(struct agreed *a, struct comm *c, const int *ranks) {
    const int right = (c->rank + 1) % c->size, left = (c->rank + c->size - 1) % c->size;
    for (int k = 0; k < COUNTS; k++) {
        if (c->size == 1) { /* other groups exchange, and all ranks agree */
            named(a, true, "an exchange", counts[k]);
            continue;
        }
        const size_t bytes = (size_t)counts[k];
        struct comm_request request[4];
        unsigned char *to[2] = {buffer(bytes), buffer(bytes)}, *from[2] = {buffer(bytes), buffer(bytes)};
        bool good = true;
        for (int t = 0; t < 2; t++) {
            for (int64_t i = 0; i < counts[k]; i++) to[t][i] = byte(i, a->world.rank, t);
            c->ops->send_start(c, to[t], bytes, right, t ? COMM_TAGS - 1 : 0, &request[t]);
        }
        for (int t = 2; t-- > 0;)
            c->ops->receive_start(c, from[t], bytes, left, t ? COMM_TAGS - 1 : 0, &request[2 + t]);
        c->ops->progress(c);
        for (int i = 4; i-- > 0;) c->ops->wait(c, &request[i]);
        for (int t = 0; t < 2; t++) {
            for (int64_t i = 0; i < counts[k]; i++) good &= from[t][i] == byte(i, ranks[left], t);
            good &= !request[t].active && release(from[t], bytes);
            good = release(to[t], bytes) && good;
        }
        named(a, good, "an exchange", counts[k]);
    }
}

/* Messages with one tag arrive in the order of their sends. */
static void in_order(struct agreed *a) {
    enum { MANY = 300 };
    static int sent[MANY], got[MANY];
    static struct comm_request request[MANY];
    struct comm *w = &a->world;
    bool good = true;
    if (w->size == 1) return;
    for (int i = 0; i < MANY && w->rank < 2; i++) {
        sent[i] = 1000 * w->rank + i;
        if (w->rank == 0) w->ops->send_start(w, &sent[i], sizeof *sent, 1, 7, &request[i]);
        if (w->rank == 1) w->ops->receive_start(w, &got[i], sizeof *got, 0, 7, &request[i]);
    }
    for (int i = MANY; i-- > 0 && w->rank < 2;) w->ops->wait(w, &request[i]);
    for (int i = 0; i < MANY && w->rank == 1; i++) good &= got[i] == i;
    agreed_check(a, good, "300 messages in flight arrive in order");
}

/* Sums, gathers, broadcasts and messages at once. Half the ranks wait in another order than the rest. */
static void all_at_once(struct agreed *a) {
    enum { N = 300007, KINDS = 5 };
    static float x[N], y[N];
    static unsigned char all[N], one[N], in[N];
    struct comm *w = &a->world;
    struct comm_request request[KINDS + 1] = {{0}};
    const int right = (w->rank + 1) % w->size, left = (w->rank + w->size - 1) % w->size;
    bool good = true;
    agreed_fill(x, N, 1, w->rank);
    agreed_fill(y, N, 2, w->rank);
    for (int64_t i = 0; i < N; i++) all[i] = byte(i, w->rank, 1), one[i] = byte(i, w->rank, 2);
    if (w->size > 1) w->ops->receive_start(w, in, N, left, 3, &request[5]);
    w->ops->all_reduce_start(w, x, N, KERNEL_F32, &request[0]);
    w->ops->broadcast_start(w, one, N, w->size - 1, &request[1]);
    w->ops->all_gather_start(w, all, N, 1, &request[2]);
    w->ops->reduce_scatter_start(w, y, N, KERNEL_F32, &request[3]);
    if (w->size > 1) w->ops->send_start(w, x + N, 0, right, 9, &request[4]);
    if (w->size > 1) w->ops->wait(w, &request[4]); /* an eager message of nothing */
    for (int i = 0; i < 4; i++) w->ops->wait(w, &request[w->rank % 2 ? i : 3 - i]);
    if (w->size > 1) w->ops->receive_start(w, in + N, 0, left, 9, &request[4]);
    if (w->size > 1) w->ops->wait(w, &request[4]);
    if (w->size > 1) w->ops->send_start(w, all, N, right, 3, &request[4]);
    for (int i = 4; i < 6 && w->size > 1; i++) w->ops->wait(w, &request[i]);
    for (int64_t i = 0; i < N; i++) good &= one[i] == byte(i, w->size - 1, 2);
    for (int r = 0; r < w->size; r++)
        for (int64_t i = comm_block(N, w->size, r); i < comm_block(N, w->size, r + 1); i++)
            good &= all[i] == byte(i, r, 1);
    agreed_check(a, good && (w->size == 1 || !memcmp(in, all, N)), "copies while sums are in flight");
    agreed_check(a, agreed_is_sum(a, x, N, 1), "an all-reduce meanwhile");
    w->ops->all_gather_start(w, y, N, sizeof *y, &request[0]);
    w->ops->wait(w, &request[0]);
    agreed_check(a, agreed_is_sum(a, y, N, 2), "a reduce-scatter meanwhile");
}

/* Each rank sends a block to the next one while sums are in flight. Half the ranks wait for it first, the rest last. */
static void uneven_amid_sums(struct agreed *a) {
    enum { N = 700001 };
    static float x[N], y[N], from[N];
    struct comm *w = &a->world;
    struct comm_request before, block, after;
    const int right = (w->rank + 1) % w->size, left = (w->rank + w->size - 1) % w->size;
    int64_t *out = calloc((size_t)w->size, sizeof *out), *in = calloc((size_t)w->size, sizeof *in);
    float *to = malloc(N * sizeof *to);
    out[right] = in[left] = N * sizeof *to;
    agreed_fill(x, N, 1, w->rank);
    agreed_fill(y, N, 2, w->rank);
    agreed_fill(to, N, 3, w->rank);
    w->ops->all_reduce_start(w, x, N, KERNEL_F32, &before);
    w->ops->all_to_all_v_start(w, to, out, from, in, &block);
    w->ops->all_reduce_start(w, y, N, KERNEL_F32, &after);
    if (w->rank % 2) w->ops->wait(w, &block);
    w->ops->wait(w, &after);
    w->ops->wait(w, &before);
    w->ops->wait(w, &block);
    agreed_fill(to, N, 3, left);
    agreed_check(a, !memcmp(from, to, N * sizeof *to), "an all-to-all of uneven blocks amid sums");
    agreed_check(a, agreed_is_sum(a, x, N, 1) && agreed_is_sum(a, y, N, 2), "the sums around it");
    free(out);
    free(in);
    free(to);
}

static void copies(struct agreed *a, struct comm *c) {
    int *ranks = calloc((size_t)c->size, sizeof *ranks);
    c->ops->all_gather(c, &a->world.rank, sizeof *ranks, ranks);
    all_gathers(a, c, ranks);
    broadcasts(a, c, ranks);
    all_to_alls(a, c, ranks);
    uneven_all_to_alls(a, c, ranks);
    exchanges(a, c, ranks);
    free(ranks);
}

int main(void) {
    struct agreed a;
    struct comm group;
    struct base_error e;
    agreed_open(&a);
    reduce_scatters(&a);
    copies(&a, &a.world);
    in_order(&a);
    all_at_once(&a);
    uneven_amid_sums(&a);
    /* in the groups of odd and of even ranks, in reverse */
    agreed_check(&a, comm_split(&a.world, a.world.rank % 2, -a.world.rank, &group, &e) == BASE_OK, "two groups");
    copies(&a, &group);
    comm_close(&group);
    return agreed_close(&a);
}
