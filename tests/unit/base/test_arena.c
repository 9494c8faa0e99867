/* SPDX-License-Identifier: Apache-2.0
 *
 * Arenas are aligned, zeroed, never overlap, and run out when they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

static void pieces_round_up(void **state) {
    (void)state;
    assert_int_equal(base_arena_piece(0), 0);
    assert_int_equal(base_arena_piece(1), 64);
    assert_int_equal(base_arena_piece(64), 64);
    assert_int_equal(base_arena_piece(65), 128);
}

static void pieces_are_aligned_zeroed_and_apart(void **state) {
    (void)state;
    struct base_arena arena;
    struct base_error e;
    static const size_t sizes[] = {1, 64, 100, 5000000, 0, 63};
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) total += base_arena_piece(sizes[i]);
    assert_int_equal(base_arena_open(&arena, total, 3, &e), 0);
    assert_true(arena.size == total && arena.used == 0);
    assert_int_equal((uintptr_t)arena.base % (2 << 20), 0);
    char *end = arena.base;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *piece = base_arena_take(&arena, sizes[i]);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % BASE_ALIGN, 0);
        assert_true(piece >= end && piece + sizes[i] <= arena.base + total);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(piece[k], 0);
        memset(piece, 0xab, sizes[i]);
        end = piece + sizes[i];
    }
    assert_true(arena.used == total);
    assert_null(base_arena_take(&arena, 1));
    assert_non_null(base_arena_take(&arena, 0));
    base_arena_close(&arena);
    assert_null(arena.base);
    base_arena_close(&arena);
}

/* Pages that this test's own threads touched are near its CPUs, and near no others. Without NUMA nobody knows. */
static void pages_are_near(void **state) {
    (void)state;
    struct base_arena arenas[2];
    struct base_cpus mask, none = {.count = 0};
    base_cpus_mask(&mask);
    assert_int_equal(base_arena_open(&arenas[0], 40 << 20, 2, NULL), 0); /* more than 4,096 pages */
    assert_int_equal(base_arena_open(&arenas[1], 0, 1, NULL), 0);
    const double near = base_arenas_near(arenas, 2, &mask), far = base_arenas_near(arenas, 2, &none);
    if (isnan(near))
        printf("SKIP: pages near their CPUs: the kernel tells no page's NUMA node\n");
    else if (near != 1 || far != 0)
        fail_msg("%g of the pages are near, and %g near no CPU", near, far);
    assert_true(isnan(base_arenas_near(&arenas[1], 1, &mask)));
    base_arena_close(&arenas[0]), base_arena_close(&arenas[1]);
}

/* What a test sees depends on the kernel's setting, but some share and no reason, or a reason. */
static void pages_are_huge_or_say_why(void **state) {
    (void)state;
    struct base_arena arenas[2];
    char why[64], setting[64];
    assert_int_equal(base_arena_open(&arenas[0], 9 << 20, 2, NULL), 0);
    assert_int_equal(base_arena_open(&arenas[1], 5000, 1, NULL), 0);
    const double all = base_arenas_huge(arenas, 2, why, sizeof why);
    if (isnan(all) || all == 0)
        assert_true(why[0]);
    else if (all < 0.2 || all > 1 || why[0])
        fail_msg("%g of the arenas in huge pages: %s", all, why);
    base_file_line("/sys/kernel/mm/transparent_hugepage/enabled", setting, sizeof setting);
    if (strstr(setting, "[never]")) assert_true(all == 0 && strstr(why, "never"));
    if (!isnan(all)) {
        assert_true(base_arenas_huge(&arenas[1], 1, why, sizeof why) == 0);
        assert_true(!strcmp(why, "no arena is as large as one") || all == 0);
    }
    base_arena_close(&arenas[0]), base_arena_close(&arenas[1]);
}

static void arenas_run_out(void **state) {
    (void)state;
    struct base_arena arena;
    assert_int_equal(base_arena_open(&arena, 100, 1, NULL), 0);
    assert_null(base_arena_take(&arena, 101));
    assert_null(base_arena_take(&arena, SIZE_MAX));
    assert_non_null(base_arena_take(&arena, 100));
    assert_null(base_arena_take(&arena, 1));
    base_arena_close(&arena);
    assert_int_equal(base_arena_open(&arena, 0, 2, NULL), 0);
    assert_non_null(base_arena_take(&arena, 0));
    assert_null(base_arena_take(&arena, 1));
    base_arena_close(&arena);
}

static void too_much_is_refused(void **state) {
    (void)state;
    struct base_arena arena = {.base = NULL, .size = 77};
    struct base_error e = {0};
    assert_int_equal(base_arena_open(&arena, (size_t)1 << 60, 1, &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, "1.00 EiB needed"));
    assert_true(arena.size == 77);
    assert_int_equal(base_arena_open(&arena, SIZE_MAX - 1, 1, &e), BASE_BROKEN);
}

static void memory_of_this_process(void **state) {
    (void)state;
    enum { SIZE = 48 << 20 };
    long long before = base_memory_resident();
    if (before < 0) {
        printf("SKIP: memory_of_this_process: no /proc/self/status\n");
        return;
    }
    struct base_arena arena;
    assert_int_equal(base_arena_open(&arena, SIZE, 2, NULL), 0);
    assert_true(base_memory_resident() - before > SIZE - (2 << 20)); /* touched, so resident */
    base_arena_close(&arena);
    long long after = base_memory_resident();
    assert_true(after < before + SIZE / 2);
    assert_true(base_memory_peak() >= before + SIZE - (2 << 20));
    if (base_memory_peak_reset())
        assert_true(base_memory_peak() < before + SIZE / 2);
    else
        printf("SKIP: memory_peak_reset: /proc/self/clear_refs cannot be written\n");
    long long total = base_file_field_number("/proc/meminfo", "MemTotal") * 1024, available = base_memory_available();
    assert_true(available > 0 && available <= total);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_round_up),
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(pages_are_near),
        cmocka_unit_test(arenas_run_out),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(memory_of_this_process),
        cmocka_unit_test(pages_are_huge_or_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
