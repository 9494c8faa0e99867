/* SPDX-License-Identifier: Apache-2.0
 *
 * A rank's number of threads by its mask and grants, its warnings, and when it does not pin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "measure/placement.h"

enum { RANKS = 4 };

/* All ranks of the node are like this one. */
static void gather_alike(struct comm *c, const void *mine, size_t bytes, void *all) {
    for (int i = 0; i < c->size; i++) memcpy((char *)all + (size_t)i * bytes, mine, bytes);
}
/* Every second rank is like this one; the others differ in everything that is compared. */
static void gather_halves(struct comm *c, const void *mine, size_t bytes, void *all) {
    gather_alike(c, mine, bytes, all);
    for (int i = 1; i < c->size; i += 2)
        for (size_t b = 3 * sizeof(int); b < bytes; b++) ((unsigned char *)all)[(size_t)i * bytes + b] ^= 1;
}

/* The same, each with a local rank of its own. */
static void gather_in_turn(struct comm *c, const void *mine, size_t bytes, void *all) {
    gather_alike(c, mine, bytes, all);
    for (int i = 0; i < c->size; i++) memcpy((char *)all + (size_t)i * bytes + sizeof i, &i, sizeof i);
}

static const struct {
    int cpus, ranks;
    double quota;
    int node, task, omp, limit, asked;
    int threads;
    const char *from, *says; /* NULL: no warning */
    bool loose;
} rows[] = {
    {8, 1, 0, 0, 0, 0, 0, 0, 8, "affinity mask", NULL, false},
    {8, 4, 0, 0, 0, 0, 0, 0, 2, "affinity mask", NULL, false},
    {8, 1, 0, 0, 0, 1, 0, 0, 1, "OMP_NUM_THREADS",
     "OMP_NUM_THREADS leaves 7 of the 8 CPUs granted to this rank idle: pass --threads 8, or unset it", false},
    {8, 1, 0, 0, 0, 3, 0, 0, 3, "OMP_NUM_THREADS", "leaves 5 of the 8 CPUs", false},
    {8, 1, 0, 0, 0, 4, 0, 0, 4, "OMP_NUM_THREADS", NULL, false}, /* half: one on each core */
    {8, 4, 0, 0, 0, 1, 0, 0, 1, "OMP_NUM_THREADS", NULL, false},
    {8, 2, 0, 0, 0, 1, 0, 0, 1, "OMP_NUM_THREADS", "leaves 3 of the 4 CPUs", false},
    {8, 1, 0, 0, 0, 1, 0, 8, 8, "--threads", NULL, false},
    {8, 1, 0, 0, 0, 8, 0, 1, 1, "--threads", NULL, false}, /* as asked: no warning */
    {8, 1, 0, 0, 0, 0, 2, 0, 2, "OMP_THREAD_LIMIT", "raise or unset", false},
    {8, 1, 0, 8, 1, 0, 0, 0, 1, "SLURM_CPUS_PER_TASK", "--cpus-per-task", false},
    {8, 1, 0, 1, 1, 0, 0, 0, 1, "SLURM_CPUS_ON_NODE", NULL, true}, /* the other jobs have the rest */
    {8, 2, 0, 4, 0, 0, 0, 0, 2, "SLURM_CPUS_ON_NODE", NULL, true},
    {8, 4, 0, 2, 0, 0, 0, 0, 1, "SLURM_CPUS_ON_NODE",
     "4 ranks share the 2 CPUs of SLURM_CPUS_ON_NODE and wait for each other, so no rate is a figure: start at most 2",
     true},
    {8, 2, 0, 64, 4, 0, 0, 0, 4, "affinity mask", NULL, false},
    {8, 1, 0.5, 0, 0, 0, 0, 0, 1, "cgroup quota", NULL, true},
    {8, 1, 1.5, 0, 0, 0, 0, 0, 1, "cgroup quota", NULL, true},
    {8, 2, 6, 0, 0, 0, 0, 0, 3, "cgroup quota", NULL, true},
    {8, 2, 1.5, 0, 0, 0, 0, 0, 1, "cgroup quota",
     "2 ranks share a cgroup quota of 1.5 CPUs and wait for each other, so no rate is a figure: start at most 1", true},
    {8, 1, 4, 0, 0, 0, 0, 6, 6, "--threads",
     "6 threads are more than the cgroup quota grants this rank: pass --threads 4", true},
    {8, 1, 4, 0, 0, 0, 0, 8, 8, "--threads", "pass --threads 4", false}, /* one on each: whose they are is plain */
    {8, 1, 0, 4, 0, 0, 0, 6, 6, "--threads", "SLURM_CPUS_ON_NODE grants this rank: pass --threads 4", true},
    {2, 1, 0, 0, 0, 0, 0, 4, 4, "--threads", "4 threads share 2 CPUs: results will be slow; pass --threads 2", false},
    {2, 4, 0, 0, 0, 0, 0, 0, 1, "affinity mask",
     "4 ranks share 2 CPUs and wait for each other, so no rate is a figure: start at most 2", false},
};

