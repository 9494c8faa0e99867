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
#include <math.h>

#include "cli/options.h"

struct shared {
    const char *word, *file;
};

struct values {
    struct shared shared;
    const char *text;
    int64_t integer;
    double number;
    int choice, plain;
    bool flag, alone;
};

static const char *colour(int i) {
    static const char *const names[] = {"red", "green", "blue", NULL};
    return names[i];
}

static const char *side(int i) {
    static const char *const names[] = {"left", "right", NULL};
    return names[i];
}

/* clang-format off */
static const struct cli_option SHARED[] = {
    {.name = "WORD", .kind = CLI_WORD, .at = offsetof(struct shared, word), .file = CLI_READ_LIST, .help = "a word"},
    {.name = "--file", .kind = CLI_TEXT, .at = offsetof(struct shared, file), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "a file"},
    {.name = NULL},
};

static const struct cli_option OPTIONS[] = {
    {.name = "--flag", .alias = "-f", .kind = CLI_FLAG, .at = offsetof(struct values, flag), .help = "a flag"},
    {.name = "--text", .kind = CLI_TEXT, .at = offsetof(struct values, text), .hint = "PATH", .help = "a text"},
    {.name = "--gbs", .alias = "--global-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct values, integer),
     .min = -8, .max = 9e15, .fallback = "42", .hint = "N", .help = "a count"},
    {.kind = CLI_SHARED, .at = offsetof(struct values, shared), .shared = SHARED},
    {.name = "--lr", .kind = CLI_NUMBER, .at = offsetof(struct values, number), .min = 0, .max = 10,
     .hint = "X", .help = "a rate"},
    {.name = "--colour", .kind = CLI_CHOICE, .at = offsetof(struct values, choice), .word = colour,
     .fallback = "green", .hint = "C", .help = ": what it looks like"},
    {.name = "--side", .kind = CLI_CHOICE, .at = offsetof(struct values, plain), .word = side, .hint = "S", .help = ""},
    {.name = "--hues", .kind = CLI_TEXT, .once = true, .at = offsetof(struct values, text), .hint = "A,B"},
    {.name = "--width", .kind = CLI_RENAMED, .hint = "--lr 5"},
    {.name = "--hidden", .kind = CLI_FLAG, .at = offsetof(struct values, flag)},
    {.name = "--list", .kind = CLI_ALONE, .at = offsetof(struct values, alone), .help = "lists"},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.given = "--hidden --colour", .needs = "--text --lr", .text = "is for a text or a rate"},
    {.given = "--text", .excludes = "--side --gbs", .text = "both say where"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "train", .options = OPTIONS, .rules = RULES, .usage = "toise train", .notes = "And more.\n"};

enum { WORDS = 12 };

/* Reads a line of words apart by blanks; "''" stands for an empty word. `line` must outlive the values. */
static int parse(struct values *v, char *line, struct base_error *e) {
    char *words[WORDS];
    int count = 0;
    *v = (struct values){.text = "default", .number = 0.5};
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < WORDS);
        words[count++] = strcmp(word, "''") ? word : word + 2;
    }
    return cli_options_read(&COMMAND, v, count, words, e);
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
    char nothing[] = "";
    struct values v = accepted(nothing);
    assert_string_equal(v.text, "default");
    assert_true(v.integer == 42 && v.number == 0.5 && v.choice == 1 && v.plain == -1 && !v.flag && !v.alone);
    assert_true(!v.shared.word && !v.shared.file);
}

static void test_both_ways(void **state) {
    (void)state;
    char apart[] = "--lr 1e-3 --flag --file a=b --colour blue stray",
         joined[] = "--lr=1e-3 stray --flag --file=a=b --colour=blue";
    char *const lines[] = {apart, joined};
    for (int i = 0; i < 2; i++) {
        struct values v = accepted(lines[i]);
        assert_string_equal(v.shared.file, "a=b");
        assert_string_equal(v.shared.word, "stray");
        assert_true(v.flag && v.number == 1e-3 && v.choice == 2);
    }
}

static void test_aliases_and_repetition(void **state) {
    (void)state;
    char alias[] = "-f --global-batch-size=3", last[] = "--gbs 1 --global-batch-size 2 --gbs=3 --lr 1 --lr 2";
    struct values v = accepted(alias);
    assert_true(v.flag && v.integer == 3);
    v = accepted(last);
    assert_true(v.integer == 3 && v.number == 2);
}

