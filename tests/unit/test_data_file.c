/* SPDX-License-Identifier: Apache-2.0
 *
 * Token files: every format read back, every fault refused with exit code 2 and the file's name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/data.h"
#include "unit/support/folder.h"

enum { HEADER = 256, MAGIC16 = 20240520, MAGIC32 = 20240801 };

/* An llm.c file of `count` tokens of `width` bytes whose header says what it is told; token i is i % 1000. */
static void llmc_written(const char *name, int32_t magic, int32_t version, int32_t said, int count, int width) {
    size_t n = HEADER * 4 + (size_t)count * (size_t)width;
    char *bytes = calloc(1, n);
    int32_t head[3] = {magic, version, said};
    memcpy(bytes, head, sizeof head);
    for (int i = 0; i < count; i++) {
        uint32_t token = (uint32_t)i % 1000;
        memcpy(bytes + HEADER * 4 + (size_t)i * (size_t)width, &token, (size_t)width);
    }
    folder_write(name, bytes, n);
    free(bytes);
}

static int opened(struct data_source **s, const char *format, int64_t vocab, int64_t seq, struct base_error *e) {
    struct data_options o = {.path = folder_path, .format = format, .vocab = vocab, .seq = seq, .seed = 7, .shares = 1};
    *s = NULL;
    return data_open(s, &o, e);
}

