/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * Groups of ranks: their members, their messages while other groups communicate, and that nothing is left behind. All
 * values are whole numbers, so that sums are exact in any order. */
#include <string.h>

#include "comm/count.h"
#include "mpi/support/agreed.h"

enum { FLIGHT = 3, MOST = 700001 };

/* Replaces the library's function, so that it can refuse. */
static bool refusing;
void *aligned_alloc(size_t alignment, size_t bytes) {
    void *memory;
    return refusing || posix_memalign(&memory, alignment, bytes) ? NULL : memory;
}

/* Wrappers of MPI's functions that count. A handle is a pointer or an int, depending on the MPI; only comm/ may include
 * mpi.h. */
static int communicators;
int PMPI_Comm_dup(void *handle, void *made), MPI_Comm_dup(void *handle, void *made);
int MPI_Comm_dup(void *handle, void *made) {
    communicators++;
    return PMPI_Comm_dup(handle, made);
}
int PMPI_Comm_split(void *handle, int colour, int key, void *made);
int MPI_Comm_split(void *handle, int colour, int key, void *made);
int MPI_Comm_split(void *handle, int colour, int key, void *made) {
    communicators += colour >= 0;
    return PMPI_Comm_split(handle, colour, key, made);
}
int PMPI_Comm_split_type(void *handle, int type, int key, void *info, void *made);
int MPI_Comm_split_type(void *handle, int type, int key, void *info, void *made);
int MPI_Comm_split_type(void *handle, int type, int key, void *info, void *made) {
    communicators++;
    return PMPI_Comm_split_type(handle, type, key, info, made);
}
int PMPI_Comm_free(void *handle), MPI_Comm_free(void *handle);
int MPI_Comm_free(void *handle) {
    communicators--;
    return PMPI_Comm_free(handle);
}

static void split(struct agreed *a, struct comm *from, int colour, int key, struct comm *group) {
    struct base_error e = {0};
    agreed_check(a, comm_split(from, colour, key, group, &e) == BASE_OK, "a split");
}
static void halves(struct agreed *a, struct comm *group) {
    split(a, &a->world, a->world.rank % 2, 0, group);
}

/* The world ranks of a group, by its own all-gather; the caller frees them. */
static int *members(struct agreed *a, struct comm *group) {
    int *all = calloc((size_t)group->size + 1, sizeof *all);
    group->ops->all_gather(group, &a->world.rank, sizeof *all, all);
    return all;
}

static void fill(float *x, int64_t count, int which, int rank) {
    for (int64_t i = 0; i < count; i++) x[i] = (float)((i + which) % 1009 + 1000 * rank);
}
static bool is_sum(const float *x, int64_t count, int which, const int *ranks, int size) {
    int64_t sum = 0;
    bool good = true;
    for (int r = 0; r < size; r++) sum += 1000 * ranks[r];
    for (int64_t i = 0; i < count; i++) good &= x[i] == (float)(size * ((i + which) % 1009) + sum);
    return good;
}

/* Each rank sums in its half and in the world at once. Half the ranks wait for the world first, the others last. */
static void sums_at_once(struct agreed *a) {
    static const int64_t n[FLIGHT] = {MOST, 5, 131072};
    static float x[FLIGHT][MOST], y[MOST];
    struct comm half;
    struct comm_request mine[FLIGHT], all;
    halves(a, &half);
    int *ranks = members(a, &half), *world = members(a, &a->world);
    for (int turn = 0; turn < 3; turn++) {
        const bool world_first = (a->world.rank / (turn + 1)) % 2;
        fill(y, MOST, 9, a->world.rank);
        for (int i = 0; i < FLIGHT; i++) {
            fill(x[i], n[i], i, a->world.rank);
            half.ops->all_reduce_start(&half, x[i], n[i], KERNEL_F32, &mine[i]);
            if (i == 1) a->world.ops->all_reduce_start(&a->world, y, MOST, KERNEL_F32, &all);
        }
        a->world.ops->progress(&a->world);
        if (world_first) a->world.ops->wait(&a->world, &all);
        for (int i = FLIGHT; i-- > 0;) half.ops->wait(&half, &mine[i]);
        if (!world_first) a->world.ops->wait(&a->world, &all);
        for (int i = 0; i < FLIGHT; i++)
            agreed_check(a, is_sum(x[i], n[i], i, ranks, half.size), "a group's sum while others are in flight");
        agreed_check(a, is_sum(y, MOST, 9, world, a->world.size), "the world's sum meanwhile");
    }
    free(ranks);
    free(world);
    comm_close(&half);
}

