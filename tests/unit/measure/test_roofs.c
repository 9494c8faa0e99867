/* SPDX-License-Identifier: Apache-2.0
 *
 * Which roofs are measured on made-up machines: CPUs, threads, working sets, and what is skipped and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/roofs.h"

enum { MOST = 64, KIB = 1 << 10, MIB = 1 << 20 };

/* A machine of `nodes` NUMA nodes of `cores` cores of `siblings` CPUs, numbered as Linux does: first one CPU of each
 * core, then their siblings. L1 and L2 are a core's, L3 a node's. */
struct made {
    int nodes, cores, siblings;
    long long l1, l2, l3;
};

static int make(const struct made *m, struct base_cpu *cpus) {
    const int cores = m->nodes * m->cores, count = cores * m->siblings;
    for (int i = 0; i < count; i++) {
        const int core = i % cores, node = core / m->cores;
        cpus[i] = (struct base_cpu){.cpu = i,
                                    .core = core,
                                    .node = node,
                                    .cache = {core, core, m->l3 ? node : -1},
                                    .cache_bytes = {m->l1, m->l2, m->l3}};
    }
    return count;
}

static const struct measure_roofs_limits PLENTY = {
    .threads = MOST, .pinned = true, .cap = KERNEL_ISA_ref, .memory = 1e15, .node_memory = 1e15};

static struct measure_roofs choose(const struct base_cpu *cpus, int count, struct measure_roofs_limits limits) {
    struct measure_roofs r;
    if (limits.threads > count) limits.threads = count;
    assert_int_equal(measure_roofs_choose(&r, cpus, count, &limits, NULL), BASE_OK);
    return r;
}

static struct measure_roofs choose_made(const struct made *m, struct measure_roofs_limits limits) {
    struct base_cpu cpus[MOST];
    return choose(cpus, make(m, cpus), limits);
}

/* How many rows of a kind, with these threads (0: any), were chosen or skipped. */
static int rows(const struct measure_roofs *r, enum measure_roof_kind kind, int level, int threads, bool skipped) {
    int n = 0;
    for (int i = 0; i < r->count; i++) {
        const struct measure_roof *row = &r->rows[i];
        n += row->kind == kind && row->level == level && (!threads || row->threads == threads) &&
             (row->skipped[0] != 0) == skipped;
    }
    return n;
}

static const struct measure_roof *row_of(const struct measure_roofs *r, enum measure_roof_kind kind, int level,
                                         int threads) {
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].kind == kind && r->rows[i].level == level && r->rows[i].threads == threads) return &r->rows[i];
    fail_msg("no row of kind %d, level %d, %d threads", kind, level, threads);
    return r->rows;
}

static void says(const char *text, const char *words) {
    if (!strstr(text, words)) fail_msg("no \"%s\" in \"%s\"", words, text);
}

/* One node: each roof on 1, 2, 4 and all 6 threads, and each set between the level below and its own. */
static void one_node(void **state) {
    (void)state;
    const struct made m = {1, 6, 1, 32 * KIB, MIB, 48 * MIB};
    struct measure_roofs r = choose_made(&m, PLENTY);
    static const int counts[] = {1, 2, 4, 6};
    assert_int_equal(r.place_count, 1);
    assert_int_equal(rows(&r, MEASURE_ROOF_PEAK, 0, 0, false), 4);
    assert_int_equal(rows(&r, MEASURE_ROOF_MEMORY, 0, 0, false), 3 * 4);
    for (int i = 0; i < 4; i++)
        for (int level = 1; level <= 3; level++) {
            const int t = counts[i];
            const double below = level == 1 ? 0 : level == 2 ? m.l1 : (double)m.l2;
            const double own = level == 1 ? (double)m.l1 : level == 2 ? (double)m.l2 : (double)m.l3 / t;
            const struct measure_roof *row = row_of(&r, MEASURE_ROOF_CACHE, level, t);
            assert_int_equal(rows(&r, MEASURE_ROOF_CACHE, level, t, false), 3);
            if (row->bytes < 1.4 * below || row->bytes > own / 1.4)
                fail_msg("L%d, %d threads: %g", level, t, row->bytes);
        }
    assert_true(row_of(&r, MEASURE_ROOF_MEMORY, 0, 6)->bytes == 2.0 * 48 * MIB);
    measure_roofs_close(&r);
}

