/* SPDX-License-Identifier: Apache-2.0
 *
 * The option table's reader: both ways to write a value, aliases, repetition, and every way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

struct values {
    bool flag, flag_given, text_given, integer_given, number_given;
    const char *text;
    int64_t integer;
    double number;
};

enum { ROWS = 4, WORDS = 12 };

static void table(struct values *v, struct cli_option rows[ROWS]) {
    const struct cli_option all[ROWS] = {
        {"--flag", "-f", CLI_FLAG, &v->flag, 0, 0, NULL, "a flag", &v->flag_given},
        {"--text", NULL, CLI_TEXT, &v->text, 0, 0, "PATH", "a text", &v->text_given},
        {"--gbs", "--global-batch-size", CLI_INTEGER, &v->integer, -8, 9e15, "N", "a count", &v->integer_given},
        {"--lr", NULL, CLI_NUMBER, &v->number, 0, 10, "X", "a rate", &v->number_given},
    };
    memcpy(rows, all, sizeof all);
}

/* Reads a line of words apart by blanks; "''" stands for an empty word. `line` must outlive the values. */
static int parse(struct values *v, char *line, struct base_error *e) {
    struct cli_option rows[ROWS];
    char *words[WORDS];
    int count = 0;
    *v = (struct values){.text = "default", .integer = 42, .number = 0.5};
    table(v, rows);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < WORDS);
        words[count++] = strcmp(word, "''") ? word : word + 2;
    }
    return cli_options_parse(rows, ROWS, count, words, "train", e);
}

static struct values accepted(char *line) {
    struct values v;
    struct base_error e = {0};
    if (parse(&v, line, &e)) fail_msg("%s", e.text);
    return v;
}

static void refused(const char *line, const char *word) {
    struct values v;
    struct base_error e = {0};
    char copy[128];
    snprintf(copy, sizeof copy, "%s", line);
    const int code = parse(&v, copy, &e);
    if (code != BASE_USAGE || e.code != BASE_USAGE) fail_msg("\"%s\": code %d, wanted %d", line, code, BASE_USAGE);
    if (!strstr(e.text, word)) fail_msg("\"%s\": \"%s\" lacks \"%s\"", line, e.text, word);
    assert_null(strchr(e.text, '\n'));
}

static void test_absent(void **state) {
    (void)state;
    struct values v;
    struct cli_option rows[ROWS];
    v = (struct values){.text = "default", .integer = 42, .number = 0.5};
    table(&v, rows);
    assert_int_equal(cli_options_parse(rows, ROWS, 0, NULL, "train", NULL), BASE_OK);
    assert_string_equal(v.text, "default");
    assert_true(v.integer == 42 && v.number == 0.5 && !v.flag);
    assert_false(v.flag_given || v.text_given || v.integer_given || v.number_given);
}

static void test_both_ways(void **state) {
    (void)state;
    char apart[] = "--gbs 8 --text a=b --flag --lr 1e-3", joined[] = "--gbs=8 --text=a=b --flag --lr=1e-3";
    char *const lines[] = {apart, joined};
    for (int i = 0; i < 2; i++) {
        struct values v = accepted(lines[i]);
        assert_int_equal(v.integer, 8);
        assert_string_equal(v.text, "a=b");
        assert_true(v.flag && v.number == 1e-3);
        assert_true(v.flag_given && v.text_given && v.integer_given && v.number_given);
    }
}

static void test_aliases_and_repetition(void **state) {
    (void)state;
    char alias[] = "-f --global-batch-size=3", last[] = "--gbs 1 --global-batch-size 2 --gbs=3 --lr 1 --lr 2";
    struct values v = accepted(alias);
    assert_true(v.flag && v.integer == 3 && v.integer_given && !v.text_given);
    v = accepted(last);
    assert_true(v.integer == 3 && v.number == 2);
}

static void test_values_that_look_like_flags(void **state) {
    (void)state;
    char negative[] = "--gbs -8", path[] = "--text --flag", large[] = "--gbs 9000000000000000", edge[] = "--lr 10";
    assert_int_equal(accepted(negative).integer, -8);
    struct values v = accepted(path);
    assert_string_equal(v.text, "--flag");
    assert_false(v.flag);
    assert_int_equal(accepted(large).integer, 9000000000000000);
    assert_true(accepted(edge).number == 10);
}

static void test_refused(void **state) {
    (void)state;
    const char *const wrong[][2] = {
        {"--gsb 8", "\"--gsb\""},
        {"--gsb=8", "\"--gsb\""},
        {"--gb 8", "\"--gb\""}, /* no abbreviations */
        {"--gbss=8", "\"--gbss\""},
        {"-x", "toise train --help"},
        {"stray", "\"stray\""},
        {"--flag stray", "\"stray\""},
        {"''", "\"\""},
        {"--gbs", "--gbs needs a value: --gbs N"},
        {"--text", "--text PATH"},
        {"--lr", "--lr X"},
        {"--flag=yes", "--flag takes no value"},
        {"--text=", "--text: the value is empty; give PATH"},
        {"--text ''", "--text"},
        {"--gbs=", "--gbs"},
        {"--gbs eight", "\"eight\" is not a whole number"},
        {"--gbs 8x", "\"8x\""},
        {"--gbs 8.5", "\"8.5\""},
        {"--gbs 0x8", "\"0x8\""},
        {"--gbs -9", "out of range; take -8 to 9000000000000000"},
        {"--gbs 9000000000000001", "out of range"},
        {"--gbs 99999999999999999999", "out of range"},
        {"--lr fast", "\"fast\" is not a number"},
        {"--lr 1e-3s", "\"1e-3s\""},
        {"--lr=", "--lr"},
        {"--lr nan", "nan"},
        {"--lr inf", "--lr"},
        {"--lr -0.1", "out of range; take 0 to 10"},
        {"--lr 10.1", "out of range"},
        {"--lr 1e999", "--lr"},
        {"--gbs 8 --gbs no --gbs 8", "\"no\""}, /* each value is read, whichever counts */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) refused(wrong[i][0], wrong[i][1]);
}

/* A value refused leaves the default; the flag does not count as given. */
static void test_nothing_half_set(void **state) {
    (void)state;
    struct values v;
    struct base_error e = {0};
    char line[] = "--gbs -9";
    assert_int_equal(parse(&v, line, &e), BASE_USAGE);
    assert_true(v.integer == 42 && !v.integer_given);
}

static void test_help(void **state) {
    (void)state;
    struct values v;
    struct cli_option rows[ROWS];
    char *text = NULL;
    size_t size = 0;
    table(&v, rows);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    cli_options_help(out, rows, ROWS);
    fclose(out);
    const char *const wanted[] = {"--flag", "(also -f)", "--text PATH", "--gbs N", "a count (also --global-batch-size)",
                                  "--lr X"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i])) fail_msg("\"%s\" is not in the help:\n%s", wanted[i], text);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_aliases_and_repetition),
        cmocka_unit_test(test_values_that_look_like_flags),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nothing_half_set),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