static void place(struct measure_placement *p, int i, const struct comm_ops *ops) {
    struct base_cpu cpus[8];
    const struct measure_grants grants = {{0, rows[i].quota, rows[i].node, rows[i].task, rows[i].omp, rows[i].limit},
                                          "g"};
    struct comm world = {.ops = ops, .size = rows[i].ranks, .nodes = 1, .local_size = rows[i].ranks};
    for (int k = 0; k < rows[i].cpus; k++) cpus[k] = (struct base_cpu){.cpu = k, .core = k};
    memset(p, 0, sizeof *p);
    measure_place_by(p, &world, rows[i].asked, cpus, rows[i].cpus, &grants);
}

static void the_least_is_taken_and_named(void **state) {
    (void)state;
    const struct comm_ops ops = {.all_gather = gather_alike};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct measure_placement p;
        place(&p, (int)i, &ops);
        assert_int_equal(p.threads, rows[i].threads);
        assert_string_equal(p.threads_from, rows[i].from);
        if (rows[i].says)
            assert_non_null(strstr(p.warning, rows[i].says));
        else if (!strstr(p.warning, "of the node's")) /* this machine may have more CPUs than the mask */
            assert_string_equal(p.warning, "");
        assert_int_equal(p.loose, rows[i].loose);
        assert_false(p.pinned);
    }
}

/* A mask and a group are shared only by their members; the node's allotment by all its ranks. */
static void others_take_nothing(void **state) {
    (void)state;
    const struct comm_ops alike = {.all_gather = gather_alike}, halves = {.all_gather = gather_halves};
    struct base_cpu cpus[8];
    static const struct measure_grants grants[] = {{{0, 6}, "g"}, {{0, 0, 4}, ""}, {{0}, ""}};
    static const int of_all[] = {1, 1, 2}, of_half[] = {3, 1, 4};
    for (int k = 0; k < 8; k++) cpus[k] = (struct base_cpu){.cpu = k, .core = k};
    for (int i = 0; i < 3; i++) {
        struct comm world = {.ops = &alike, .size = RANKS, .nodes = 1, .local_size = RANKS};
        struct measure_placement p = {0};
        measure_place_by(&p, &world, 0, cpus, 8, &grants[i]);
        assert_int_equal(p.threads, of_all[i]);
        world.ops = &halves;
        p = (struct measure_placement){0};
        measure_place_by(&p, &world, 0, cpus, 8, &grants[i]);
        assert_int_equal(p.threads, of_half[i]);
    }
}