/* --threads may be no power of two, and more than there are CPUs. */
static void threads_as_asked(void **state) {
    (void)state;
    const struct made m = {1, 2, 1, 32 * KIB, MIB, 0};
    struct base_cpu cpus[MOST];
    struct measure_roofs_limits limits = PLENTY;
    struct measure_roofs r;
    limits.threads = 5;
    assert_int_equal(measure_roofs_choose(&r, cpus, make(&m, cpus), &limits, NULL), BASE_OK);
    assert_int_equal(rows(&r, MEASURE_ROOF_PEAK, 0, 0, false), 4); /* 1, 2, 4, 5 */
    assert_int_equal(rows(&r, MEASURE_ROOF_PEAK, 0, 5, false), 1);
    assert_true(row_of(&r, MEASURE_ROOF_CACHE, 1, 5)->bytes ==
                floor(32.0 * KIB / 3 / 2)); /* three threads on one core */
    measure_roofs_close(&r);
}

/* Siblings come last, and nodes and their caches take turns. Two siblings have half a core's caches each. */
static void siblings_come_last(void **state) {
    (void)state;
    const struct made m = {2, 4, 2, 48 * KIB, 2 * MIB, 64 * MIB};
    struct measure_roofs r = choose_made(&m, PLENTY);
    const struct measure_roof_place *all = &r.places[0];
    char why[200];
    assert_int_equal(all->count, 16);
    for (int i = 0; i < 16; i++) assert_int_equal(all->cpus[i].cpu < 8, i < 8);
    for (int i = 0; i < 8; i += 2) assert_true(all->cpus[i].node == 0 && all->cpus[i + 1].node == 1);
    assert_true(measure_roofs_working_set(all, 1, 8, why) == 24 * KIB);
    assert_true(measure_roofs_working_set(all, 1, 16, why) == 12 * KIB);
    measure_roofs_close(&r);
}

/* Two nodes: each on its own memory with all counts of threads, on the other's with all of the node, and all together.
 */
static void nodes_and_their_matrix(void **state) {
    (void)state;
    const struct made m = {2, 4, 1, 32 * KIB, MIB, 32 * MIB};
    struct measure_roofs r = choose_made(&m, PLENTY);
    int local = 0, remote = 0, whole = 0;
    char text[160];
    assert_int_equal(r.place_count, 3);
    for (int i = 0; i < r.count; i++) {
        const struct measure_roof *row = &r.rows[i];
        if (row->kind != MEASURE_ROOF_MEMORY) continue;
        local += row->place && row->place == row->memory;
        remote += row->place != row->memory;
        whole += !row->place;
        assert_true(row->place ? row->threads <= 4 : row->threads == 8);
        assert_true(row->place == row->memory || row->threads == 4);
        measure_roof_text(&r, row, text, sizeof text);
        if (row->place != row->memory)
            says(text, row->place == 1 ? "4 threads of NUMA node 0 on memory of node 1" : "node 1 on memory of node 0");
    }
    assert_int_equal(local, 2 * 3 * 3); /* nodes, passes, and 1, 2, 4 threads */
    assert_int_equal(remote, 2 * 3);
    assert_int_equal(whole, 3);
    measure_roofs_close(&r);

    struct measure_roofs_limits loose = PLENTY; /* without pinning no thread has a node */
    loose.pinned = false;
    r = choose_made(&m, loose);
    for (int i = 0; i < r.count; i++)
        if (r.rows[i].kind == MEASURE_ROOF_MEMORY && r.rows[i].place) says(r.rows[i].skipped, "not pinned");
    assert_int_equal(rows(&r, MEASURE_ROOF_MEMORY, 0, 8, false), 3);
    measure_roofs_close(&r);
}