/* The file at `folder_path` is refused with its name and `words` in one line. */
static void refused(const char *format, int64_t vocab, int64_t seq, const char *words) {
    struct data_source *s;
    struct base_error e = {0};
    assert_int_equal(opened(&s, format, vocab, seq, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_null(s);
    if (!strstr(e.text, folder_path) || !strstr(e.text, words) || strchr(e.text, '\n'))
        fail_msg("'%s' lacks '%s' or '%s'", e.text, folder_path, words);
}

/* Opens the file at `folder_path`, whose token i is `first + i` for all `count`, and checks windows and description. */
static void reads_back(const char *format, int64_t vocab, int count, int first, const char *title) {
    enum { SEQ = 9, N = 400 };
    struct data_source *s;
    struct base_error e = {0};
    int32_t in[SEQ], out[SEQ];
    if (opened(&s, format, vocab, SEQ, &e)) fail_msg("%s", e.text);
    assert_true(isnan(data_entropy(s)));
    assert_non_null(strstr(data_describe(s), folder_path));
    assert_non_null(strstr(data_describe(s), title));
    int lowest = count, highest = -1;
    for (int i = 0; i < N; i++) {
        data_fill(s, i, 4, 3, 1, in, out);
        int start = in[0] - first;
        lowest = start < lowest ? start : lowest;
        highest = start > highest ? start : highest;
        for (int t = 0; t < SEQ; t++) {
            assert_int_equal(in[t], first + start + t);
            assert_int_equal(out[t], first + start + t + 1);
        }
    }
    assert_in_range(lowest, 0, count / 10);
    assert_in_range(highest, count - SEQ - 1 - count / 10, count - SEQ - 1);
    data_close(s);
}

static void test_formats(void **state) {
    (void)state;
    char text[90];
    uint16_t narrow[90];
    for (int i = 0; i < 90; i++) {
        text[i] = (char)(' ' + i);
        narrow[i] = (uint16_t)(60000 + i);
    }
    llmc_written("a.bin", MAGIC16, 1, 1000, 1000, 2);
    reads_back("auto", 50257, 1000, 0, "(llm.c tokens, 1,000)");
    reads_back("llmc", 1000, 1000, 0, "llm.c");
    llmc_written("wide", MAGIC32, 7, 1000, 1000, 4);
    reads_back(NULL, 128256, 1000, 0, "(llm.c tokens, 1,000)");
    folder_write("train.bin", narrow, sizeof narrow);
    reads_back("auto", 65536, 90, 60000, "(nanoGPT tokens, 90)");
    folder_write("tokens", narrow, sizeof narrow);
    reads_back("nanogpt", 65000, 90, 60000, "nanoGPT");
    folder_write("book.txt", text, sizeof text);
    reads_back("auto", 256, 90, ' ', "(bytes of text, 90)");
    folder_write("book.bin", text, sizeof text);
    reads_back("text", 128, 90, ' ', "text");
}

/* uint32 tokens that 16 bits, and 31, do not hold */
static void test_large_tokens(void **state) {
    (void)state;
    int32_t file[HEADER + 12] = {MAGIC32, 7, 12};
    for (int i = 0; i < 12; i++) file[HEADER + i] = 2000000000 + i;
    folder_write("large.bin", file, sizeof file);
    reads_back("auto", INT32_MAX, 12, 2000000000, "llm.c");
    file[HEADER + 5] = -1;
    folder_write("large.bin", file, sizeof file);
    refused("auto", INT32_MAX, 9, "token 5 is 4294967295");
}

/* A file of seq + 1 tokens has one window; one of seq + 4 has four, all as likely. */
static void test_windows(void **state) {
    (void)state;
    enum { SEQ = 1532, N = 4000 };
    struct data_source *s;
    struct base_error e = {0};
    int32_t in[SEQ], out[SEQ];
    llmc_written("one", MAGIC16, 1, SEQ + 1, SEQ + 1, 2);
    assert_int_equal(opened(&s, "auto", 1000, SEQ, &e), BASE_OK);
    data_fill(s, 9, 1, 0, 1, in, out);
    assert_int_equal(in[0], 0);
    assert_int_equal(out[SEQ - 1], SEQ % 1000);
    data_close(s);
    refused("auto", 1000, SEQ + 1, "1533 tokens, but a sample takes 1534");

    /* 4,096 bytes: the last window ends with the page */
    llmc_written("four", MAGIC16, 1, SEQ + 4, SEQ + 4, 2);
    assert_int_equal(opened(&s, "auto", 1000, SEQ, &e), BASE_OK);
    int starts[4] = {0};
    for (int i = 0; i < N; i++) {
        data_fill(s, 0, N, i, 1, in, out);
        assert_in_range(in[0], 0, 3);
        starts[in[0]]++;
    }
    for (int i = 0; i < 4; i++) assert_true(abs(starts[i] - N / 4) < 4 * 28); /* sqrt(N 1/4 3/4) = 27.4 */
    data_close(s);
}

static void test_not_files(void **state) {
    (void)state;
    alarm(20); /* a hang must fail */
    folder_name("absent");
    refused("auto", 256, 4, "No such file");
    snprintf(folder_path, sizeof folder_path, "%s", folder);
    refused("auto", 256, 4, "is a folder");
    assert_int_equal(mkfifo(folder_name("fifo"), 0600), 0);
    refused("auto", 256, 4, "not a plain file");
    snprintf(folder_path, sizeof folder_path, "/dev/zero");
    refused("auto", 256, 4, "not a plain file");
    folder_write("plain", "text", 4);
    folder_name("plain/below");
    refused("auto", 256, 4, "Not a directory");
    alarm(0);
}

static void test_unreadable(void **state) {
    (void)state;
    folder_write("secret", "0123456789", 10);
    assert_int_equal(chmod(folder_path, 0), 0);
    bool root = geteuid() == 0;
    if (root && (chmod(folder, 0755) || seteuid(65534))) {
        print_message("SKIP: unreadable file: root reads everything and may not become another user here\n");
        return;
    }
    refused("auto", 256, 4, "Permission denied");
    if (root) assert_int_equal(seteuid(0), 0);
}

static void test_damaged(void **state) {
    (void)state;
    folder_write("empty", "", 0);
    refused("auto", 256, 4, "is empty");
    folder_write("three", "abc", 3);
    refused("text", 256, 3, "3 tokens, but a sample takes 4");
    refused("nanogpt", 256, 1, "3 bytes is odd");
    refused("llmc", 256, 1, "3 bytes, shorter than the 1024");
    refused("parquet", 256, 1, "format 'parquet' is unknown");
    folder_write("odd.bin", "abc", 3);
    refused("auto", 256, 1, "3 bytes is odd");

    int32_t head[HEADER] = {MAGIC16, 1, 0};
    folder_write("cut", head, 1023);
    refused("auto", 256, 4, "1023 bytes, shorter than the 1024");
    folder_write("none", head, sizeof head);
    refused("auto", 256, 4, "0 tokens, but a sample takes 5");
    llmc_written("magic", 20240326, 1, 100, 100, 2);
    refused("llmc", 1000, 4, "magic 20240326 at byte 0");
    llmc_written("version", MAGIC16, 2, 100, 100, 2);
    refused("auto", 1000, 4, "version 2 at byte 4, only version 1");
    llmc_written("version", MAGIC32, 1, 100, 100, 4);
    refused("auto", 1000, 4, "version 1 at byte 4, only version 7");
    llmc_written("short", MAGIC16, 1, 101, 100, 2);
    refused("auto", 1000, 4, "says 101 tokens of 2 bytes, but 200 bytes follow");
    llmc_written("long", MAGIC32, 7, 99, 100, 4);
    refused("auto", 1000, 4, "says 99 tokens of 4 bytes, but 400 bytes follow");
    llmc_written("negative", MAGIC16, 1, -1, 100, 2);
    refused("auto", 1000, 4, "says -1 tokens");
}

/* The first token that is too large is named, be it too large by one or alone. */
static void test_vocabulary(void **state) {
    (void)state;
    enum { COUNT = 200000, BAD = 140001 };
    uint16_t *tokens = malloc(COUNT * sizeof *tokens);
    for (int i = 0; i < COUNT; i++) tokens[i] = (uint16_t)(i % 500);
    tokens[BAD] = 500;
    folder_write("big.bin", tokens, COUNT * sizeof *tokens);
    refused("auto", 500, 4, "token 140001 is 500, not below the model's vocabulary of 500");
    tokens[BAD + 2] = 65535;
    folder_write("big.bin", tokens, COUNT * sizeof *tokens);
    refused("auto", 500, 4, "token 140001 is 500");
    refused("auto", 501, 4, "token 140003 is 65535");
    refused("auto", 65535, 4, "token 140003 is 65535");
    free(tokens);
    folder_write("utf8.txt", "plain, then \xc3\xa9", 14);
    refused("auto", 128, 4, "the byte at offset 12 is 195");
    refused("auto", 195, 4, "the byte at offset 12 is 195");
    folder_write("last.txt", "0123456\xff", 8);
    refused("auto", 255, 4, "the byte at offset 7 is 255");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_large_tokens), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_not_files),  cmocka_unit_test(test_unreadable),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_vocabulary),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