/* Pinned if the CPUs belong to this rank alone. */
static void loose_threads_are_not_pinned(void **state) {
    (void)state;
    struct measure_placement p = {.threads = 1, .turns = {.count = 1}, .loose = true};
    struct base_cpus mask, after;
    base_cpus_mask(&mask);
    p.turns.cpu[0] = mask.cpu[0];
    measure_place_pin(&p, MEASURE_BIND_CORE);
    base_cpus_mask(&after);
    assert_false(p.pinned);
    assert_int_equal(after.count, mask.count);
    p.loose = false;
    p.overlaps = true;
    measure_place_pin(&p, MEASURE_BIND_CORE);
    assert_false(p.pinned);
    p.overlaps = false;
    measure_place_pin(&p, MEASURE_BIND_NONE);
    assert_false(p.pinned);
    measure_place_pin(&p, MEASURE_BIND_CORE);
    assert_true(p.pinned);
}

/* Hardware threads of one core, numbered as Linux does on most machines (i and i + cores), or side by side. */
static const struct siblings {
    int cpus, cores, apart; /* apart: the distance between siblings */
    int ranks, index, quota, asked;
    int threads, first[8]; /* the CPUs that the first threads take */
    int share[8];          /* those of the rank */
    bool loose;
} siblings[] = {
    {8, 4, 4, 1, 0, 0, 0, 4, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7}, false},
    {8, 4, 1, 1, 0, 0, 0, 4, {0, 2, 4, 6}, {0, 1, 2, 3, 4, 5, 6, 7}, false},
    {8, 4, 4, 2, 0, 0, 0, 2, {0, 1}, {0, 1, 4, 5}, false},
    {8, 4, 4, 2, 1, 0, 0, 2, {2, 3}, {2, 3, 6, 7}, false},
    {8, 4, 1, 2, 1, 0, 0, 2, {4, 6}, {4, 5, 6, 7}, false},
    {8, 4, 4, 1, 0, 0, 6, 6, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5, 6, 7}, false}, /* siblings, as asked */
    {8, 4, 1, 1, 0, 0, 6, 6, {0, 2, 4, 6, 1, 3}, {0, 1, 2, 3, 4, 5, 6, 7}, false},
    {8, 2, 2, 1, 0, 0, 0, 2, {0, 1}, {0, 1, 2, 3, 4, 5, 6, 7}, false}, /* four threads a core */
    {8, 4, 4, 1, 0, 2, 0, 2, {0, 1}, {0, 1, 2, 3, 4, 5, 6, 7}, true},
};
static void check_siblings(const struct siblings *s) {
    const struct comm_ops ops = {.all_gather = gather_in_turn};
    struct comm world = {.ops = &ops, .size = s->ranks, .local_size = s->ranks, .local_rank = s->index, .nodes = 1};
    const struct measure_grants grants = {{0, s->quota}, "g"};
    struct base_cpu cpus[8];
    struct measure_placement *p = calloc(1, sizeof *p);
    for (int i = 0; i < s->cpus; i++)
        cpus[i] = (struct base_cpu){.cpu = i, .core = s->apart == 1 ? i / (s->cpus / s->cores) : i % s->cores};
    measure_place_by(p, &world, s->asked, cpus, s->cpus, &grants);
    assert_int_equal(p->threads, s->threads);
    assert_int_equal(p->cores, s->cores / s->ranks);
    assert_int_equal(p->cpus.count, s->cpus / s->ranks);
    assert_int_equal(p->loose, s->loose);
    for (int i = 0; i < s->threads; i++) assert_int_equal(p->turns.cpu[i], s->first[i]);
    for (int i = 0; i < p->cpus.count; i++) assert_int_equal(p->cpus.cpu[i], s->share[i]);
    free(p);
}
static void siblings_are_left_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof siblings / sizeof *siblings; i++) check_siblings(&siblings[i]);
}

int main(void) {
    static const char *const names[] = {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"};
    for (int i = 0; i < 3; i++) unsetenv(names[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_is_taken_and_named),
        cmocka_unit_test(others_take_nothing),
        cmocka_unit_test(loose_threads_are_not_pinned),
        cmocka_unit_test(siblings_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
