/* SPDX-License-Identifier: Apache-2.0
 *
 * Formatted numbers, errors on one line, the date, and small files of keys and values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

typedef void formatter(double, char *, int);

struct row {
    double value;
    const char *text;
};

static void check(formatter *format, const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char text[64], cut[4];
        format(rows[i].value, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        format(rows[i].value, cut, sizeof cut);
        assert_int_equal(strncmp(cut, text, 3), 0);
        assert_true(strlen(cut) < sizeof cut);
    }
}

static void bytes(void **state) {
    (void)state;
    static const struct row rows[] = {
        {0, "0 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {1.5 * 1024 * 1024 * 1024, "1.50 GiB"},
        {10.04 * 1024 * 1024, "10.0 MiB"},
        {9.996 * 1024 * 1024, "10.0 MiB"},
        {1023.7 * 1024, "1.00 MiB"},
        {0x1p70, "1024 EiB"},
        {HUGE_VAL, "inf B"},
    };
    check(base_text_bytes, rows, sizeof rows / sizeof *rows);
}

static void si(void **state) {
    (void)state;
    static const struct row rows[] = {
        {0, "0.00 "},         {1, "1.00 "},       {999.4, "999 "},       {999.6, "1.00 k"},
        {1.234e12, "1.23 T"}, {99.96e9, "100 G"}, {-1.234e6, "-1.23 M"}, {0.0123, "12.3 m"},
        {0.9996, "1.00 "},    {4.5e-7, "450 n"},  {3e-14, "0.03 p"},     {1e27, "1000000 Z"},
    };
    check(base_text_si, rows, sizeof rows / sizeof *rows);
}

static void durations(void **state) {
    (void)state;
    static const struct row rows[] = {
        {0.85, "850 ms"},       {12.34, "12.3 s"},
        {59.94, "59.9 s"},      {59.96, "1 min 00 s"},
        {125, "2 min 05 s"},    {3569.4, "59 min 29 s"},
        {3599.6, "1 h 00 min"}, {7380, "2 h 03 min"},
        {86399, "1 d 00 h"},    {3 * 86400 + 4 * 3600, "3 d 04 h"},
        {2e-6, "2.00 us"},      {HUGE_VAL, "inf s"},
    };
    check(base_text_duration, rows, sizeof rows / sizeof *rows);
}

static void counts(void **state) {
    (void)state;
    static const struct {
        long long value;
        const char *text;
    } rows[] = {{0, "0"},
                {999, "999"},
                {1000, "1,000"},
                {12345678, "12,345,678"},
                {-123456, "-123,456"},
                {-1234, "-1,234"},
                {LLONG_MIN, "-9,223,372,036,854,775,808"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        base_text_count(rows[i].value, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

static void colour_needs_a_terminal(void **state) {
    (void)state;
    FILE *file = tmpfile();
    unsetenv("NO_COLOR");
    assert_false(base_text_color_allowed(file));
    fclose(file);
}

static void errors_are_one_line(void **state) {
    (void)state;
    struct base_error e;
    assert_int_equal(base_fail(&e, BASE_USAGE, "%s: %d", "a\nb\tc", 7), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_string_equal(e.text, "a b c: 7");
    char longer[3000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    base_fail(&e, BASE_BROKEN, "%s", longer);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_int_equal(base_fail(NULL, BASE_NO, "nobody listens"), BASE_NO);
}

static void clock_and_date(void **state) {
    (void)state;
    double before = base_clock_now();
    assert_true(base_clock_now() >= before);
    char date[32];
    base_clock_date(date);
    int year, month, day, hour, minute, second, read = 0;
    assert_int_equal(sscanf(date, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second, &read),
                     6);
    assert_int_equal(read, 20);
    assert_int_equal(strlen(date), 20);
}

static void words_among_others(void **state) {
    (void)state;
    static const char *const names[] = {"one", "two", "two"};
    char list[10] = ""; /* room for "one, two" and a NUL, and one more */
    assert_int_equal(base_text_find("two", names, 3), 1);
    assert_int_equal(base_text_find("tw", names, 3), -1);
    assert_int_equal(base_text_find("two", names, 1), -1);
    assert_int_equal(base_text_find(NULL, names, 3), -1);
    assert_true(base_text_append(list, sizeof list, "one"));
    assert_false(base_text_append(list, sizeof list, "three"));
    assert_string_equal(list, "one");
    assert_true(base_text_append(list, sizeof list - 1, "two")); /* to the last byte */
    assert_string_equal(list, "one, two");
    assert_false(base_text_append(list, sizeof list, ""));
}

