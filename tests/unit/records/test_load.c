/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of files and folders are loaded in order, with their place and hash. What is no record is named, or skipped
 * and counted. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/lines.h"
#include "records/load.h"

static char folder[] = "/tmp/toise-load-XXXXXX";

static const char *in_folder(const char *name) {
    static char full[8][256];
    static int turn;
    char *path = full[turn++ % 8];
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static const char *put(const char *name, const char *text) {
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static int open_folder(void **state) {
    (void)state;
    char command[300];
    if (!mkdtemp(folder)) return 1;
    snprintf(command, sizeof command, "mkdir %s/deep %s/deep/er %s/none", folder, folder, folder);
    return system(command);
}

static int remove_folder(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* The messages of FIPS 180-4's examples, and lengths around a block's end (from sha256sum). */
static void test_hash(void **state) {
    (void)state;
    static const struct {
        int length;
        const char *text, *digits;
    } cases[] = {
        {0, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {3, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {56, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {55, NULL, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {56, NULL, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {63, NULL, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        {64, NULL, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {65, NULL, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        {1000, NULL, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
    };
    char many[1000], digits[RECORD_HASH_TEXT];
    memset(many, 'a', sizeof many);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text ? cases[i].text : many;
        record_hash_of(text, (size_t)cases[i].length, digits);
        assert_string_equal(digits, cases[i].digits);
        /* in pieces of any size */
        struct record_hash hash;
        record_hash_open(&hash);
        for (int at = 0, n = 1; at < cases[i].length; at += n, n = n * 3 % 67 + 1) {
            if (n > cases[i].length - at) n = cases[i].length - at;
            record_hash_add(&hash, text + at, (size_t)n);
        }
        record_hash_close(&hash, digits);
        assert_string_equal(digits, cases[i].digits);
    }
}

static void test_load(void **state) {
    (void)state;
    const char *one = put("one.jsonl", "{\"schema\":\"toise/1\",\"n\":1}\n{\"schema\":\"toise/1.4\",\"n\":2}\n");
    put("deep/b.jsonl", "{\"schema\":\"toise/1\",\"n\":4}\n");
    put("deep/a.jsonl", "{\"schema\":\"toise/1\",\"n\":3}\n");
    put("deep/er/c.jsonl", "{\"schema\":\"toise/1\",\"n\":5}"); /* whole, without its end */
    put("deep/notes.txt", "not a record\n");
    const char *const paths[] = {one, in_folder("deep")};
    struct record_list list;
    struct base_error e = {0};
    assert_int_equal(record_load(&list, paths, 2, false, &e), BASE_OK);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.files, 4);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(record_whole(list.at[i].record, "n"), i + 1);
        assert_int_equal(list.at[i].source, i >= 2);
    }
    assert_int_equal(list.at[1].line, 2);
    assert_string_equal(list.at[1].path, one);
    char digits[RECORD_HASH_TEXT];
    record_hash_of("{\"schema\":\"toise/1\",\"n\":5}", 26, digits);
    assert_string_equal(list.at[4].sha256, digits);
    record_list_close(&list);
}

/* Loads one path, which is refused with this text, or skipped `bad` times. */
static void assert_refused(const char *path, const char *text, long bad) {
    struct record_list list;
    struct base_error e = {0};
    assert_int_equal(record_load(&list, &path, 1, false, &e), BASE_USAGE);
    if (!strstr(e.text, text)) fail_msg("\"%s\" lacks \"%s\"", e.text, text);
    record_list_close(&list);
    if (bad < 0) return;
    e = (struct base_error){0};
    assert_int_equal(record_load(&list, &path, 1, true, &e), BASE_OK);
    assert_int_equal(list.skipped.lines, bad);
    if (!strstr(list.skipped.first, text)) fail_msg("\"%s\" lacks \"%s\"", list.skipped.first, text);
    record_list_close(&list);
}

static void test_refused(void **state) {
    (void)state;
    const char *good = "{\"schema\":\"toise/1\"}\n";
    char text[256];
    assert_refused(in_folder("absent"), "No such file", -1);
    assert_refused(in_folder("none"), "no *.jsonl file", -1);
    assert_refused(put("empty.jsonl", ""), "holds no record", -1);
    snprintf(text, sizeof text, "%snonsense\n%s[1]\n", good, good);
    assert_refused(put("bad.jsonl", text), "bad.jsonl: line 2 is not a record", 2);
    snprintf(text, sizeof text, "%s{\"schema\":\"toise/2\"}\n{\"schema\":\"toise/10\"}\n", good);
    assert_refused(put("new.jsonl", text), "line 2: field \"schema\" must be \"toise/1\", not \"toise/2\"", 2);
    snprintf(text, sizeof text, "%s{\"schema\":\"toise/1\",\"status\":\"passed\"}\n", good);
    assert_refused(put("status.jsonl", text), "line 2: field \"status\" must be PASSED, FAILED", 1);
    snprintf(text, sizeof text, "%s{\"schema\":\"toi", good);
    assert_refused(put("torn.jsonl", text), "torn.jsonl: line 2 is not a record", 1);
    assert_refused(put("other.jsonl", "{\"a\":1}\n"), "line 1: field \"schema\" must be \"toise/1\"", 1);
}

/* Writes good, bytes and good as three lines. */
static const char *put_between(const char *name, const char *bytes, size_t size) {
    static const char good[] = "{\"schema\":\"toise/1\"}\n";
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(good, file), fwrite(bytes, 1, size, file), fputs("\n", file), fputs(good, file);
    fclose(file);
    return path;
}

/* What no line of toise's holds is refused by its number, and the rest is used with skip_bad. */
static void test_hostile(void **state) {
    (void)state;
    enum { DEEP = 100000 };
    static char deep[DEEP + 8] = "{\"a\":";
    memset(deep + 5, '[', DEEP);
#define BAD(name, bytes) assert_refused(put_between(name, bytes, sizeof bytes - 1), name ": line 2 is not a record", 1)
    BAD("deep.jsonl", deep);
    BAD("keys.jsonl", "{\"schema\":\"toise/1\",\"schema\":\"toise/1\"}");
    BAD("large.jsonl", "{\"schema\":\"toise/1\",\"n\":1e999}");
    BAD("whole.jsonl", "{\"schema\":\"toise/1\",\"n\":123456789012345678901234567890}");
    BAD("utf8.jsonl", "{\"schema\":\"toise/1\",\"n\":\"\xff\xfe\"}");
    BAD("surrogate.jsonl", "{\"schema\":\"toise/1\",\"n\":\"\\ud800\"}");
    BAD("nul.jsonl", "{\"schema\":\"toise/1\"\0}");
    BAD("nul-text.jsonl", "{\"schema\":\"toise/1\",\"n\":\"\\u0000\"}");
    BAD("nan.jsonl", "{\"schema\":\"toise/1\",\"n\":NaN}");
    BAD("two.jsonl", "{\"schema\":\"toise/1\"}{\"schema\":\"toise/1\"}");
    BAD("half.jsonl", "{\"schema\":\"toise/1\",\"n\":[1,2");
    BAD("blank.jsonl", " ");
#undef BAD
    assert_refused(put("types.jsonl", "{\"schema\":1}\n"), "types.jsonl: line 1: field \"schema\"", 1);
    assert_refused("/dev/zero", "not a plain file", -1);
    const char wide[] = "\xff\xfe{\0\"\0";
    FILE *file = fopen(in_folder("wide.jsonl"), "w");
    fwrite(wide, 1, sizeof wide - 1, file), fclose(file);
    assert_refused(in_folder("wide.jsonl"), "is UTF-16", -1);
}

/* A line of more than RECORD_LINE_MOST bytes costs no memory. It is a hole in the file here. */
static void test_endless_line(void **state) {
    (void)state;
    const char *path = put_between("endless.jsonl", "{", 1);
    FILE *file = fopen(path, "r+");
    fseek(file, 0, SEEK_END);
    const long end = ftell(file);
    fseek(file, end + RECORD_LINE_MOST + 1, SEEK_SET);
    fputs("\n{\"schema\":\"toise/1\"}\n", file);
    fclose(file);
    assert_refused(path, "endless.jsonl: line 2", 2);
    struct record_list list;
    assert_int_equal(record_load(&list, &path, 1, true, NULL), BASE_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.at[2].line, 5);
    record_list_close(&list);
}

/* A file that went through an editor of Windows has the same records, with the same hashes. */
static void test_windows(void **state) {
    (void)state;
    const char *path = put("windows.jsonl", "\xef\xbb\xbf{\"schema\":\"toise/1\"}\r\n{\"schema\":\"toise/1\"}");
    struct record_list list;
    char digits[RECORD_HASH_TEXT];
    assert_int_equal(record_load(&list, &path, 1, false, NULL), BASE_OK);
    assert_int_equal(list.count, 2);
    record_hash_of("{\"schema\":\"toise/1\"}", 20, digits);
    assert_string_equal(list.at[0].sha256, digits);
    assert_string_equal(list.at[1].sha256, digits);
    record_list_close(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash),         cmocka_unit_test(test_load),
                                       cmocka_unit_test(test_refused),      cmocka_unit_test(test_hostile),
                                       cmocka_unit_test(test_endless_line), cmocka_unit_test(test_windows)};
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
