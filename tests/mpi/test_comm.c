/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * The MPI backend, with any number of ranks on any number of nodes. Arguments: with `abort` the last rank ends the job
 * while the others wait. With `error` every rank makes a call that MPI refuses. `nodes N`: the expected number of
 * nodes. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "mpi/support/agreed.h"

enum { FLIGHT = 5 };

static void sums(struct agreed *a) {
    const int64_t counts[] = {0, 1, 7, 65536 * (int64_t)a->world.size, 1000003, 3 * 65536 * (int64_t)a->world.size + 5};
    char what[64];
    for (int k = 0; k < (int)(sizeof counts / sizeof *counts); k++) {
        const int64_t n = counts[k];
        float *x = malloc(((size_t)n + 2) * sizeof *x);
        uint64_t hash[2];
        for (int turn = 0; turn < 2; turn++) {
            struct comm_request request;
            agreed_fill(x + 1, n, k, a->world.rank);
            x[0] = x[n + 1] = 12345;
            a->world.ops->all_reduce_start(&a->world, x + 1, n, KERNEL_F32, &request);
            a->world.ops->wait(&a->world, &request);
            hash[turn] = agreed_hash(x + 1, (size_t)n * sizeof *x);
            snprintf(what, sizeof what, "a sum of %lld: the values, nothing beside them", (long long)n);
            agreed_check(a, !request.active && x[0] == 12345 && x[n + 1] == 12345 && agreed_is_sum(a, x + 1, n, k),
                         what);
        }
        snprintf(what, sizeof what, "a sum of %lld: the same bits on all ranks, and again", (long long)n);
        agreed_check(a, agreed_same(a, hash[0]) && hash[0] == hash[1], what);
        free(x);
    }
}

/* Several all-reduces in flight. Ranks compute at different speeds and wait out of order. Polls come from the master
 * thread of a parallel region, as in kernels. */
static void sums_during_compute(struct agreed *a) {
    const int64_t n[FLIGHT] = {300001, 5, 0, 700000, 65536};
    const int order[FLIGHT] = {3, 0, 4, 2, 1};
    float *x[FLIGHT];
    struct comm_request request[FLIGHT];
    double work = 1;
    for (int i = 0; i < FLIGHT; i++) {
        x[i] = malloc(((size_t)n[i] + 1) * sizeof **x);
        agreed_fill(x[i], n[i], 100 + i, a->world.rank);
        a->world.ops->all_reduce_start(&a->world, x[i], n[i], KERNEL_F32, &request[i]);
#pragma omp parallel num_threads(2)
        for (int j = 0; j < 20 * (a->world.rank + 1); j++) {
#pragma omp master
            {
                for (int k = 0; k < 2000; k++) work = sqrt(work + k);
                a->world.ops->progress(&a->world);
            }
        }
    }
    for (int i = 0; i < FLIGHT; i++) a->world.ops->wait(&a->world, &request[order[i]]);
    a->world.ops->progress(&a->world);
    agreed_check(a, work > 0, "the compute went on");
    for (int i = 0; i < FLIGHT; i++) {
        agreed_check(a, agreed_is_sum(a, x[i], n[i], 100 + i), "a sum of several in flight");
        agreed_check(a, agreed_same(a, agreed_hash(x[i], (size_t)n[i] * sizeof **x)), "and its bits");
        free(x[i]);
    }
}

/* More all-reduces than the backend has slots for. */
static void many_sums(struct agreed *a) {
    enum { MANY = 700 };
    static float x[MANY];
    static struct comm_request request[MANY];
    bool good = true;
    for (int i = 0; i < MANY; i++) {
        x[i] = (float)(i + a->world.rank);
        a->world.ops->all_reduce_start(&a->world, &x[i], 1, KERNEL_F32, &request[i]);
    }
    for (int i = MANY; i-- > 0;) a->world.ops->wait(&a->world, &request[i]);
    for (int i = 0; i < MANY; i++) good &= x[i] == (float)(a->world.size * i + a->world.size * (a->world.size - 1) / 2);
    agreed_check(a, good, "700 sums in flight");
}