/* Checks the small operations of a group of this rank against the world ranks that it must have. */
static void small(struct agreed *a, struct comm *g, const int *ranks, int size, const char *what) {
    bool good = g->size == size && g->rank >= 0 && g->rank < size && ranks[g->rank] == a->world.rank;
    int *got = members(a, g), first = a->world.rank;
    double sum[2] = {a->world.rank, 1}, max = a->world.rank, total = 0, top = 0;
    for (int r = 0; r < size && good; r++) good &= got[r] == ranks[r];
    for (int r = 0; r < size; r++) total += ranks[r], top = ranks[r] > top ? ranks[r] : top;
    g->ops->broadcast(g, &first, sizeof first);
    g->ops->sum(g, sum, 2);
    g->ops->max(g, &max, 1);
    g->ops->barrier(g);
    agreed_check(a, good && first == ranks[0] && sum[0] == total && sum[1] == size && max == top, what);
    agreed_check(a, agreed_nodes(g), "the nodes of a group");
    struct {
        int world, group;
    } mine = {a->world.node, g->node}, *all = calloc((size_t)size, sizeof *all);
    g->ops->all_gather(g, &mine, sizeof mine, all);
    for (int r = 0; r < size; r++) good &= (all[r].world == mine.world) == (all[r].group == mine.group);
    agreed_check(a, good, "its nodes are the world's");
    free(all);
    free(got);
}

/* Halves, in the world's order and reversed, and halves of halves. */
static void orders(struct agreed *a) {
    const int size = a->world.size, own = a->world.rank % 2, count = (size + 1 - own) / 2;
    int *ranks = calloc((size_t)size + 1, sizeof *ranks);
    struct comm g, part;
    for (int r = 0; r < count; r++) ranks[r] = 2 * r + own;
    halves(a, &g);
    small(a, &g, ranks, count, "odd and even ranks");
    const int pair = g.rank / 2, left = count - 2 * pair;
    split(a, &g, pair, 0, &part);
    small(a, &part, ranks + 2L * pair, left < 2 ? left : 2, "a group of a group");
    comm_close(&g); /* while its own group is open */
    small(a, &part, ranks + 2L * pair, left < 2 ? left : 2, "a group whose parent is closed");
    comm_close(&part);
    for (int r = 0; r < size; r++) ranks[r] = size - 1 - r;
    split(a, &a->world, 7, -a->world.rank, &g);
    small(a, &g, ranks, size, "keys reverse the order");
    comm_close(&g);
    free(ranks);
}

/* The last rank is in no group. */
static void nobody(struct agreed *a) {
    const bool out = a->world.rank == a->world.size - 1;
    struct comm g, again;
    struct comm_request request;
    struct base_error e = {0};
    float x = 3;
    double y = 4;
    int kept[2] = {5, 6};
    split(a, &a->world, out ? -1 : 1, 0, &g);
    agreed_check(a, g.size == (out ? 0 : a->world.size - 1), "a rank of no colour is in no group");
    agreed_check(a, g.rank == (out ? -1 : a->world.rank), "nor has it a rank");
    if (out) {
        g.ops->all_reduce_start(&g, &x, 1, KERNEL_F32, &request);
        g.ops->progress(&g);
        g.ops->wait(&g, &request);
        g.ops->sum(&g, &y, 1);
        g.ops->max(&g, &y, 1);
        g.ops->barrier(&g);
        g.ops->broadcast(&g, &kept[0], sizeof *kept);
        g.ops->all_gather(&g, &kept[0], sizeof *kept, &kept[1]);
    }
    agreed_check(a, x == 3 && y == 4 && kept[0] == 5 && kept[1] == 6, "no rank, no operation");
    agreed_check(a, comm_split(&g, 0, 0, &again, &e) == BASE_OK && again.size == g.size, "and it splits into none");
    comm_close(&again);
    comm_close(&g);
    agreed_check(a, g.size == 0, "a closed group is empty");
    comm_close(&g);
}

