/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 4 8 16
 *
 * Sums along the binary tree over ranks have its bits, of addends whose order matters: all-reduces and reduce-scatters
 * of any length, while others are in flight, and through a counting comm. A rank may add its pairs beforehand. */
#include <string.h>

#include "comm/count.h"
#include "mpi/support/agreed.h"
#include "mpi/support/sent.h"
#include "scalar.h"

enum { WHOLE = 1 << 17, EDGE = 3, MOST = 16, MANY = 300, LONG = 3 };

/* Magnitudes differ by up to 2^30, so that the order of addends matters. In every fourth sum, ranks whose numbers
 * differ in bit 1 cancel: four add up to 0 along the tree, and in another order leave what was rounded. */
static float addend(int which, int rank, int64_t i) {
    const bool cancels = i % 4 == 0;
    uint64_t h = (uint64_t)i * 64 + (uint64_t)(cancels ? rank & ~2 : rank) + ((uint64_t)which << 40);
    h = (h ^ h >> 31) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    const uint32_t exponent = 112 + (uint32_t)(h >> 32) % 31, low = (uint32_t)h & 0x807fffffu;
    const uint32_t bits = (low | exponent << 23) ^ (cancels && rank & 2 ? 0x80000000u : 0);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static void fill(enum kernel_dtype t, void *x, int64_t n, int which, int rank) {
    for (int64_t i = 0; i < n; i++) scalar_put(t, x, i, addend(which, rank, i));
}

/* The sum of element i over `size` ranks, by pairs, pairs of pairs, and so on. */
static float tree(enum kernel_dtype t, int which, int size, int64_t i) {
    float x[MOST];
    for (int r = 0; r < size; r++) {
        x[r] = addend(which, r, i);
        if (t == KERNEL_BF16) x[r] = scalar_widen(scalar_narrow(x[r]));
    }
    for (int left = size / 2; left; left /= 2)
        for (int r = 0; r < left; r++) {
            x[r] = x[2 * r] + x[2 * r + 1];
            if (t == KERNEL_BF16) x[r] = scalar_widen(scalar_narrow(x[r]));
        }
    return x[0];
}
/* How many of the elements [low, high) are others. 0 and -0 are not the same. */
static int64_t differ(enum kernel_dtype t, const void *x, int64_t low, int64_t high, int which, int size) {
    int64_t wrong = 0;
    for (int64_t i = low; i < high; i++) {
        const float is = scalar_get(t, x, i), right = tree(t, which, size, i);
        wrong += memcmp(&is, &right, sizeof is) != 0;
    }
    return wrong;
}

/* An all-reduce leaves all sums, a reduce-scatter the block of this rank. Returns whether they are the tree's, and
 * nothing is written beside them. */
static bool sums(struct comm *c, enum kernel_dtype t, int64_t n, int which, bool scatter) {
    const size_t unit = kernel_dtype_bytes(t), bytes = (size_t)n * unit, edge = EDGE * unit;
    const int64_t low = scatter ? comm_block(n, c->size, c->rank) : 0;
    const int64_t high = scatter ? comm_block(n, c->size, c->rank + 1) : n;
    unsigned char *b = malloc(bytes + 2 * edge), *x = b + edge;
    struct comm_request request;
    memset(b, 0x5a, bytes + 2 * edge);
    fill(t, x, n, which, c->rank);
    (scatter ? c->ops->reduce_scatter_start : c->ops->all_reduce_start)(c, x, n, t, &request);
    c->ops->wait(c, &request);
    bool good = !request.active && differ(t, x, low, high, which, c->size) == 0;
    for (size_t i = 0; i < edge; i++) good &= b[i] == 0x5a && x[bytes + i] == 0x5a;
    free(b);
    return good;
}

static void lengths(struct agreed *a) {
    static const int64_t counts[] = {0,         1,    2, 3, 7, 1001, WHOLE / 2 + 1, WHOLE - 1, WHOLE + 1, 3 * WHOLE + 5,
                                     9 * WHOLE, 65537};
    char what[96];
    for (int k = 0; k < (int)(sizeof counts / sizeof *counts); k++)
        for (int way = 0; way < 4; way++) {
            const enum kernel_dtype t = way / 2 ? KERNEL_BF16 : KERNEL_F32;
            if (counts[k] > 4 * WHOLE && way) continue; /* takes time */
            snprintf(what, sizeof what, "%s of %lld in dtype %d", way % 2 ? "a reduce-scatter" : "an all-reduce",
                     (long long)counts[k], t);
            agreed_check(a, sums(&a->world, t, counts[k], k, way % 2), what);
        }
}

/* These addends tell the ring's order from the tree's. With 2 ranks there is one order. */
static void orders(struct agreed *a) {
    enum { N = 1000 };
    struct comm *w = &a->world;
    for (int scatter = 0; scatter < 2; scatter++) {
        w->tree = false;
        agreed_check(a, sums(w, KERNEL_F32, N, 0, scatter) == (w->size <= 2), "the ring's order");
        w->tree = true;
        agreed_check(a, sums(w, KERNEL_F32, N, 0, scatter), "and the tree's again");
    }
}

static void split(struct agreed *a, int colour, bool by_tree, struct comm *group) {
    struct base_error e = {0};
    agreed_check(a, comm_split(&a->world, colour, 0, group, &e) == BASE_OK && !group->tree, "a group, without tree");
    group->tree = by_tree;
}

/* Over half the ranks, each of which has added its pair: the same bits as over all. */
static void pairs(struct agreed *a) {
    enum { N = 3 * WHOLE / 2 + 1 };
    struct comm half;
    struct comm_request request;
    split(a, a->world.rank % 2, true, &half);
    float *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++) x[i] = addend(5, 2 * half.rank, i) + addend(5, 2 * half.rank + 1, i);
    half.ops->all_reduce_start(&half, x, N, KERNEL_F32, &request);
    half.ops->wait(&half, &request);
    const bool all = 2 * half.size == a->world.size;
    agreed_check(a, !all || differ(KERNEL_F32, x, 0, N, 5, a->world.size) == 0, "pairs that were added before");
    free(x);
    comm_close(&half);
}

