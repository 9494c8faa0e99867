/* SPDX-License-Identifier: Apache-2.0
 *
 * The world of one rank, detection of launchers, and the counting comm around that world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/comm.h"
#include "comm/count.h"

static void one_rank_sums_to_itself(void **state) {
    (void)state;
    struct comm w;
    struct comm_request request = {.active = true};
    float x[3] = {1, 2, 3};
    double y[2] = {4, -5};
    int mine = 6, all = 0;
    comm_serial(&w);
    assert_int_equal(w.rank, 0);
    assert_int_equal(w.size, 1);
    assert_int_equal(w.node, 0);
    assert_int_equal(w.nodes, 1);
    assert_int_equal(w.local_rank, 0);
    assert_int_equal(w.local_size, 1);
    w.ops->all_reduce_start(&w, x, 3, KERNEL_F32, &request);
    assert_false(request.active);
    w.ops->progress(&w);
    w.ops->wait(&w, &request);
    assert_true(x[0] == 1 && x[1] == 2 && x[2] == 3);
    w.ops->sum(&w, y, 2);
    w.ops->max(&w, y, 2);
    assert_true(y[0] == 4 && y[1] == -5);
    w.ops->barrier(&w);
    w.ops->rest(&w);
    w.ops->broadcast(&w, x, sizeof x);
    w.ops->all_gather(&w, &mine, sizeof mine, &all);
    assert_int_equal(all, 6);
    w.ops->all_gather(&w, NULL, 0, NULL);
    float from[3] = {0};
    w.ops->reduce_scatter_start(&w, x, 3, KERNEL_BF16, &request);
    w.ops->all_gather_start(&w, x, 3, sizeof *x, &request);
    w.ops->broadcast_start(&w, x, sizeof x, 0, &request);
    w.ops->all_to_all_start(&w, x, from, sizeof x, &request);
    assert_false(request.active);
    assert_true(x[0] == 1 && x[1] == 2 && x[2] == 3 && !memcmp(x, from, sizeof x));
    const int64_t two = 2 * sizeof *x, none = 0;
    float again[3] = {7, 8, 9};
    request.active = true;
    w.ops->all_to_all_v_start(&w, x, &two, again, &two, &request);
    assert_false(request.active);
    assert_true(again[0] == 1 && again[1] == 2 && again[2] == 9);
    w.ops->all_to_all_v_start(&w, NULL, &none, NULL, &none, &request);
    comm_close(&w);
}

static void one_rank_agrees_with_itself(void **state) {
    (void)state;
    struct comm w;
    struct base_error e = {0};
    comm_serial(&w);
    assert_int_equal(comm_agree(&w, 0, &e), 0);
    base_fail(&e, BASE_USAGE, "words of %d", 1);
    assert_int_equal(comm_agree(&w, BASE_USAGE, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_string_equal(e.text, "words of 1");
}

/* Every operation of a comm without ranks leaves everything unchanged. */
static void nothing_happens_in(struct comm *g) {
    struct comm_request request;
    float x = 1;
    double y = 2;
    int from = 3, to = 4;
    g->ops->all_reduce_start(g, &x, 1, KERNEL_F32, &request);
    g->ops->reduce_scatter_start(g, &x, 1, KERNEL_BF16, &request);
    g->ops->all_gather_start(g, &x, 1, 4, &request);
    g->ops->broadcast_start(g, &from, sizeof from, 0, &request);
    g->ops->all_to_all_start(g, &from, &to, sizeof from, &request);
    g->ops->all_to_all_v_start(g, &from, NULL, &to, NULL, &request);
    g->ops->progress(g);
    g->ops->wait(g, &request);
    g->ops->sum(g, &y, 1);
    g->ops->max(g, &y, 1);
    g->ops->barrier(g);
    g->ops->broadcast(g, &from, sizeof from);
    g->ops->all_gather(g, &from, sizeof from, &to);
    assert_true(x == 1 && y == 2 && from == 3 && to == 4);
    assert_int_equal(g->size, 0);
    assert_int_equal(g->rank, -1);
    assert_int_equal(g->nodes + g->local_size, 0);
}

