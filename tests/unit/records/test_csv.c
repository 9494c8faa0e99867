/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV tables: quoting, line numbers, and refusals that name their place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "records/csv.h"
#include "unit/support/folder.h"

static void write_text(const char *text) {
    folder_write("table.csv", text, strlen(text));
}

static void fields_are_read(void **state) {
    (void)state;
    struct record_csv c;
    write_text("\xef\xbb\xbfname, b ,c\r\n\n\"a, \"\"b\"\"\nx\" , 2.5e3,\n,-1,last");
    assert_int_equal(record_csv_read(&c, folder_path, NULL), 0);
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.columns, 3);
    assert_int_equal(record_csv_column(&c, "name"), 0);
    assert_int_equal(record_csv_column(&c, "b"), 1);
    assert_int_equal(record_csv_column(&c, "d"), -1);
    assert_string_equal(record_csv_cell(&c, 0, 0), "a, \"b\"\nx");
    assert_string_equal(record_csv_cell(&c, 0, 2), "");
    assert_string_equal(record_csv_cell(&c, 1, 0), "");
    assert_string_equal(record_csv_cell(&c, 1, 2), "last");
    assert_string_equal(record_csv_cell(&c, 1, -1), "");
    assert_int_equal(c.lines[1], 3);
    assert_int_equal(c.lines[2], 5);
    double x = 7;
    assert_int_equal(record_csv_number(&c, 0, 1, 0, 1e9, &x, NULL), 0);
    assert_true(x == 2500);
    assert_int_equal(record_csv_number(&c, 0, 2, 0, 1e9, &x, NULL), 0);
    assert_int_equal(record_csv_number(&c, 0, -1, 0, 1e9, &x, NULL), 0);
    assert_true(x == 2500); /* blank: left alone */
    struct base_error e = {0};
    assert_int_equal(record_csv_number(&c, 1, 1, 0, 1e9, &x, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, ":5: b -1 is out of range"));
    e = (struct base_error){0};
    assert_int_equal(record_csv_number(&c, 1, 2, 0, 1e9, &x, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, ":5: c \"last\" is not a number"));
    record_csv_free(&c);
}

static void refused(const char *text, const char *word) {
    struct record_csv c;
    struct base_error e = {0};
    if (text) write_text(text);
    assert_int_equal(record_csv_read(&c, folder_path, &e), BASE_USAGE);
    if (!strstr(e.text, word) || !strstr(e.text, folder_path)) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
}

static void damage_is_placed(void **state) {
    (void)state;
    refused("", "empty");
    refused("\n\n", "empty");
    refused("a,b,a\n1,2,3\n", ":1: column \"a\"");
    refused("8,A100,8\n", ":1: column 1 is named \"8\"; put a line of column names");
    refused("a,,b\n1,2,3\n", ":1: column 2 has no name");
    refused("a,b;c\n", "commas and semicolons; use one of them, or put a line sep=;");
    refused("sep=x\naxb\n", ":1: sep=x: use a comma");
    refused("a,b\n1,\"2\n3\n", ":2: this quote is never closed");
    refused("\"a\"x,b\n1,2\n", ":1: \"x\" follows a closing quote");
    folder_write("table.csv", "a,b\n1\0,2\n", 9);
    refused(NULL, "is not a text file");
    folder_write("table.csv",
                 "\xff\xfe"
                 "a\0,\0b\0",
                 8);
    refused(NULL, "is UTF-16 (\"Unicode text\" of spreadsheets); save it as CSV in UTF-8");
    folder_write("table.csv",
                 "\xfe\xff"
                 "\0a\0,\0b",
                 8);
    refused(NULL, "UTF-16");
    folder_name("absent.csv");
    refused(NULL, "No such file");
}

/* A row of the wrong width does not affect the others. */
static void rows_have_faults(void **state) {
    (void)state;
    struct record_csv c;
    write_text("a,b,\n1,2\n\n1,2,3\n1\n\"1\"x,2\n5,6,,\n , ,\n;;\n7,8\n");
    assert_int_equal(record_csv_read(&c, folder_path, NULL), 0);
    assert_int_equal(c.columns, 2);
    assert_int_equal(c.rows, 6);
    assert_null(c.faults[1]);
    assert_string_equal(c.faults[2], "3 fields, but the header has 2; quote fields that contain a comma");
    assert_int_equal(c.lines[2], 4);
    assert_string_equal(c.faults[3], "1 fields, but the header has 2");
    assert_string_equal(c.faults[4], "\"x\" follows a closing quote; quote the whole field");
    assert_string_equal(record_csv_cell(&c, 3, 1), "2");
    assert_null(c.faults[5]);
    assert_string_equal(record_csv_cell(&c, 5, 1), "8");
    record_csv_free(&c);
}

