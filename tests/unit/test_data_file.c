/* SPDX-License-Identifier: Apache-2.0
 *
 * Token files: every format read back, every fault refused with exit code 2 and the file's name, and 2,000
 * damaged files that may be refused or read but never crash. Files live in a folder made for the run. */
#include <dirent.h>
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

#include "base/random.h"
#include "data/data.h"

enum { HEADER = 256, MAGIC16 = 20240520, MAGIC32 = 20240801 };

static char folder[256], path[512];

static const char *named(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *written(const char *name, const void *bytes, size_t n) {
    unlink(named(name)); /* a new file: some file systems flush one that is cut and written again */
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* An llm.c file of `count` tokens of `width` bytes whose header says what it is told; token i is i % 1000. */
static const char *llmc_written(const char *name, int32_t magic, int32_t version, int32_t said, int count, int width) {
    size_t n = HEADER * 4 + (size_t)count * (size_t)width;
    char *bytes = calloc(1, n);
    int32_t head[3] = {magic, version, said};
    memcpy(bytes, head, sizeof head);
    for (int i = 0; i < count; i++) {
        uint32_t token = (uint32_t)i % 1000;
        memcpy(bytes + HEADER * 4 + (size_t)i * (size_t)width, &token, (size_t)width);
    }
    written(name, bytes, n);
    free(bytes);
    return path;
}

static int opened(struct data_source **s, const char *format, int64_t vocab, int64_t seq, struct base_error *e) {
    struct data_options o = {.path = path, .format = format, .vocab = vocab, .seq = seq, .seed = 7, .shares = 1};
    *s = NULL;
    return data_open(s, &o, e);
}

/* The file at `path` is refused with its name and `words` in one line. */
static void refused(const char *format, int64_t vocab, int64_t seq, const char *words) {
    struct data_source *s;
    struct base_error e = {0};
    assert_int_equal(opened(&s, format, vocab, seq, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_null(s);
    if (!strstr(e.text, path) || !strstr(e.text, words) || strchr(e.text, '\n'))
        fail_msg("'%s' lacks '%s' or '%s'", e.text, path, words);
}

/* Opens the file at `path`, whose token i is `first + i` for all `count`, and checks windows and description. */
static void reads_back(const char *format, int64_t vocab, int count, int first, const char *title) {
    enum { SEQ = 9, N = 400 };
    struct data_source *s;
    struct base_error e = {0};
    int32_t in[SEQ], out[SEQ];
    if (opened(&s, format, vocab, SEQ, &e)) fail_msg("%s", e.text);
    assert_true(isnan(data_entropy(s)));
    assert_non_null(strstr(data_describe(s), path));
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
    written("train.bin", narrow, sizeof narrow);
    reads_back("auto", 65536, 90, 60000, "(nanoGPT tokens, 90)");
    written("tokens", narrow, sizeof narrow);
    reads_back("nanogpt", 65000, 90, 60000, "nanoGPT");
    written("book.txt", text, sizeof text);
    reads_back("auto", 256, 90, ' ', "(bytes of text, 90)");
    written("book.bin", text, sizeof text);
    reads_back("text", 128, 90, ' ', "text");
}

/* uint32 tokens that 16 bits, and 31, do not hold */
static void test_large_tokens(void **state) {
    (void)state;
    int32_t file[HEADER + 12] = {MAGIC32, 7, 12};
    for (int i = 0; i < 12; i++) file[HEADER + i] = 2000000000 + i;
    written("large.bin", file, sizeof file);
    reads_back("auto", INT32_MAX, 12, 2000000000, "llm.c");
    file[HEADER + 5] = -1;
    written("large.bin", file, sizeof file);
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
    named("absent");
    refused("auto", 256, 4, "No such file");
    snprintf(path, sizeof path, "%s", folder);
    refused("auto", 256, 4, "is a folder");
    assert_int_equal(mkfifo(named("fifo"), 0600), 0);
    refused("auto", 256, 4, "not a plain file");
    snprintf(path, sizeof path, "/dev/zero");
    refused("auto", 256, 4, "not a plain file");
    written("plain", "text", 4);
    named("plain/below");
    refused("auto", 256, 4, "Not a directory");
    alarm(0);
}

static void test_unreadable(void **state) {
    (void)state;
    written("secret", "0123456789", 10);
    assert_int_equal(chmod(path, 0), 0);
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
    written("empty", "", 0);
    refused("auto", 256, 4, "is empty");
    written("three", "abc", 3);
    refused("text", 256, 3, "3 tokens, but a sample takes 4");
    refused("nanogpt", 256, 1, "3 bytes is odd");
    refused("llmc", 256, 1, "3 bytes, shorter than the 1024");
    refused("parquet", 256, 1, "format 'parquet' is unknown");
    written("odd.bin", "abc", 3);
    refused("auto", 256, 1, "3 bytes is odd");

    int32_t head[HEADER] = {MAGIC16, 1, 0};
    written("cut", head, 1023);
    refused("auto", 256, 4, "1023 bytes, shorter than the 1024");
    written("none", head, sizeof head);
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

/* The first token that is too large is named; each share sees its own part and all parts are seen. */
static void test_vocabulary(void **state) {
    (void)state;
    enum { COUNT = 200000, BAD = 140001, SHARES = 7 };
    uint16_t *tokens = malloc(COUNT * sizeof *tokens);
    for (int i = 0; i < COUNT; i++) tokens[i] = (uint16_t)(i % 500);
    tokens[BAD] = 500;
    tokens[BAD + 1] = 65535;
    written("big.bin", tokens, COUNT * sizeof *tokens);
    refused("auto", 500, 4, "token 140001 is 500, not below the model's vocabulary of 500");
    refused("auto", 501, 4, "token 140002 is 65535");
    for (int share = 0; share < SHARES; share++) {
        struct data_options o = {.path = path, .vocab = 500, .seq = 4, .share = share, .shares = SHARES};
        struct data_source *s;
        bool mine = BAD / (COUNT / SHARES) == share;
        assert_int_equal(data_open(&s, &o, NULL), mine ? BASE_USAGE : BASE_OK);
        if (!mine) data_close(s);
    }
    free(tokens);
    written("utf8.txt", "plain, then \xc3\xa9", 14);
    refused("auto", 128, 4, "the byte at offset 12 is 195");
    struct data_options more = {.path = path, .vocab = 256, .seq = 4, .share = 99, .shares = 100}; /* an empty share */
    struct data_source *s;
    assert_int_equal(data_open(&s, &more, NULL), BASE_OK);
    data_close(s);
}

/* Flipped bytes, cuts and tails on a file that ends with its page, so that reading beyond it would fault. */
static void test_damage_never_crashes(void **state) {
    (void)state;
    enum { BYTES = 4096, ROUNDS = 2000, SEQ = 64, VOCAB = 1000 };
    static const char *const formats[] = {"auto", "llmc", "nanogpt", "text"};
    unsigned char good[BYTES] = {0}, bad[BYTES + 64];
    int32_t head[3] = {MAGIC16, 1, (BYTES - 4 * HEADER) / 2};
    memcpy(good, head, sizeof head);
    int accepted = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint32_t w[4], flip[4];
        base_random_words(11, BASE_STREAM_TEST, round, w);
        memcpy(bad, good, BYTES);
        memset(bad + BYTES, 1, sizeof bad - BYTES);
        for (uint32_t i = 0; i < w[0] % 4; i++) { /* half of the flips hit what the header says */
            base_random_words(12 + i, BASE_STREAM_TEST, round, flip);
            bad[flip[0] % (flip[1] % 2 ? 12 : BYTES)] = (unsigned char)flip[2];
        }
        size_t bytes = w[1] % 4 == 0 ? w[2] % (BYTES + 64) : w[1] % 4 == 1 ? BYTES - w[2] % 3 : BYTES;
        written("fuzz.bin", bad, bytes);
        struct data_source *s;
        struct base_error e = {0};
        int code = opened(&s, formats[w[3] % 4], VOCAB, SEQ, &e);
        if (code) {
            assert_int_equal(code, BASE_USAGE);
            assert_non_null(strstr(e.text, path));
            continue;
        }
        int32_t in[2 * SEQ], out[2 * SEQ];
        accepted++;
        data_fill(s, (int64_t)round, 2, 0, 2, in, out);
        for (int i = 0; i < 2 * SEQ; i++) {
            assert_in_range(in[i], 0, VOCAB - 1);
            assert_in_range(out[i], 0, VOCAB - 1);
        }
        data_close(s);
    }
    assert_in_range(accepted, ROUNDS / 10, ROUNDS - ROUNDS / 10); /* both ways out are tried */
}

static int folder_make(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/toise-data-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) == NULL;
}

static int folder_remove(void **state) {
    (void)state;
    DIR *d = opendir(folder);
    if (!d) return 1;
    for (struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_large_tokens),         cmocka_unit_test(test_windows),
        cmocka_unit_test(test_not_files),  cmocka_unit_test(test_unreadable),           cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_vocabulary), cmocka_unit_test(test_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