static void keys_of_small_files(void **state) {
    (void)state;
    char path[] = "/tmp/toise-test-XXXXXX", text[64], cut[4];
    int file = mkstemp(path);
    assert_true(file >= 0);
    const char lines[] =
        "  first line \nMemTotalOther: 1 kB\nMemTotal:   42 kB\nmodel name\t: A B\ninactive_file 17\nmax\n";
    assert_int_equal(write(file, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    close(file);
    assert_true(base_file_line(path, text, sizeof text));
    assert_string_equal(text, "first line");
    base_file_line(path, cut, sizeof cut);
    assert_string_equal(cut, "fir");
    assert_int_equal(base_file_field_number(path, "MemTotal"), 42);
    assert_true(base_file_field(path, "model name", text, sizeof text));
    assert_string_equal(text, "A B");
    assert_int_equal(base_file_field_number(path, "inactive_file"), 17);
    assert_int_equal(base_file_field_number(path, "active_file"), -1);
    assert_int_equal(base_file_number(path), -1);
    unlink(path);
    assert_false(base_file_line(path, text, sizeof text));
    assert_string_equal(text, "");
}

/* A path keeps its file's name, and characters stay whole. */
static void paths(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t size;
        const char *text;
    } rows[] = {
        {"data/train.bin", 32, "data/train.bin"},
        {"data/a\nb\x1b.bin", 32, "data/a?b?.bin"},
        {"data/train.bin", 15, "data/train.bin"},
        {"data/train.bin", 14, ".../train.bin"},
        {"data/train.bin", 13, "train.bin"},
        {"/scratch/project/data/train.bin", 20, ".../data/train.bin"},
        {"/scratch/project/data/train.bin", 10, "train.bin"},
        {"/scratch/a-name-of-many-words.bin", 16, "a-name...ds.bin"},
        {"/scratch/\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9.bin", 14,
         "\xc3\xa9\xc3\xa9....bin"},
        {"/scratch/a/", 11, "...tch/a/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        memset(text, 'x', sizeof text);
        base_text_path(rows[i].path, text, rows[i].size);
        assert_true(strlen(text) < rows[i].size);
        if (i + 1 < sizeof rows / sizeof *rows) assert_string_equal(text, rows[i].text);
    }
}

/* A message too long loses its middle: it starts with the fault and ends with the cure. */
static void long_errors_keep_both_ends(void **state) {
    (void)state;
    static char path[4096];
    struct base_error e;
    memset(path, 'x', sizeof path - 1);
    base_fail(&e, BASE_USAGE, "file '%s': cannot be read; give another", path);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_int_equal(strncmp(e.text, "file 'xxx", 9), 0);
    assert_non_null(strstr(e.text, "xxx...xxx"));
    assert_non_null(strstr(e.text, "xxx': cannot be read; give another"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),
        cmocka_unit_test(si),
        cmocka_unit_test(durations),
        cmocka_unit_test(counts),
        cmocka_unit_test(colour_needs_a_terminal),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(clock_and_date),
        cmocka_unit_test(words_among_others),
        cmocka_unit_test(keys_of_small_files),
        cmocka_unit_test(paths),
        cmocka_unit_test(long_errors_keep_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