static void separated(const char *text, char separator) {
    struct record_csv c;
    struct base_error e = {0};
    write_text(text);
    if (record_csv_read(&c, folder_path, &e)) fail_msg("%s", e.text);
    if (c.separator != separator || c.columns != 2 || c.rows != 1 || strcmp(record_csv_cell(&c, 0, 1), "2, 3"))
        fail_msg("%s: \"%c\", %d columns, %d rows", text, c.separator, c.columns, c.rows);
    record_csv_free(&c);
}

static void separators_are_told(void **state) {
    (void)state;
    separated("a,b\n1,\"2, 3\"\n", ',');
    separated("a;b\r\n1;2, 3\r\n;\r\n", ';');
    separated("a\tb\n1\t2, 3\n\t\n", '\t');
    separated("\xef\xbb\xbfsep=;\r\na;b\r\n1;2, 3\r\n", ';');
    separated("\"sep=;\"\na;b\n1;2, 3\n", ';');
    separated("SEP=;\na;b\n1;2, 3\n", ';');
    separated("sep=\t\na\tb\n1\t2, 3\n", '\t');
    separated("sep=|\na|b\n1|2, 3\n", '|');
    separated("\"a;x\",b\n1,\"2, 3\"\n", ',');
    separated("a,\tb\n1,\t\"2, 3\"\n", ',');
    separated("a;b\r1;2, 3\r", ';');
}

enum { NOT = -1 }; /* refused */

/* Reads the figure from a table with this separator whose other cell is `beside`. */
static double figure(char separator, const char *beside, const char *text, struct base_error *e) {
    char table[256];
    struct record_csv c;
    double x = NOT;
    snprintf(table, sizeof table, "sep=%c\na%cb\n\"%s\"%c\"%s\"\n", separator, separator, beside, separator, text);
    write_text(table);
    if (record_csv_read(&c, folder_path, e)) fail_msg("%s", e->text);
    record_csv_number(&c, 0, 1, 0, 1e12, &x, e);
    record_csv_free(&c);
    return x;
}

static void figures_of_languages(void **state) {
    (void)state;
    static const struct {
        char separator;
        const char *beside, *text;
        double value;
    } cases[] = {
        {',', "", "1.234", 1.234},
        {',', "", "1,234", NOT}, /* 1234 in English, 1.234 in French */
        {',', "", "9,7", 9.7},
        {',', "", "1,234.5", 1234.5},
        {',', "", "1,234,567", 1234567},
        {',', "", "1e3", 1000},
        {',', "", "1.234e3", 1234},
        {',', "", "0,125", 0.125},
        {';', "", "9,7", 9.7},
        {';', "", "9.7", 9.7},
        {';', "", "1,234", 1.234}, /* semicolons are used if commas begin decimals */
        {';', "", "1.234", NOT},
        {';', "2,5", "1.234", NOT},
        {';', "2.5", "1.234", 1.234},
        {';', "2.5", "1,234", NOT},
        {';', "2.5 2,5", "1,234", 1.234},
        {';', "", "1.234,5", 1234.5},
        {';', "", "1.234.567", 1234567},
        {';', "", "12.34.567", NOT},
        {';', "", "1 234,5", 1234.5},
        {';', "",
         "1\xc2\xa0"
         "234",
         1234},
        {';', "",
         "1\xe2\x80\xaf"
         "234,567",
         1234.567},
        {';', "",
         "1\xa0"
         "234",
         1234},
        {';', "", "1'234,5", 1234.5},
        {';', "", "12 34", NOT},
        {';', "", "1,2,3", NOT},
        {';', "", "1.2,3.4", NOT},
        {';', "", "0.125", 0.125},
        {';', "", "1234,567", 1234.567},
        {'\t', "", "1.234", NOT},
        {'\t', "", "1,234", NOT},
        {'\t', "0.5", "1.234", 1.234},
        {'\t', "0,5", "1,234", 1.234},
        {',', "", "0x10", NOT},
        {',', "", "inf", NOT},
        {',', "", "nan", NOT},
        {',', "", "1e999", NOT},
        {',', "", "12 s", NOT},
        {',', "", "50%", NOT},
        {',', "", ".", NOT},
        {',', "", ".5", 0.5},
        {',', "", "+5.", 5},
        {',', "", "1e", NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_error e = {0};
        const double x = figure(cases[i].separator, cases[i].beside, cases[i].text, &e);
        if (x != cases[i].value) fail_msg("case %zu, \"%s\": %g, %s", i, cases[i].text, x, e.text);
    }
    struct base_error e = {0};
    figure(';', "", "1.234", &e);
    assert_non_null(strstr(e.text, ":3: b \"1.234\" could mean 1234 or 1.234; write 1234 or 1.2340"));
    char digits[128]; /* longer than any figure */
    memset(digits, '9', sizeof digits);
    digits[100] = 0;
    assert_true(figure(',', "", digits, &e) == NOT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_read), cmocka_unit_test(damage_is_placed),
                                       cmocka_unit_test(rows_have_faults), cmocka_unit_test(separators_are_told),
                                       cmocka_unit_test(figures_of_languages)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