/* The bytes that this rank sends for a sum. */
static int64_t bytes_of(struct comm *w, bool scatter, int64_t n) {
    struct comm_request request;
    float *x = calloc((size_t)n, sizeof *x);
    sent = 0;
    (scatter ? w->ops->reduce_scatter_start : w->ops->all_reduce_start)(w, x, n, KERNEL_F32, &request);
    w->ops->wait(w, &request);
    free(x);
    return sent;
}
static void bytes(struct agreed *a) {
    const int64_t n = 6 * WHOLE, least = 4 * n / a->world.size * (a->world.size - 1);
    agreed_check(a, bytes_of(&a->world, true, n) == least, "a reduce-scatter sends what it must");
    agreed_check(a, bytes_of(&a->world, false, n) == 2 * least, "and an all-reduce twice that");
}

/* Elements of the operations in flight; three in a hundred are long. */
static int64_t length(int i) {
    return i % 100 < LONG ? WHOLE + 100 + i : 1 + i * 7 % 50;
}
/* The operations of a comm, turn about. Those of a comm without tree are of whole numbers, which any order adds. */
static void start(struct comm *c, float *x, int i, struct comm_request *request) {
    const int64_t n = length(i), low = comm_block(n, c->size, c->rank), high = comm_block(n, c->size, c->rank + 1);
    switch (i % 3) {
    case 0:
        for (int64_t k = 0; k < n; k++) x[k] = c->tree ? addend(i, c->rank, k) : (float)(k % 99 + c->rank);
        c->ops->all_reduce_start(c, x, n, KERNEL_F32, request);
        break;
    case 1:
        for (int64_t k = low; k < high; k++) x[k] = (float)(k + i);
        c->ops->all_gather_start(c, x, n, sizeof *x, request);
        break;
    default:
        for (int64_t k = 0; k < n; k++) x[k] = c->tree ? addend(i, c->rank, k) : (float)(k % 99 + c->rank);
        c->ops->reduce_scatter_start(c, x, n, KERNEL_F32, request);
    }
}
static bool right(struct comm *c, const float *x, int i) {
    const int64_t n = length(i), low = i % 3 == 2 ? comm_block(n, c->size, c->rank) : 0;
    const int64_t high = i % 3 == 2 ? comm_block(n, c->size, c->rank + 1) : n;
    const int more = c->size * (c->size - 1) / 2;
    bool good = true;
    if (i % 3 != 1 && c->tree) return differ(KERNEL_F32, x, low, high, i, c->size) == 0;
    for (int64_t k = low; k < high; k++)
        good &= x[k] == (i % 3 == 1 ? (float)(k + i) : (float)(c->size * (k % 99) + more));
    return good;
}