/* Fast cores come before slow ones, and a set fits the smallest cache of those that take part. */
static void hybrid_cores(void **state) {
    (void)state;
    struct base_cpu cpus[8];
    char why[200];
    for (int i = 0; i < 8; i++) { /* four slow cores with one L2, then four fast ones */
        const bool fast = i >= 4;
        cpus[i] = (struct base_cpu){.cpu = i, .core = i, .kind = fast, .cache = {i, fast ? i : 0, 0}};
        cpus[i].cache_bytes[0] = (fast ? 48 : 32) * KIB, cpus[i].cache_bytes[1] = 2 * MIB,
        cpus[i].cache_bytes[2] = 30 * MIB;
    }
    struct measure_roofs r = choose(cpus, 8, PLENTY);
    for (int i = 0; i < 8; i++) assert_int_equal(r.places[0].cpus[i].kind, i < 4);
    assert_true(measure_roofs_working_set(&r.places[0], 1, 4, why) == 24 * KIB);
    assert_true(measure_roofs_working_set(&r.places[0], 1, 8, why) == 16 * KIB);
    const double l2 = measure_roofs_working_set(&r.places[0], 2, 8, why);
    assert_true(l2 >= 96 * KIB && l2 <= 256 * KIB); /* the slow share 512 KiB each */
    measure_roofs_close(&r);
    cpus[0].cache_bytes[2] = 0, cpus[0].cache[2] = -1;
    r = choose(cpus, 8, PLENTY);
    assert_int_equal(rows(&r, MEASURE_ROOF_CACHE, 3, 4, false), 3);
    says(row_of(&r, MEASURE_ROOF_CACHE, 3, 8)->skipped, "one of these CPUs reports no such cache");
    measure_roofs_close(&r);
}

/* Without L3, memory is what is beyond L2. An unknown machine has memory alone. */
static void missing_caches(void **state) {
    (void)state;
    const struct made no_l3 = {1, 4, 1, 64 * KIB, MIB, 0}, nothing = {1, 4, 1, 0, 0, 0};
    struct measure_roofs r = choose_made(&no_l3, PLENTY);
    says(row_of(&r, MEASURE_ROOF_CACHE, 3, 1)->skipped, "the system reports no such cache");
    assert_int_equal(rows(&r, MEASURE_ROOF_CACHE, 3, 0, true), 3); /* one for each number of threads */
    assert_true(row_of(&r, MEASURE_ROOF_MEMORY, 0, 1)->bytes == 64 * MIB);
    measure_roofs_close(&r);
    r = choose_made(&nothing, PLENTY);
    for (int level = 1; level <= 3; level++) assert_int_equal(rows(&r, MEASURE_ROOF_CACHE, level, 0, false), 0);
    assert_int_equal(rows(&r, MEASURE_ROOF_MEMORY, 0, 0, false), 9);
    measure_roofs_close(&r);
}

/* An L3 that is hardly larger than the L2s above it holds a set between them for few threads only. */
static void small_l3(void **state) {
    (void)state;
    const struct made m = {1, 16, 1, 32 * KIB, MIB, 22 * MIB}; /* 1.375 MiB a core */
    struct measure_roofs r = choose_made(&m, PLENTY);
    assert_int_equal(rows(&r, MEASURE_ROOF_CACHE, 3, 4, false), 3);
    says(row_of(&r, MEASURE_ROOF_CACHE, 3, 16)->skipped, "a thread's share is 1.38 MiB and that of L2 is 1.00 MiB");
    measure_roofs_close(&r);
}

/* A virtual machine reports the L3 of its host. What fits into half of the free memory is measured, and says so. */
static void absurd_l3(void **state) {
    (void)state;
    const struct made m = {1, 2, 1, 48 * KIB, 2 * MIB, 2048LL * MIB};
    struct measure_roofs_limits limits = PLENTY;
    static const struct {
        double memory;
        const char *note, *skipped;
    } cases[] = {
        {32e9, NULL, NULL},
        {16e9, "each array is only 1.2 times the reported caches of 2.00 GiB, as 14.9 GiB are free", NULL},
        {4e9, NULL, "caches of 2.00 GiB are reported, and with 3.73 GiB free no array may be larger than they"},
        {-1, NULL, NULL},
    };
    for (int i = 0; i < 4; i++) {
        limits.memory = cases[i].memory;
        struct measure_roofs r = choose_made(&m, limits);
        const struct measure_roof *row = row_of(&r, MEASURE_ROOF_MEMORY, 0, 2);
        if (cases[i].memory > 0 && !row->skipped[0]) assert_true(3 * row->bytes <= cases[i].memory / 2);
        assert_string_equal(row->note, cases[i].note ? cases[i].note : "");
        assert_string_equal(row->skipped, cases[i].skipped ? cases[i].skipped : "");
        assert_int_equal(rows(&r, MEASURE_ROOF_MEMORY, 0, 0, true), cases[i].skipped ? 1 : 0);
        measure_roofs_close(&r);
    }
    limits.memory = 50e6; /* even a working set of L3 is too large */
    struct measure_roofs r = choose_made(&m, limits);
    says(row_of(&r, MEASURE_ROOF_CACHE, 3, 1)->skipped, "needed, more than half of the free memory");
    measure_roofs_close(&r);
    const struct made two = {2, 2, 1, 48 * KIB, 2 * MIB, 1024LL * MIB}; /* a full node limits both */
    limits = PLENTY, limits.node_memory = 2e9;
    r = choose_made(&two, limits);
    says(row_of(&r, MEASURE_ROOF_MEMORY, 0, 4)->skipped, "1.86 GiB free");
    measure_roofs_close(&r);
}

