/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks that all ranks of a world run together. A failed check is named by its rank and counted; all ranks go on, so
 * that none waits for one that left. */
#ifndef TOISE_TESTS_AGREED_H
#define TOISE_TESTS_AGREED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"
#include "comm/comm.h"
#include "mpi/support/leaks.h"

struct agreed {
    struct comm world;
    int passed, failed;
};

static inline void agreed_open(struct agreed *a) {
    struct base_error e;
    *a = (struct agreed){0};
    if (comm_open(&a->world, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(BASE_BROKEN);
    }
}

/* Collective: counts one check, which passes if it holds on every rank. */
static inline void agreed_check(struct agreed *a, bool good, const char *what) {
    double bad = !good;
    if (!good) fprintf(stderr, "rank %d: FAILED: %s\n", a->world.rank, what);
    a->world.ops->max(&a->world, &bad, 1);
    a->failed += bad > 0;
    a->passed += bad == 0;
}

/* Collective: whether all ranks have the same word. */
static inline bool agreed_same(struct agreed *a, uint64_t word) {
    uint64_t *all = malloc((size_t)a->world.size * sizeof *all);
    bool same = true;
    a->world.ops->all_gather(&a->world, &word, sizeof word, all);
    for (int r = 0; r < a->world.size; r++) same &= all[r] == word;
    free(all);
    return same;
}

static inline uint64_t agreed_hash(const void *data, size_t bytes) {
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    return h;
}

/* Rank r's addend to sum number `which`: element i of a separate random stream. */
static inline void agreed_fill(float *x, int64_t count, int which, int rank) {
    base_random_normal(1, BASE_STREAM_TEST + (uint64_t)(1000 * which + rank), 0, (uint64_t)count, x);
}

/* Whether `sum` is the sum of agreed_fill's values over the ranks. It has size - 1 roundings, each at most eps32/2 of a
 * partial sum, which the sum of magnitudes bounds. */
static inline bool agreed_is_sum(struct agreed *a, const float *sum, int64_t count, int which) {
    const int size = a->world.size;
    double *exact = calloc((size_t)count + 1, sizeof *exact), *magnitude = calloc((size_t)count + 1, sizeof *exact);
    float *x = malloc(((size_t)count + 1) * sizeof *x);
    bool good = true;
    for (int r = 0; r < size; r++) {
        agreed_fill(x, count, which, r);
        for (int64_t i = 0; i < count; i++) {
            exact[i] += (double)x[i];
            magnitude[i] += x[i] < 0 ? -(double)x[i] : (double)x[i];
        }
    }
    for (int64_t i = 0; i < count && good; i++) {
        const double error = (double)sum[i] - exact[i], bound = (size - 1) * 0x1p-24 * 1.0001 * magnitude[i];
        good = error <= bound && -error <= bound;
    }
    free(exact);
    free(magnitude);
    free(x);
    return good;
}

/* Collective over `c`: compares every rank's view of its nodes with what all views together imply. */
static inline bool agreed_nodes(struct comm *c) {
    struct comm *all = calloc((size_t)c->size, sizeof *all);
    bool good = true;
    int next = 0;
    c->ops->all_gather(c, c, sizeof *c, all);
    for (int r = 0; r < c->size; r++) {
        int before = 0, mates = 0;
        for (int q = 0; q < c->size; q++) {
            before += q < r && all[q].node == all[r].node;
            mates += all[q].node == all[r].node;
        }
        good &= all[r].rank == r && all[r].size == c->size && all[r].local_rank == before;
        good &= all[r].local_size == mates && all[r].nodes == c->nodes;
        good &= all[r].node == next || (before > 0 && all[r].node < next);
        next += before == 0;
    }
    free(all);
    return good && next == c->nodes;
}

/* Collective: prints the outcome and ends MPI; returns the exit code. */
static inline int agreed_close(struct agreed *a) {
    if (a->world.rank == 0) printf("%d passed, %d failed\n", a->passed, a->failed);
    comm_close(&a->world);
    return a->failed ? BASE_NO : BASE_OK;
}

#endif
