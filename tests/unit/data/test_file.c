/* SPDX-License-Identifier: Apache-2.0
 *
 * Token files: every format is read back, every fault is refused with exit code 2 and the file's name. */
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
#include "unit/support/token_file.h"

enum { HEADER = 256, MAGIC16 = 20240520, MAGIC32 = 20240801 };

/* Writes an llm.c file of `count` tokens of `width` bytes with the given header. Token i is i % 1000. */
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

static void test_formats(void **state) {
    (void)state;
    char text[90];
    uint16_t narrow[90];
    for (int i = 0; i < 90; i++) {
        text[i] = (char)(' ' + i);
        narrow[i] = (uint16_t)(60000 + i);
    }
    llmc_written("a.bin", MAGIC16, 1, 1000, 1000, 2);
    token_file_reads_back("auto", 50257, 1000, 0, "(llm.c tokens, 1,000)");
    token_file_reads_back("llmc", 1000, 1000, 0, "llm.c");
    llmc_written("wide", MAGIC32, 7, 1000, 1000, 4);
    token_file_reads_back(NULL, 128256, 1000, 0, "(llm.c tokens, 1,000)");
    folder_write("train.bin", narrow, sizeof narrow);
    token_file_reads_back("auto", 65536, 90, 60000, "(nanoGPT tokens, 90)");
    folder_write("tokens", narrow, sizeof narrow);
    token_file_reads_back("nanogpt", 65000, 90, 60000, "nanoGPT");
    folder_write("book.txt", text, sizeof text);
    token_file_reads_back("auto", 256, 90, ' ', "(bytes of text, 90)");
    folder_write("book.bin", text, sizeof text);
    token_file_reads_back("text", 128, 90, ' ', "text");
}

/* uint32 tokens that do not fit in 16 bits, and in 31. */
static void test_large_tokens(void **state) {
    (void)state;
    int32_t file[HEADER + 12] = {MAGIC32, 7, 12};
    for (int i = 0; i < 12; i++) file[HEADER + i] = 2000000000 + i;
    folder_write("large.bin", file, sizeof file);
    token_file_reads_back("auto", INT32_MAX, 12, 2000000000, "llm.c");
    file[HEADER + 5] = -1;
    folder_write("large.bin", file, sizeof file);
    token_file_refused("auto", INT32_MAX, 9, "token 5 is 4294967295");
}

/* A file of seq + 1 tokens has one window; one of seq + 4 has four, all equally likely. */
static void test_windows(void **state) {
    (void)state;
    enum { SEQ = 1532, N = 4000 };
    struct data_source *s;
    struct base_error e = {0};
    int32_t in[SEQ], out[SEQ];
    llmc_written("one", MAGIC16, 1, SEQ + 1, SEQ + 1, 2);
    assert_int_equal(token_file_opened(&s, "auto", 1000, SEQ, &e), BASE_OK);
    data_fill(s, 9, 1, 0, 1, in, out);
    assert_int_equal(in[0], 0);
    assert_int_equal(out[SEQ - 1], SEQ % 1000);
    data_close(s);
    token_file_refused("auto", 1000, SEQ + 1, "1533 tokens, but a sample takes 1534");

    /* 4,096 bytes: the last window ends at the page's end */
    llmc_written("four", MAGIC16, 1, SEQ + 4, SEQ + 4, 2);
    assert_int_equal(token_file_opened(&s, "auto", 1000, SEQ, &e), BASE_OK);
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
    token_file_refused("auto", 256, 4, "No such file");
    snprintf(folder_path, sizeof folder_path, "%s", folder);
    token_file_refused("auto", 256, 4, "is a folder");
    assert_int_equal(mkfifo(folder_name("fifo"), 0600), 0);
    token_file_refused("auto", 256, 4, "not a plain file");
    snprintf(folder_path, sizeof folder_path, "/dev/zero");
    token_file_refused("auto", 256, 4, "not a plain file");
    folder_write("plain", "text", 4);
    folder_name("plain/below");
    token_file_refused("auto", 256, 4, "Not a directory");
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
    token_file_refused("auto", 256, 4, "Permission denied");
    if (root) assert_int_equal(seteuid(0), 0);
}

static void test_damaged(void **state) {
    (void)state;
    folder_write("empty", "", 0);
    token_file_refused("auto", 256, 4, "is empty");
    folder_write("three", "abc", 3);
    token_file_refused("text", 256, 3, "3 tokens, but a sample takes 4");
    token_file_refused("nanogpt", 256, 1, "3 bytes is odd");
    token_file_refused("llmc", 256, 1, "3 bytes, shorter than the 1024");
    token_file_refused("parquet", 256, 1, "format 'parquet' is unknown");
    folder_write("odd.bin", "abc", 3);
    token_file_refused("auto", 256, 1, "3 bytes is odd");

    int32_t head[HEADER] = {MAGIC16, 1, 0};
    folder_write("cut", head, 1023);
    token_file_refused("auto", 256, 4, "1023 bytes, shorter than the 1024");
    folder_write("none", head, sizeof head);
    token_file_refused("auto", 256, 4, "0 tokens, but a sample takes 5");
    llmc_written("magic", 20240326, 1, 100, 100, 2);
    token_file_refused("llmc", 1000, 4, "magic 20240326 at byte 0");
    llmc_written("version", MAGIC16, 2, 100, 100, 2);
    token_file_refused("auto", 1000, 4, "version 2 at byte 4, only version 1");
    llmc_written("version", MAGIC32, 1, 100, 100, 4);
    token_file_refused("auto", 1000, 4, "version 1 at byte 4, only version 7");
    llmc_written("short", MAGIC16, 1, 101, 100, 2);
    token_file_refused("auto", 1000, 4, "says 101 tokens of 2 bytes, but 200 bytes follow");
    llmc_written("long", MAGIC32, 7, 99, 100, 4);
    token_file_refused("auto", 1000, 4, "says 99 tokens of 4 bytes, but 400 bytes follow");
    llmc_written("negative", MAGIC16, 1, -1, 100, 2);
    token_file_refused("auto", 1000, 4, "says -1 tokens");
}

/* Names the first token that is too large, even if by one or if it is the only one. */
static void test_vocabulary(void **state) {
    (void)state;
    enum { COUNT = 200000, BAD = 140001 };
    uint16_t *tokens = malloc(COUNT * sizeof *tokens);
    for (int i = 0; i < COUNT; i++) tokens[i] = (uint16_t)(i % 500);
    tokens[BAD] = 500;
    folder_write("big.bin", tokens, COUNT * sizeof *tokens);
    token_file_refused("auto", 500, 4, "token 140001 is 500, not below the model's vocabulary of 500");
    tokens[BAD + 2] = 65535;
    folder_write("big.bin", tokens, COUNT * sizeof *tokens);
    token_file_refused("auto", 500, 4, "token 140001 is 500");
    token_file_refused("auto", 501, 4, "token 140003 is 65535");
    token_file_refused("auto", 65535, 4, "token 140003 is 65535");
    free(tokens);
    folder_write("utf8.txt", "plain, then \xc3\xa9", 14);
    token_file_refused("auto", 128, 4, "the byte at offset 12 is 195");
    token_file_refused("auto", 195, 4, "the byte at offset 12 is 195");
    folder_write("last.txt", "0123456\xff", 8);
    token_file_refused("auto", 255, 4, "the byte at offset 7 is 255");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_large_tokens), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_not_files),  cmocka_unit_test(test_unreadable),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_vocabulary),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