static void one_rank_splits_into_itself_or_nobody(void **state) {
    (void)state;
    struct comm w, g, again;
    double y = 2;
    int mine = 3, all = 0;
    comm_serial(&w);
    assert_int_equal(comm_split(&w, 5, -1, &g, NULL), BASE_OK);
    assert_int_equal(g.size, 1);
    assert_int_equal(g.rank + g.node + g.local_rank, 0);
    assert_int_equal(g.nodes, 1);
    assert_int_equal(g.local_size, 1);
    g.ops->sum(&g, &y, 1);
    g.ops->all_gather(&g, &mine, sizeof mine, &all);
    assert_true(y == 2 && all == 3);
    assert_int_equal(comm_split(&g, 0, 0, &again, NULL), BASE_OK);
    comm_close(&g);
    assert_int_equal(again.size, 1);
    nothing_happens_in(&g); /* closed */
    comm_close(&g);
    assert_int_equal(comm_split(&w, -1, 0, &g, NULL), BASE_OK);
    nothing_happens_in(&g);
    assert_int_equal(comm_split(&g, 0, 0, &again, NULL), BASE_OK); /* a group without ranks */
    nothing_happens_in(&again);
    comm_close(&g);
}

static void launchers_are_noticed(void **state) {
    (void)state;
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    for (int i = 0; i < 3; i++) unsetenv(names[i]);
    setenv("SLURM_PROCID", "0", 1); /* a batch script's own shell has it as well */
    assert_false(comm_launched());
    for (int i = 0; i < 3; i++) {
        setenv(names[i], "0", 1);
        assert_true(comm_launched());
        unsetenv(names[i]);
    }
    unsetenv("SLURM_PROCID");
}

/* The launcher and its number of processes; the size MPI sees; the expected refusal. */
static void another_mpis_launcher_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *open_mpi, *pmi, *slurm, *space, *het;
        int seen;
        const char *says; /* NULL: accepted */
    } rows[] = {
        {NULL, NULL, NULL, NULL, NULL, 1, NULL},
        {"2", NULL, NULL, NULL, NULL, 2, NULL},
        {NULL, "2", NULL, NULL, NULL, 2, NULL},
        {NULL, NULL, "2", NULL, NULL, 2, NULL},
        {NULL, NULL, "1", NULL, NULL, 1, NULL},
        {"4", "2", "2", NULL, NULL, 4, NULL}, /* mpirun, whose daemons srun started */
        {NULL, "4", "2", NULL, NULL, 4, NULL},
        {NULL, NULL, "2", "109051905", NULL, 4, NULL}, /* prterun, the same */
        {NULL, NULL, "4", "slurm.pmix.1.2", NULL, 4, NULL},
        {NULL, NULL, "2", "slurm.pmix.1.2", "2", 4, NULL}, /* two components */
        {"", "", "", NULL, NULL, 1, NULL},
        {"2", NULL, NULL, NULL, NULL, 1, "OMPI_COMM_WORLD_SIZE=2: Open MPI's mpirun started 2 processes"},
        {NULL, "2", NULL, NULL, NULL, 1, "PMI_SIZE=2: "},
        {NULL, "2", "1", NULL, NULL, 1, "PMI_SIZE=2: "},
        {NULL, NULL, "2", NULL, NULL, 1, "SLURM_STEP_NUM_TASKS=2: srun started 2 processes"},
        {NULL, NULL, "4", "slurm.pmix.1.2", NULL, 1, "SLURM_STEP_NUM_TASKS=4: "},
        {NULL, NULL, "4", NULL, "2", 1, "SLURM_STEP_NUM_TASKS=4: "},
        {"1", NULL, NULL, NULL, NULL, 2, "started 1 process, but MPI sees 2"},
        {"two", NULL, NULL, NULL, NULL, 1, "OMPI_COMM_WORLD_SIZE=two: not a number"},
        {NULL, "0", NULL, NULL, NULL, 1, "PMI_SIZE=0: not a number"},
        {NULL, "2x", NULL, NULL, NULL, 2, "PMI_SIZE=2x: not a number"},
        {NULL, "-1", NULL, NULL, NULL, 1, "PMI_SIZE=-1: not a number"},
    };
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "PMIX_NAMESPACE",
                                        "SLURM_HET_SIZE"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const values[] = {rows[i].open_mpi, rows[i].pmi, rows[i].slurm, rows[i].space, rows[i].het};
        struct comm w;
        struct base_error e = {0};
        if (getenv("SLURM_JOB_ID") && rows[i].slurm && rows[i].says && !rows[i].pmi) {
            puts(
                "SKIP: srun's number against MPI's: inside a Slurm job, whose batch script may have it from elsewhere");
            continue;
        }
        for (int k = 0; k < 5; k++) values[k] ? setenv(names[k], values[k], 1) : unsetenv(names[k]);
        comm_serial(&w);
        w.size = rows[i].seen;
        assert_int_equal(comm_launcher_check(&w, &e), rows[i].says ? BASE_USAGE : BASE_OK);
        if (rows[i].says) assert_non_null(strstr(e.text, rows[i].says));
        if (rows[i].says && !strstr(e.text, "not a number")) assert_non_null(strstr(e.text, "This build has "));
    }
    for (int k = 0; k < 5; k++) unsetenv(names[k]);
}