static void test_values_that_look_like_flags(void **state) {
    (void)state;
    char negative[] = "--gbs -8", path[] = "--text=--flag", large[] = "--gbs 9000000000000000", edge[] = "--lr 10";
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
        {"--text --flag", "--text needs a value: --text PATH"},
        {"--hues a --hues b", "--hues is given twice"},
        {"--width 0.1", "--width no longer exists; give --lr 5"},
        {"--width=0.1", "--width no longer exists; give --lr 5"},
        {"--width", "give --lr 5"},
        {"--gsb=8", "\"--gsb\""},
        {"--gb 8", "\"--gb\""}, /* no abbreviations */
        {"--gbss=8", "\"--gbss\""},
        {"-x", "toise train --help"},
        {"stray twice", "\"twice\""},
        {"--flag stray --flag twice", "\"twice\""},
        {"''", "\"\""},
        {"--gbs", "--gbs needs a value: --gbs N"},
        {"--text", "--text PATH"},
        {"--lr", "--lr X"},
        {"--flag=yes", "--flag takes no value"},
        {"--text=", "--text: the value is empty; give --text PATH"},
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
        {"--colour pink", "--colour: unknown \"pink\"; known: red, green, blue"},
        {"--colour ''", "unknown \"\""},
        {"--side up", "known: left or right"},
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
    assert_int_equal(v.integer, 42);
}

static void test_rules(void **state) {
    (void)state;
    char met[] = "--colour red --lr 1", alone[] = "--hidden --list --text a --side left";
    accepted(met);
    assert_true(accepted(alone).alone); /* rules do not count */
    refused("--colour red", "--colour is for a text or a rate");
    refused("--side left --hidden", "--hidden is for a text or a rate");
    refused("--side left --text a", "--text and --side both say where; leave out one of the two");
    refused("--text a --global-batch-size 1", "--text and --gbs both say where; leave out one of the two");
}

static void test_files(void **state) {
    (void)state;
    char same[] = "--file /dev/null a,/dev/../dev/null,b", other[] = "--file /dev/null a,/dev/zero,b";
    struct base_error e = {0};
    struct values v = accepted(same);
    assert_int_equal(cli_options_apart(&COMMAND, &v, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--file and WORD are both /dev/null; give different files"));
    v = accepted(other);
    assert_int_equal(cli_options_apart(&COMMAND, &v, NULL), BASE_OK);
}

static void test_help(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    cli_options_help(out, &COMMAND);
    fclose(out);
    const char *const wanted[] = {"--flag",
                                  "(also -f)",
                                  "--text PATH",
                                  "--gbs N",
                                  "a count; default 42 (also --global-batch-size)",
                                  "--lr X",
                                  "usage: toise train\n",
                                  "\nAnd more.\n",
                                  "red, green (default) or blue: what",
                                  "--file FILE",
                                  "left or right\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i])) fail_msg("\"%s\" is not in the help:\n%s", wanted[i], text);
    assert_null(strstr(text, "--hidden"));
    assert_null(strstr(text, "--width"));
    free(text);
}

/* Shares with and without a percent sign, and any number of positional words after the first. */
static void test_shares_and_words(void **state) {
    (void)state;
    static struct many {
        const char *first, *out;
        struct cli_words rest;
        double share;
    } v;
    static const struct cli_option options[] = {
        {.name = "BASE", .kind = CLI_WORD, .at = offsetof(struct many, first), .file = CLI_READ, .help = "a file"},
        {.name = "NEW", .kind = CLI_WORDS, .at = offsetof(struct many, rest), .file = CLI_READ, .help = "files"},
        {.name = "--delta",
         .kind = CLI_SHARE,
         .at = offsetof(struct many, share),
         .min = 0.001,
         .max = 0.5,
         .hint = "X"},
        {.name = "--out", .kind = CLI_TEXT, .at = offsetof(struct many, out), .file = CLI_WRITTEN, .hint = "FILE"},
        {.name = NULL},
    };
    static const struct cli_command command = {.name = "compare", .options = options, .usage = ""};
    struct base_error e = {0};
    char *const good[] = {"a", "--delta", "3%", "b", "c"};
    assert_int_equal(cli_options_read(&command, &v, 5, good, &e), BASE_OK);
    assert_true(v.rest.count == 2 && fabs(v.share - 0.03) < 1e-15);
    assert_string_equal(v.first, "a");
    assert_string_equal(v.rest.word[1], "c");
    v.out = "/etc/../etc/passwd", v.rest.word[1] = "/etc/passwd";
    assert_int_equal(cli_options_apart(&command, &v, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "NEW"));
    v.out = NULL;
    assert_int_equal(cli_options_apart(&command, &v, &e), BASE_OK);
    char *const fraction[] = {"--delta=0.25"}, *const bad[] = {"--delta=3", "--delta=51%", "--delta=%", "--delta=1%%"};
    assert_true(cli_options_read(&command, &v, 1, fraction, &e) == BASE_OK && v.share == 0.25);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(cli_options_read(&command, &v, 1, &bad[i], &e), BASE_USAGE);
        assert_non_null(strstr(e.text, i < 2 ? "take 0.1% to 50%" : "write 1% or 0.01"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_and_words),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_aliases_and_repetition),
        cmocka_unit_test(test_values_that_look_like_flags),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nothing_half_set),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