/* More operations than are outstanding at once, of the world and of groups with and without tree, and messages. Half
 * the ranks wait the other way round. */
static void at_once(struct agreed *a) {
    static struct comm_request request[MANY], to[MANY], from[MANY];
    static float *x[MANY];
    struct comm *w = &a->world, by_tree, by_ring;
    split(a, w->rank % 2, true, &by_tree);
    split(a, w->rank / 2, false, &by_ring);
    struct comm *comms[] = {w, &by_tree, &by_ring, w};
    const int right_of = (w->rank + 1) % w->size, left_of = (w->rank + w->size - 1) % w->size;
    int got[MANY], mine[MANY];
    bool good = true;
    for (int i = 0; i < MANY; i++) {
        struct comm *c = comms[i / 3 % 4];
        x[i] = calloc((size_t)length(i), sizeof **x);
        start(c, x[i], i, &request[i]);
        mine[i] = 1000 * i + w->rank;
        if (w->size > 1) w->ops->receive_start(w, &got[i], sizeof *got, left_of, i, &from[i]);
        if (w->size > 1) w->ops->send_start(w, &mine[i], sizeof *mine, right_of, i, &to[i]);
        w->ops->progress(w);
    }
    for (int k = 0; k < MANY; k++) {
        const int i = w->rank / 2 % 2 ? k : MANY - 1 - k;
        struct comm *c = comms[i / 3 % 4];
        c->ops->wait(c, &request[i]);
        good &= right(c, x[i], i);
        if (w->size > 1) w->ops->wait(w, &to[i]), w->ops->wait(w, &from[i]);
        good &= w->size == 1 || got[i] == 1000 * i + left_of;
        free(x[i]);
    }
    agreed_check(a, good, "many at once");
    comm_close(&by_ring);
    comm_close(&by_tree);
}

/* The order is that of the counting comm, and of its groups. */
static void counted(struct agreed *a) {
    struct comm c, group;
    struct comm_counter counter;
    struct base_error e;
    comm_count_wrap(&c, &counter, &a->world, COMM_FORWARD);
    agreed_check(a, c.tree && sums(&c, KERNEL_F32, 999, 1, false), "a counting comm takes the order");
    c.tree = false;
    agreed_check(a, sums(&c, KERNEL_F32, 999, 1, true) == (c.size <= 2), "or gives it");
    agreed_check(a, counter.op[COMM_ALL_REDUCE_START].calls == 1 && counter.op[COMM_REDUCE_SCATTER_START].calls == 1,
                 "counted as any");
    agreed_check(a, comm_split(&c, 0, -c.rank, &group, &e) == BASE_OK && !group.tree, "its group");
    group.tree = true;
    agreed_check(a, sums(&group, KERNEL_F32, 999, 1, false), "has its own order");
    comm_close(&group);
    comm_close(&c);
    a->world.tree = true;
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    agreed_check(&a, !a.world.tree, "a world starts without it");
    a.world.tree = true;
    lengths(&a);
    orders(&a);
    pairs(&a);
    bytes(&a);
    at_once(&a);
    counted(&a);
    return agreed_close(&a);
}
