/* SPDX-License-Identifier: Apache-2.0
 *
 * check: full
 * check: timeout 400
 *
 * Records of a whole machine load in seconds. Files of damaged records never break the reader: what it refuses, it
 * refuses by file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "records/lines.h"
#include "records/load.h"

static char path[] = "/tmp/toise-fuzz-XXXXXX.jsonl";

static int open_file(void **state) {
    (void)state;
    const int file = mkstemps(path, 6);
    return file < 0 || fclose(fdopen(file, "w"));
}

static int remove_file(void **state) {
    (void)state;
    return remove(path);
}

static void put(const char *bytes, size_t size) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

enum { SAMPLES = 500, ROOM = 1 << 16 };

static size_t make_record(char *text, int node) {
    size_t n = (size_t)sprintf(text,
                               "{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"PASSED\",\"launch\":{\"id\":"
                               "\"%d\",\"nodes\":1},\"machine\":{\"host\":\"node%d\"},\"samples\":{\"step_s\":[",
                               node, node);
    for (int i = 0; i < SAMPLES; i++) n += (size_t)sprintf(text + n, "%s%.17g", i ? "," : "", 1 + i / 977.0);
    return n + (size_t)sprintf(text + n, "]},\"result\":{\"step_s\":1.5,\"note\":\"\\u00e9\\n\",\"none\":null}}\n");
}

static void test_whole_machine(void **state) {
    (void)state;
    static char text[ROOM];
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 4096; i++) fwrite(text, 1, make_record(text, i), file);
    fclose(file);
    const char *const paths[] = {path};
    struct record_list list;
    const double began = base_clock_now();
    assert_int_equal(record_load(&list, paths, 1, false, NULL), BASE_OK);
    print_message("4,096 records of %d samples: %.1f s\n", SAMPLES, base_clock_now() - began);
    assert_int_equal(list.count, 4096);
    record_list_close(&list);
}

static uint64_t next(void) {
    static uint64_t turn;
    return base_random_u64(17, BASE_STREAM_TEST, turn++);
}

/* A few bytes changed, removed, doubled or cut off, in a file of three records */
static size_t damage(char *text, size_t size) {
    for (int faults = 1 + (int)(next() % 4); faults && size > 8; faults--) {
        const size_t at = next() % size, rest = size - at;
        const size_t part = 1 + next() % (rest < 40 ? rest : 40);
        switch (next() % 5) {
        case 0:
            text[at] = (char)next();
            break;
        case 1:
            text[at] = "{}[]\",:\\\n\r0-eE."[next() % 15];
            break;
        case 2:
            memmove(text + at, text + at + part, rest - part), size -= part;
            break;
        case 3:
            memmove(text + at + part, text + at, rest), size += part;
            break;
        default:
            size = at;
        }
    }
    return size;
}

static void test_damaged(void **state) {
    (void)state;
    static char text[4 * ROOM];
    const char *const paths[] = {path};
    int refused = 0;
    for (int turn = 0; turn < 2000; turn++) {
        struct record_list list;
        struct base_error e = {0};
        size_t size = 0;
        for (int i = 0; i < 3; i++) size += make_record(text + size, i);
        put(text, damage(text, size));
        if (record_load(&list, paths, 1, false, &e)) {
            assert_int_equal(e.code, BASE_USAGE);
            assert_non_null(strstr(e.text, path));
            refused++;
        }
        const size_t good = list.count;
        record_list_close(&list);
        (void)!record_load(&list, paths, 1, true, &e);
        assert_true(list.count >= good);
        record_list_close(&list);
    }
    print_message("%d of 2,000 damaged files refused\n", refused);
    assert_in_range(refused, 1000, 2000);
}

/* A hole of 1 GiB is a line of NULs. */
static void test_gigabyte(void **state) {
    (void)state;
    const char *const paths[] = {path};
    struct record_list list;
    struct base_error e = {0};
    FILE *file = fopen(path, "w");
    fseek(file, 1L << 30, SEEK_SET);
    fputs("\n{\"schema\":\"toise/1\"}\n", file);
    fclose(file);
    assert_int_equal(record_load(&list, paths, 1, false, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "line 1 is longer than"));
    record_list_close(&list);
    assert_int_equal(record_load(&list, paths, 1, true, &e), BASE_OK);
    assert_int_equal(list.count, 1);
    record_list_close(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_machine), cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_gigabyte)};
    return cmocka_run_group_tests(tests, open_file, remove_file);
}