/* A group has its own counter. */
static void counting(struct agreed *a) {
    struct comm counted, g, none;
    struct comm_counter world;
    struct base_error e = {0};
    struct comm_request request;
    float x[10];
    double y = 1;
    comm_count_wrap(&counted, &world, &a->world, COMM_FORWARD);
    agreed_check(a, comm_split(&counted, a->world.rank % 2, 0, &g, &e) == BASE_OK, "a split of a counting comm");
    struct comm_counter *k = comm_counter_of(&g);
    int *ranks = members(a, &g);
    fill(x, 10, 0, a->world.rank);
    g.ops->all_reduce_start(&g, x, 10, KERNEL_F32, &request);
    g.ops->wait(&g, &request);
    agreed_check(a, is_sum(x, 10, 0, ranks, g.size), "a counted sum of a group");
    agreed_check(a, k->op[COMM_ALL_REDUCE_START].calls == 1 && k->op[COMM_ALL_REDUCE_START].bytes == 40,
                 "is counted once");
    counted.ops->sum(&counted, &y, 1);
    int64_t calls = 0;
    for (int op = 0; op < COMM_OPS; op++) calls += world.op[op].calls;
    agreed_check(a, y == a->world.size && calls == 1 && world.op[COMM_SUM].calls == 1, "and nowhere else");
    agreed_check(a, k->op[COMM_SUM].calls == 0, "nor the world's in the group");
    agreed_check(a, comm_split(&counted, -1, 0, &none, &e) == BASE_OK && !comm_counter_of(&none) && !none.size,
                 "nobody counts nothing");
    free(ranks);
    comm_close(&none);
    comm_close(&g);
    comm_close(&counted);
    agreed_check(a, a->world.size > 0, "closing a counting comm leaves the one within");
}

/* Error codes of one group do not reach another. */
static void agreements(struct agreed *a) {
    const bool odd = a->world.rank % 2, bad = a->world.rank == 1;
    struct base_error e = {0};
    struct comm half;
    halves(a, &half);
    if (bad) base_fail(&e, BASE_USAGE, "rank 1 says so");
    const int code = comm_agree(&half, bad ? BASE_USAGE : BASE_OK, &e);
    agreed_check(a, code == (odd ? BASE_USAGE : BASE_OK) && (!odd || !strcmp(e.text, "rank 1 says so")),
                 "a group agrees by itself");
    comm_close(&half);
}

/* One rank lacks the memory: no rank gets a group, and all report why. */
static void refused(struct agreed *a) {
    struct base_error e = {0};
    struct comm half = {.size = 77};
    refusing = a->world.rank == a->world.size - 1;
    const int code = comm_split(&a->world, a->world.rank % 2, 0, &half, &e);
    refusing = false;
    agreed_check(a, code == BASE_BROKEN && e.code == BASE_BROKEN && strstr(e.text, "out of memory"),
                 "the lack of memory is reported");
    agreed_check(a, half.size == 77, "and there is no group");
}

/* No group leaves a communicator or a ring behind. */
static void over_and_over(struct agreed *a) {
    bool good = true;
    int made = 0;
    for (int i = 0; i < 20; i++) {
        struct comm g;
        double one = 1;
        struct base_error e = {0};
        if (comm_split(&a->world, a->world.rank % (1 + i % 3), i, &g, &e)) break;
        g.ops->sum(&g, &one, 1);
        good &= one == g.size;
        comm_close(&g);
        made++;
    }
    agreed_check(a, good && made == 20, "20 groups, one after the other");
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    orders(&a);
    sums_at_once(&a);
    nobody(&a);
    counting(&a);
    agreements(&a);
    refused(&a);
    over_and_over(&a);
    agreed_check(&a, communicators == 1, "no communicator is left but the world's");
    return agreed_close(&a);
}