/* Sets that cannot run are skipped by name, those of other architectures silently. The dot of BF16 has its own row. */
static void instruction_sets(void **state) {
    (void)state;
    const struct made m = {1, 2, 1, 32 * KIB, MIB, 16 * MIB};
    struct measure_roofs_limits limits = PLENTY;
    limits.cap = KERNEL_ISA_HIGHEST;
    struct measure_roofs r = choose_made(&m, limits);
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        int seen = 0;
        for (int i = 0; i < r.count; i++) {
            const struct measure_roof *row = &r.rows[i];
            if (row->kind != MEASURE_ROOF_PEAK || (int)row->isa != isa) continue;
            seen++;
            assert_int_equal(row->dtype, isa == KERNEL_ISA_avx512bf16 ? KERNEL_BF16 : KERNEL_F32);
            if (!kernel_isa_usable((enum kernel_isa)isa)) says(row->skipped, kernel_isa_name((enum kernel_isa)isa));
        }
        const bool own = kernel_isa_within((enum kernel_isa)isa, limits.cap);
        assert_int_equal(seen, !own ? 0 : kernel_isa_usable((enum kernel_isa)isa) ? 2 : 1);
    }
    measure_roofs_close(&r);
}

/* Sets the row's rate: 1 / call_s bytes a second, within 10%. */
static void timed(struct measure_roof *row, double call_s) {
    row->work = 1, row->timed.calls = 1;
    row->timed.call = (struct base_interval){call_s, 0.9 * call_s, 1.1 * call_s, 0.95};
    assert_int_equal(measure_samples_open(&row->timed.samples, 1, 0, NULL, NULL), BASE_OK);
    measure_samples_add(&row->timed.samples, 0, call_s, NULL, NULL, 0);
}

/* An L3 as fast as memory is reported with a note; one that is faster than it has none. */
static void levels_are_compared(void **state) {
    (void)state;
    const struct made m = {1, 1, 1, 32 * KIB, MIB, 300 * MIB};
    for (int equal = 0; equal < 2; equal++) {
        struct measure_roofs r = choose_made(&m, PLENTY);
        for (int i = 0; i < r.count; i++) {
            const int level = r.rows[i].kind == MEASURE_ROOF_MEMORY ? 4 : r.rows[i].level;
            timed(&r.rows[i], equal && level >= 3 ? 30 : 10.0 * level);
        }
        measure_roofs_cross_check(&r);
        int notes = 0;
        for (int i = 0; i < r.count; i++) notes += r.rows[i].note[0] != 0;
        assert_int_equal(notes, equal);
        for (int i = 0; i < r.count; i++)
            if (r.rows[i].level == 3 && r.rows[i].pass == MEASURE_READ && equal)
                says(r.rows[i].note, "not faster than memory");
        measure_roofs_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node),           cmocka_unit_test(threads_as_asked),
        cmocka_unit_test(siblings_come_last), cmocka_unit_test(nodes_and_their_matrix),
        cmocka_unit_test(hybrid_cores),       cmocka_unit_test(missing_caches),
        cmocka_unit_test(small_l3),           cmocka_unit_test(absurd_l3),
        cmocka_unit_test(instruction_sets),   cmocka_unit_test(levels_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
