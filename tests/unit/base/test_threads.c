/* SPDX-License-Identifier: Apache-2.0
 *
 * Shares of CPUs add up, pinning gives each thread its own CPU or none, and any machine can be described. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/threads.h"
#include "base/topology.h"

static struct base_cpus of_list(int count, const int *cpu) {
    struct base_cpus cpus = {.count = count};
    for (int i = 0; i < count; i++) cpus.cpu[i] = cpu[i];
    return cpus;
}

/* Every CPU is in exactly one share, in order; sizes differ by one at most */
static void shares_add_up(void **state) {
    (void)state;
    static struct base_cpus mask, share;
    for (mask.count = 1; mask.count <= 33; mask.count++) {
        for (int i = 0; i < mask.count; i++) mask.cpu[i] = 5 + 3 * i;
        for (int shares = 1; shares <= mask.count; shares++) {
            int next = 0;
            for (int s = 0; s < shares; s++) {
                base_cpus_share(&mask, s, shares, &share);
                assert_in_range(share.count, mask.count / shares, (mask.count + shares - 1) / shares);
                for (int i = 0; i < share.count; i++) assert_int_equal(share.cpu[i], mask.cpu[next++]);
            }
            assert_int_equal(next, mask.count);
        }
    }
}

static void more_shares_than_cpus_overlap_evenly(void **state) {
    (void)state;
    struct base_cpus mask = of_list(3, (const int[]){1, 4, 9}), share;
    int used[10] = {0};
    for (int s = 0; s < 8; s++) {
        base_cpus_share(&mask, s, 8, &share);
        assert_int_equal(share.count, 1);
        used[share.cpu[0]]++;
    }
    assert_int_equal(used[1] + used[4] + used[9], 8);
    assert_true(used[1] >= 2 && used[4] >= 2 && used[9] >= 2);
    base_cpus_share(&mask, 1, 3, &mask); /* a share may replace its mask */
    assert_true(mask.count == 1 && mask.cpu[0] == 4);
}