/* An inner comm that only records its calls. */
static int reached[COMM_OPS];
static void note_start(struct comm *c, void *x, int64_t n, enum kernel_dtype dtype, struct comm_request *r) {
    (void)c, (void)x, (void)n;
    assert_int_equal(dtype, KERNEL_F32);
    reached[COMM_ALL_REDUCE_START]++;
    r->active = true;
}
static void note_scatter(struct comm *c, void *x, int64_t n, enum kernel_dtype dtype, struct comm_request *r) {
    assert_int_equal(dtype, KERNEL_BF16);
    (void)c, (void)x, (void)n, (void)r, reached[COMM_REDUCE_SCATTER_START]++;
}
static void note_gather_start(struct comm *c, void *x, int64_t n, int unit, struct comm_request *r) {
    (void)c, (void)x, (void)n, (void)unit, (void)r, reached[COMM_ALL_GATHER_START]++;
}
static void note_broadcast_start(struct comm *c, void *x, size_t n, int root, struct comm_request *r) {
    (void)c, (void)x, (void)n, (void)root, (void)r, reached[COMM_BROADCAST_START]++;
}
static void note_all_to_all(struct comm *c, const void *to, void *from, size_t n, struct comm_request *r) {
    (void)c, (void)to, (void)from, (void)n, (void)r, reached[COMM_ALL_TO_ALL_START]++;
}
static void note_all_to_all_v(struct comm *c, const void *to, const int64_t *to_bytes, void *from,
                              const int64_t *from_bytes, struct comm_request *r) {
    (void)c, (void)to, (void)from, (void)r;
    assert_true(to_bytes[2] == 4 && from_bytes[2] == 0);
    reached[COMM_ALL_TO_ALL_V_START]++;
}
static void note_send(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *r) {
    (void)c, (void)x, (void)n, (void)to, (void)tag, (void)r, reached[COMM_SEND_START]++;
}
static void note_receive(struct comm *c, void *x, size_t n, int from, int tag, struct comm_request *r) {
    (void)c, (void)x, (void)n, (void)from, (void)tag, (void)r, reached[COMM_RECEIVE_START]++;
}
static void note_progress(struct comm *c) {
    (void)c, reached[COMM_PROGRESS]++;
}
static void note_wait(struct comm *c, struct comm_request *r) {
    (void)c;
    reached[COMM_WAIT]++;
    r->active = false;
}
static void note_sum(struct comm *c, double *x, int n) {
    (void)c, (void)x, (void)n, reached[COMM_SUM]++;
}
static void note_max(struct comm *c, double *x, int n) {
    (void)c, (void)x, (void)n, reached[COMM_MAX]++;
}
static void note_barrier(struct comm *c) {
    (void)c, reached[COMM_BARRIER]++;
}
static void note_rest(struct comm *c) {
    (void)c, reached[COMM_REST]++;
}
static void note_broadcast(struct comm *c, void *x, size_t n) {
    (void)c, (void)x, (void)n, reached[COMM_BROADCAST]++;
}
static void note_gather(struct comm *c, const void *mine, size_t n, void *all) {
    (void)c, (void)mine, (void)n, (void)all;
    reached[COMM_ALL_GATHER]++;
}
static const struct comm_ops noting = {.all_reduce_start = note_start,
                                       .reduce_scatter_start = note_scatter,
                                       .all_gather_start = note_gather_start,
                                       .broadcast_start = note_broadcast_start,
                                       .all_to_all_start = note_all_to_all,
                                       .all_to_all_v_start = note_all_to_all_v,
                                       .send_start = note_send,
                                       .receive_start = note_receive,
                                       .progress = note_progress,
                                       .wait = note_wait,
                                       .sum = note_sum,
                                       .max = note_max,
                                       .barrier = note_barrier,
                                       .rest = note_rest,
                                       .broadcast = note_broadcast,
                                       .all_gather = note_gather};

