/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: quoting, line numbers, and what is refused with its place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/csv.h"
#include "unit/support/folder.h"

static void write_text(const char *text) {
    folder_write("table.csv", text, strlen(text));
}

static void fields_are_read(void **state) {
    (void)state;
    struct base_csv c;
    write_text("\xef\xbb\xbfname, b ,c\r\n\n\"a, \"\"b\"\"\nx\" , 2.5e3,\n,-1,last");
    assert_int_equal(base_csv_read(&c, folder_path, NULL), 0);
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.columns, 3);
    assert_int_equal(base_csv_column(&c, "name"), 0);
    assert_int_equal(base_csv_column(&c, "b"), 1);
    assert_int_equal(base_csv_column(&c, "d"), -1);
    assert_string_equal(base_csv_cell(&c, 0, 0), "a, \"b\"\nx");
    assert_string_equal(base_csv_cell(&c, 0, 2), "");
    assert_string_equal(base_csv_cell(&c, 1, 0), "");
    assert_string_equal(base_csv_cell(&c, 1, 2), "last");
    assert_string_equal(base_csv_cell(&c, 1, -1), "");
    assert_int_equal(c.lines[1], 3);
    assert_int_equal(c.lines[2], 5);
    double x = 7;
    assert_int_equal(base_csv_number(&c, 0, 1, 0, 1e9, &x, NULL), 0);
    assert_true(x == 2500);
    assert_int_equal(base_csv_number(&c, 0, 2, 0, 1e9, &x, NULL), 0);
    assert_int_equal(base_csv_number(&c, 0, -1, 0, 1e9, &x, NULL), 0);
    assert_true(x == 2500); /* blank: left alone */
    struct base_error e = {0};
    assert_int_equal(base_csv_number(&c, 1, 1, 0, 1e9, &x, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, ":5: b -1 is out of range"));
    e = (struct base_error){0};
    assert_int_equal(base_csv_number(&c, 1, 2, 0, 1e9, &x, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, ":5: c \"last\" is not a number"));
    base_csv_free(&c);
}

static void refused(const char *text, const char *word) {
    struct base_csv c;
    struct base_error e = {0};
    if (text) write_text(text);
    assert_int_equal(base_csv_read(&c, folder_path, &e), BASE_USAGE);
    if (!strstr(e.text, word) || !strstr(e.text, folder_path)) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
}

static void damage_is_placed(void **state) {
    (void)state;
    refused("", "empty");
    refused("\n\n", "empty");
    refused("a,b,a\n1,2,3\n", ":1: column \"a\"");
    refused("a,b\n1,2\n\n1,2,3\n", ":4: 3 fields where the header has 2");
    refused("a,b\n1\n", ":2: 1 fields");
    refused("a,b\n1,\"2\n3\n", ":2: a quote that never closes");
    refused("a,b\n\"1\"x,2\n", ":2: \"x,2");
    folder_write("table.csv", "a,b\n1\0,2\n", 9);
    refused(NULL, "not a text file");
    folder_name("absent.csv");
    refused(NULL, "No such file");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_read), cmocka_unit_test(damage_is_placed)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