static void lists_read_as_ranges(void **state) {
    (void)state;
    static const struct {
        int count, cpu[6];
        const char *text;
    } rows[] = {{0, {0}, ""}, {1, {7}, "7"}, {5, {0, 1, 2, 3, 8}, "0-3,8"}, {4, {0, 2, 3, 5}, "0,2-3,5"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct base_cpus cpus = of_list(rows[i].count, rows[i].cpu);
        char text[64], cut[4];
        base_cpus_text(&cpus, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        base_cpus_text(&cpus, cut, sizeof cut);
        assert_int_equal(strncmp(cut, text, 3), 0);
    }
}

/* This test's own mask is restored at its end, for those after it */
static void threads_get_a_cpu_each_or_none(void **state) {
    (void)state;
    struct base_cpus mask, now;
    cpu_set_t before;
    base_cpus_mask(&mask);
    assert_in_range(mask.count, 1, BASE_CPUS_MAX);
    assert_true(base_cpus_online() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);

    assert_false(base_threads_pin(&mask, NULL, mask.count + 1));
    assert_int_equal(omp_get_max_threads(), mask.count + 1);
    base_cpus_mask(&now);
    assert_int_equal(now.count, mask.count);

    struct base_cpus first = mask;
    first.count = 1;
    setenv("OMP_PROC_BIND", "close", 1);
    assert_false(base_threads_pin(&mask, NULL, 1));
    base_cpus_confine(&first);
    unsetenv("OMP_PROC_BIND");
    assert_int_equal(base_cpus_only(0), mask.count == 1 ? mask.cpu[0] : -1);
    base_cpus_confine(&first);
    assert_int_equal(base_cpus_only(0), mask.cpu[0]);
    base_cpus_confine(&mask);
    assert_int_equal(base_cpus_only(-1), -1);
    base_cpus_mask(&now);
    assert_int_equal(now.count, mask.count);

    struct base_cpus absent = mask; /* a CPU that does not exist: nothing may remain pinned */
    absent.cpu[mask.count - 1] = BASE_CPUS_MAX - 1;
    assert_false(base_threads_pin(&absent, NULL, mask.count));
    base_cpus_mask(&now);
    assert_int_equal(now.count, mask.count);

    assert_true(base_threads_pin(&mask, NULL, mask.count));
    assert_int_equal(omp_get_max_threads(), mask.count);
    int wrong = 0, threads = 0;
#pragma omp parallel reduction(+ : wrong, threads)
    {
        struct base_cpus mine;
        base_cpus_mask(&mine);
        wrong += mine.count != 1 || mine.cpu[0] != mask.cpu[omp_get_thread_num()];
        threads++;
        sched_setaffinity(0, sizeof before, &before);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(threads, mask.count);

    int groups[BASE_CPUS_MAX] = {0}; /* one group: each thread may run on all CPUs, and no other */
    assert_true(base_threads_pin(&mask, groups, 1));
    base_cpus_mask(&now);
    assert_int_equal(now.count, mask.count);
    groups[0] = 1;
    assert_true(base_threads_pin(&mask, groups, 1));
    base_cpus_mask(&now);
    assert_int_equal(now.count, 1);
    assert_int_equal(now.cpu[0], mask.cpu[0]);
    sched_setaffinity(0, sizeof before, &before);
}

/* What a thread beside those that compute finds of itself. */
struct beside {
    const struct base_cpus *cpus;
    struct base_cpus mask, after;
    int nice;
};
static void *stand_beside(void *context) {
    struct beside *b = context;
    base_thread_beside(b->cpus);
    sched_yield();
    base_cpus_of(0, &b->mask);
    errno = 0;
    b->nice = getpriority(PRIO_PROCESS, 0);
#pragma omp parallel num_threads(1)
    base_cpus_of(0, &b->after);
    return NULL;
}

/* Its creator has one CPU, as a thread that computes has. */
static void a_thread_beside_has_all_cpus_and_goes_last(void **state) {
    (void)state;
    static struct base_cpus mask;
    static struct beside b;
    cpu_set_t before;
    pthread_t thread;
    base_cpus_mask(&mask);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    struct base_cpus first = mask;
    first.count = 1;
    base_cpus_confine(&first);
    b.cpus = &mask;
    assert_int_equal(pthread_create(&thread, NULL, stand_beside, &b), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(b.mask.count, mask.count);
    assert_int_equal(b.after.count, mask.count);
    const int mine = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(b.nice, mine + 10 < 19 ? mine + 10 : 19);
    base_cpus_of(0, &b.mask);
    assert_int_equal(b.mask.count, 1);
    sched_setaffinity(0, sizeof before, &before);
}

static void this_machine_is_described(void **state) {
    (void)state;
    struct base_topology t;
    memset(&t, 0xff, sizeof t);
    assert_int_equal(base_topology_read(&t, NULL), 0);
    assert_true(t.cpus >= 1 && t.cpus >= t.cores && t.cores >= t.sockets);
    assert_true(t.memory_bytes > 0 && t.kernel[0] != '\0');
    assert_true(strlen(t.host) < sizeof t.host && strlen(t.cpu) < sizeof t.cpu && strlen(t.board) < sizeof t.board);
    assert_true(t.max_hz == 0.0 || (t.max_hz > 1e8 && t.max_hz < 2e10));
    assert_true(t.l3_cpus <= t.cpus && t.l2_cpus <= t.cpus);
}

/* hwloc can also describe machines that do not exist */
static void shapes_are_read_from_hwloc(void **state) {
    (void)state;
    struct base_topology t;
    setenv("HWLOC_SYNTHETIC",
           "pack:2 [numa(memory=17179869184)] l3:4(size=33554432) l2:8(size=1048576) l1d:1(size=49152) core:1 pu:2", 1);
    assert_int_equal(base_topology_read(&t, NULL), 0);
    assert_int_equal(t.sockets, 2);
    assert_int_equal(t.numa_nodes, 2);
    assert_int_equal(t.cores, 64);
    assert_int_equal(t.cpus, 128);
    assert_true(t.l3_bytes == 33554432 && t.l3_cpus == 16);
    assert_true(t.l2_bytes == 1048576 && t.l2_cpus == 2);
    assert_true(t.l1d_bytes == 49152 && t.memory_bytes == 2LL * 17179869184);
    static const struct {
        int threads, ranks;
        struct kernel_caches want;
    } teams[] = {
        {1, 1, {49152, 1048576, 33554432}},        {8, 1, {49152, 1048576, 8 * 33554432LL}},
        {64, 1, {49152, 1048576, 8 * 33554432LL}}, {128, 1, {24576, 524288, 8 * 33554432LL}},
        {8, 16, {24576, 524288, 33554432 / 2}},
    };
    for (size_t i = 0; i < sizeof teams / sizeof *teams; i++) {
        struct kernel_caches caches;
        base_topology_caches(&t, teams[i].threads, teams[i].ranks, &caches);
        assert_memory_equal(&caches, &teams[i].want, sizeof caches);
    }
    setenv("HWLOC_SYNTHETIC", "nonsense:x", 1); /* hwloc fails: what is unknown is 0, and that is no error */
    assert_int_equal(base_topology_read(&t, NULL), 0);
    assert_true(t.cpus >= 1 && t.memory_bytes > 0);
    unsetenv("HWLOC_SYNTHETIC");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_add_up),
        cmocka_unit_test(more_shares_than_cpus_overlap_evenly),
        cmocka_unit_test(lists_read_as_ranges),
        cmocka_unit_test(threads_get_a_cpu_each_or_none),
        cmocka_unit_test(a_thread_beside_has_all_cpus_and_goes_last),
        cmocka_unit_test(this_machine_is_described),
        cmocka_unit_test(shapes_are_read_from_hwloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