/* Calls each operation once through a counter around `noting`. */
static void call_all(struct comm_counter *k, enum comm_count_mode mode) {
    struct comm inner = {.ops = &noting, .rank = 2, .size = 3, .nodes = 1, .local_rank = 2, .local_size = 3}, w;
    struct comm_request r = {.active = true};
    float x[10] = {0};
    double y[3] = {0};
    int mine = 7, all[3] = {0}, seven[3] = {7, 8, 9}, from[3] = {0}, uneven[4] = {0};
    const int64_t out[3] = {8, 0, 4}, in[3] = {4, 4, 0}, more[3] = {8, 8, 0};
    memset(reached, 0, sizeof reached);
    comm_count_wrap(&w, k, &inner, mode);
    assert_int_equal(w.rank, 2);
    assert_int_equal(w.size, 3);
    w.ops->all_reduce_start(&w, x, 10, KERNEL_F32, &r);
    assert_int_equal(r.active, mode == COMM_FORWARD);
    w.ops->reduce_scatter_start(&w, x, 18, KERNEL_BF16, &r);
    w.ops->all_gather_start(&w, x, 8, 2, &r);
    w.ops->broadcast_start(&w, x, 13, 1, &r);
    w.ops->all_to_all_start(&w, seven, from, sizeof *from, &r);
    w.ops->all_to_all_v_start(&w, seven, out, uneven, in, &r);
    w.ops->send_start(&w, x, 5, 0, 0, &r);
    w.ops->receive_start(&w, x, 6, 0, 0, &r);
    w.ops->progress(&w);
    w.ops->wait(&w, &r);
    w.ops->sum(&w, y, 3);
    w.ops->max(&w, y, 2);
    w.ops->barrier(&w);
    w.ops->rest(&w);
    w.ops->broadcast(&w, x, 11);
    w.ops->all_gather(&w, &mine, sizeof mine, all);
    for (int i = 0; mode == COMM_ONLY_COUNT && i < 3; i++) assert_int_equal(all[i], 7);
    assert_int_equal(from[2], mode == COMM_FORWARD ? 0 : 9);
    assert_int_equal(uneven[1], mode == COMM_FORWARD ? 0 : 8);
    assert_int_equal(uneven[2], 0); /* what does not fit */
    if (mode == COMM_FORWARD) return;
    struct comm_counter again;
    comm_count_wrap(&w, &again, &inner, mode);
    w.ops->all_to_all_v_start(&w, seven, out, uneven, more, &r);
    assert_true(uneven[2] == 9 && uneven[3] == 0); /* what there is */
}

static void calls_and_bytes_are_counted(void **state) {
    (void)state;
    static const int bytes[COMM_OPS] = {40, 36, 16, 13, 12, 12, 5, 6, 0, 0, 24, 16, 0, 0, 11, 4};
    for (int mode = COMM_FORWARD; mode <= COMM_ONLY_COUNT; mode++) {
        struct comm_counter k;
        call_all(&k, (enum comm_count_mode)mode);
        for (int op = 0; op < COMM_OPS; op++) {
            const bool passes = mode == COMM_FORWARD || (mode == COMM_NULL_SUMS && op >= COMM_SUM);
            assert_int_equal(k.op[op].calls, 1);
            assert_int_equal(k.op[op].bytes, bytes[op]);
            assert_int_equal(reached[op], passes);
        }
    }
}

/* All calls and bytes of a counter. */
static int64_t counted(const struct comm_counter *k) {
    int64_t sum = 0;
    for (int op = 0; op < COMM_OPS; op++) sum += k->op[op].calls + k->op[op].bytes;
    return sum;
}