static void small(struct agreed *a) {
    struct comm *w = &a->world;
    const double p = w->size;
    double x[3] = {w->rank, 1, -0.5}, top[2] = {w->rank, -w->rank};
    w->ops->sum(w, x, 3);
    agreed_check(a, x[0] == p * (p - 1) / 2 && x[1] == p && x[2] == -0.5 * p, "sum of doubles");
    w->ops->max(w, top, 2);
    agreed_check(a, top[0] == p - 1 && top[1] == 0, "maximum of doubles");
    double third = 1.0 / (3 + w->rank);
    w->ops->sum(w, &third, 1);
    uint64_t bits;
    memcpy(&bits, &third, sizeof bits);
    agreed_check(a, agreed_same(a, bits), "the same bits of a rounded sum");

    char text[1000];
    memset(text, w->rank ? 0 : 'z', sizeof text);
    w->ops->broadcast(w, text, sizeof text);
    agreed_check(a, text[0] == 'z' && text[999] == 'z', "broadcast of rank 0's bytes");
    w->ops->broadcast(w, text, 0);

    struct pair {
        int rank;
        char mark;
    } mine = {w->rank, (char)('a' + w->rank % 26)}, *all = calloc((size_t)w->size, sizeof *all);
    bool good = true;
    w->ops->all_gather(w, &mine, sizeof mine, all);
    for (int r = 0; r < w->size; r++) good &= all[r].rank == r && all[r].mark == (char)('a' + r % 26);
    agreed_check(a, good, "gather in rank order");
    free(all);
    w->ops->barrier(w);
}

/* Rank r passes codes[r % 4], with its number as message. */
static void agree_on(struct agreed *a, const int codes[4], const char *what) {
    struct base_error e = {0};
    int worst = 0, who = 0, code = codes[a->world.rank % 4];
    char words[32];
    for (int r = 0; r < a->world.size; r++)
        if (codes[r % 4] > worst) worst = codes[who = r, r % 4];
    snprintf(words, sizeof words, "rank %d says %d", who, worst);
    if (code) base_fail(&e, code, "rank %d says %d", a->world.rank, code);
    code = comm_agree(&a->world, code, &e);
    agreed_check(a, code == worst && e.code == worst && (!worst || !strcmp(e.text, words)), what);
    agreed_check(a, comm_agree(&a->world, codes[a->world.rank % 4], NULL) == worst, "the same without words");
}

/* Of any MPI; what Open MPI keeps is known: one pml, and of ob1 a btl to itself. */
static void components(struct agreed *a) {
    char pml[64], btl[256], none[8];
    const bool open = strstr(comm_library(), "Open MPI") != NULL, told = comm_components("pml", pml, sizeof pml);
    agreed_check(a, told == (pml[0] != '\0') && (told || !open), "Open MPI tells its pml, others may not");
    agreed_check(a, !strchr(pml, ','), "one pml is in use");
    if (!strcmp(pml, "ob1"))
        agreed_check(a, comm_components("btl", btl, sizeof btl) && strstr(btl, "self"), "ob1 reaches itself");
    agreed_check(a, !comm_components("pm", none, sizeof none) && !none[0], "a framework that is not there");
}

int main(int argc, char **argv) {
    struct agreed a;
    agreed_open(&a);
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "abort") && a.world.rank == a.world.size - 1) comm_abort(&a.world, BASE_BROKEN);
    if (!strcmp(word, "abort")) a.world.ops->barrier(&a.world);
    if (!strcmp(word, "error")) a.world.ops->all_gather(&a.world, &a, SIZE_MAX, &a);
    agreed_check(&a, agreed_nodes(&a.world), "nodes are numbered by their lowest rank, local ranks in order");
    if (!strcmp(word, "nodes") && argc > 2)
        agreed_check(&a, a.world.nodes == atoi(argv[2]), "as many nodes as there must be");
    agreed_check(&a, comm_library()[0] != '\0' && !strchr(comm_library(), '\n'), "the library has a name of one line");
    components(&a);
    small(&a);
    sums(&a);
    sums_during_compute(&a);
    many_sums(&a);
    agree_on(&a, (const int[4]){0, 0, 0, 0}, "nobody fails");
    agree_on(&a, (const int[4]){0, 2, 0, 2}, "the lowest of equals has the word");
    agree_on(&a, (const int[4]){1, 2, 4, 3}, "the worst code, wherever it is");
    return agreed_close(&a);
}