static void groups_count_for_themselves(void **state) {
    (void)state;
    for (int mode = COMM_FORWARD; mode <= COMM_ONLY_COUNT; mode++) {
        struct comm_counter k;
        struct comm inner, w, g, part, none;
        double y = 2;
        comm_serial(&inner);
        comm_count_wrap(&w, &k, &inner, (enum comm_count_mode)mode);
        assert_ptr_equal(comm_counter_of(&w), &k);
        assert_null(comm_counter_of(&inner));
        assert_int_equal(comm_split(&w, 0, 0, &g, NULL), BASE_OK);
        assert_int_equal(comm_split(&g, 0, 0, &part, NULL), BASE_OK);
        assert_int_equal(comm_split(&w, -1, 0, &none, NULL), BASE_OK);
        assert_null(comm_counter_of(&none));
        nothing_happens_in(&none);
        assert_int_equal(comm_counter_of(&g)->mode, mode);
        g.ops->sum(&g, &y, 1);
        assert_int_equal(counted(comm_counter_of(&g)), 1 + sizeof y);
        assert_int_equal(counted(comm_counter_of(&part)), 0);
        assert_int_equal(counted(&k), 0);
        comm_close(&part);
        comm_close(&g);
        comm_close(&none);
        comm_close(&w);
        assert_int_equal(inner.size, 1);
    }
}

/* A process that plays a rank of a larger world also plays it in a group. */
static void a_group_where_nothing_is_sent_is_all(void **state) {
    (void)state;
    struct comm_counter k;
    struct comm inner, w, g;
    int mine = 7, all[6] = {0};
    comm_serial(&inner);
    inner.size = 6, inner.rank = 4;
    comm_count_wrap(&w, &k, &inner, COMM_ONLY_COUNT);
    assert_int_equal(comm_agree(&w, BASE_NO, NULL), BASE_NO);
    assert_int_equal(comm_split(&w, 3, 1, &g, NULL), BASE_OK);
    assert_int_equal(g.size, 6);
    assert_int_equal(g.rank, 4);
    g.ops->all_gather(&g, &mine, sizeof mine, all);
    for (int r = 0; r < 6; r++) assert_int_equal(all[r], 7);
    assert_int_equal(counted(&k), 0);
    comm_close(&g);
}

/* Texts of MPI_Get_library_version, as the makers print them. */
static void a_library_is_that_of_the_build_or_not(void **state) {
    (void)state;
    static const struct {
        const char *text, *family, *version;
        bool is;
    } rows[] = {
        {"Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4", "Open MPI", "4.1", true},
        {"Open MPI v5.0.5, package: x, ident: 5.0.5", "Open MPI", "4.1", false},
        {"Open MPI v4.10.0, package: x", "Open MPI", "4.1", false},
        {"MPICH Version: 4.0.2", "MPICH", "4.0.2", true},
        {"MPICH Version: 4.0.3", "MPICH", "4.0.2", true},
        {"MPICH Version: 4.1", "MPICH", "4.0.2", false},
        {"MPICH Version: 4.0.2", "Open MPI", "4.1", false},
        {"MPI VERSION : CRAY MPICH version 8.1.29.24 (ANL base 3.4a2)", "MPICH", "3.4a2", true},
        {"MPI VERSION : CRAY MPICH version 8.1.29.24 (ANL base 3.4a2)", "MPICH", "4.0.2", false},
        {"Intel(R) MPI Library 2021.9 for Linux* OS", "Intel", "2021.9.0", true},
        {"Intel(R) MPI Library 2019.9 for Linux* OS", "Intel", "2021.9.0", false},
        {"Intel(R) MPI Library 2021.9 for Linux* OS", "MPICH", "3.4", false},
        {"a vendor's MPI 7", "MPICH", "3.4", true}, /* nobody knows */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (comm_library_is(rows[i].text, rows[i].family, rows[i].version) != rows[i].is) fail_msg("%s", rows[i].text);
    assert_int_equal(comm_library_check(NULL), BASE_OK);
    assert_null(strpbrk(comm_library(), "\t\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rank_sums_to_itself),
        cmocka_unit_test(one_rank_agrees_with_itself),
        cmocka_unit_test(launchers_are_noticed),
        cmocka_unit_test(another_mpis_launcher_is_refused),
        cmocka_unit_test(calls_and_bytes_are_counted),
        cmocka_unit_test(one_rank_splits_into_itself_or_nobody),
        cmocka_unit_test(a_library_is_that_of_the_build_or_not),
        cmocka_unit_test(groups_count_for_themselves),
        cmocka_unit_test(a_group_where_nothing_is_sent_is_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
