/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron's indexed dataset: every token type is read back by each of its three names. Every fault of index, tokens
 * and pair is refused with exit code 2, the file's name and the offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/data.h"
#include "unit/support/folder.h"
#include "unit/support/token_file.h"

enum { SEQUENCES = 6, DOCUMENTS = 3, TOKENS = 90, VOCAB = 1000 };
enum { INDEX = 34 + 12 * SEQUENCES + 8 * DOCUMENTS, SIZES_AT = 34, POINTERS_AT = SIZES_AT + 4 * SEQUENCES };
/* one is empty */
static const int32_t sizes[SEQUENCES] = {11, 1, 0, 40, 8, 30};

/* Writes tokens first, first + 1, ... of `width` bytes, and their index. The dataset's name is its prefix. */
static void dataset_written(int code, int width, int64_t first) {
    unsigned char index[INDEX], tokens[TOKENS * 8];
    assert_int_equal(token_file_index(index, code, width, sizes, SEQUENCES, DOCUMENTS), INDEX);
    for (int i = 0; i < TOKENS; i++) {
        int64_t token = first + i;
        memcpy(tokens + i * width, &token, (size_t)width);
    }
    folder_write("set.idx", index, INDEX);
    folder_write("set.bin", tokens, TOKENS * (size_t)width);
    folder_name("set");
}

/* Writes the good uint16 dataset with `n` bytes at `at` of one file changed. */
static void patched(const char *name, long at, const void *bytes, size_t n) {
    dataset_written(8, 2, 0);
    FILE *f = fopen(folder_name(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    folder_name("set");
}

static void test_types(void **state) {
    (void)state;
    static const struct {
        int code, width, first, vocab;
    } types[] = {{1, 1, 160, 256},
                 {3, 2, 32767 - TOKENS, 50257},
                 {8, 2, 65536 - TOKENS, 65536},
                 {4, 4, 250000, 250880},
                 {5, 8, 250000, 250880},
                 {9, 4, 250000, 250880},
                 {10, 8, 250000, 250880},
                 {9, 4, INT32_MAX - TOKENS, INT32_MAX},
                 {10, 8, INT32_MAX - TOKENS, INT32_MAX},
                 {4, 4, INT32_MAX - TOKENS, INT32_MAX},
                 {5, 8, INT32_MAX - TOKENS, INT32_MAX}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        dataset_written(types[i].code, types[i].width, types[i].first);
        static const char *const names[] = {"set", "set.bin", "set.idx"}, *const formats[] = {NULL, "auto", "megatron"};
        for (int k = 0; k < 9; k++) {
            folder_name(names[k % 3]);
            token_file_reads_back(formats[k / 3], types[i].vocab, TOKENS, types[i].first,
                                  "(Megatron indexed tokens, 90)");
        }
    }
}

/* Expects the other file's name, from the start of the path, since the fault is there. */
static void said_of(const char *name, const char *format, const char *words) {
    struct data_source *s;
    struct base_error e = {0};
    assert_int_equal(token_file_opened(&s, format, VOCAB, 9, &e), BASE_USAGE);
    if (!strstr(e.text, name) || !strstr(e.text, words)) fail_msg("'%s' lacks '%s' or '%s'", e.text, name, words);
}

/* Files without an index keep their format. An unknown index is an error, not a guess. */
static void test_recognised(void **state) {
    (void)state;
    dataset_written(8, 2, 60000);
    folder_name("set.bin");
    token_file_reads_back("nanogpt", 65536, TOKENS, 60000, "nanoGPT");
    folder_write("set", "a plain file of this very name", 30);
    token_file_refused("auto", 'b', 9, "(bytes of text): the byte at offset 2 is 112");
    token_file_reads_back("megatron", 65536, TOKENS, 60000, "Megatron");
    unlink(folder_path);
    assert_int_equal(mkdir(folder_path, 0700), 0);
    token_file_reads_back("auto", 65536, TOKENS, 60000, "Megatron");
    rmdir(folder_path);
    patched("set.idx", 3, "x", 1);
    folder_name("set.bin");
    said_of("set.idx", "auto", "its first 9 bytes are not the magic of a Megatron index (MMIDIDX)");
    token_file_reads_back("nanogpt", VOCAB, TOKENS, 0, "nanoGPT");
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "No such file");
    folder_write("set.idx", "", 0);
    folder_name("set.bin");
    said_of("set.idx", "auto", "is empty");
}

/* The named format must agree with the index, at least in token size. */
static void test_contradicted(void **state) {
    (void)state;
    dataset_written(9, 4, 0);
    folder_name("set.bin");
    token_file_refused("nanogpt", VOCAB, 9, "says that a token takes 4 bytes, which --data-format nanogpt contradicts");
    token_file_refused("text", VOCAB, 9, "which --data-format text contradicts");
    token_file_reads_back("uint32", VOCAB, TOKENS, 0, "raw uint32");
}

/* The index of fairseq, DeepSpeed and Megatron before MMIDIDX is refused by name, under each of its names. */
static void test_older(void **state) {
    (void)state;
    unsigned char older[48] = "TNTIDX\0";
    older[8] = 1, older[16] = 4, older[24] = 4;
    dataset_written(4, 4, 0);
    folder_write("set.idx", older, sizeof older);
    static const char *const names[] = {"set", "set.bin", "set.idx"};
    for (int i = 0; i < 3; i++) {
        folder_name(names[i]);
        said_of("set.idx", "auto", "TNTIDX");
        said_of("set.idx", "megatron", "--dataset-impl mmap");
    }
    folder_name("set.bin");
    token_file_refused("nanogpt", VOCAB, 9, "a token takes 4 bytes");
    token_file_reads_back("uint32", VOCAB, TOKENS, 0, "raw uint32");
    folder_name("set.idx");
    token_file_refused("uint32", VOCAB, 9, "is an index (TNTIDX)");
    folder_write("other", older, sizeof older);
    token_file_refused("auto", VOCAB, 9, "is an index (TNTIDX)");
}

/* fairseq's index has no documents, and sizes where Megatron has their number. */
static void test_fairseq(void **state) {
    (void)state;
    unsigned char index[INDEX];
    const size_t n = token_file_index(index, 8, 2, sizes, SEQUENCES, 0);
    dataset_written(8, 2, 0);
    memmove(index + 26, index + 34, n - 34);
    folder_write("set.idx", index, n - 8);
    folder_name("set");
    token_file_reads_back("auto", VOCAB, TOKENS, 0, "Megatron");
    folder_write("set.idx", index, n - 9);
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "it was truncated");
}

/* A Git LFS pointer is named, in place of either file. */
static void test_pointers(void **state) {
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n";
    static const char *const names[] = {"set.idx", "set.bin"};
    for (int i = 0; i < 2; i++) {
        dataset_written(8, 2, 0);
        folder_write(names[i], pointer, sizeof pointer - 1);
        folder_name("set.bin");
        said_of(names[i], "auto", "': is a Git LFS pointer, not the file itself; fetch the file with git lfs pull");
    }
}

static void test_other_machines(void **state) {
    (void)state;
    static const unsigned char big_endian[8] = {[7] = 1}, modes[SEQUENCES];
    unsigned char index[INDEX + SEQUENCES];
    patched("set.idx", 9, big_endian, 8);
    token_file_refused("auto", VOCAB, 9, "from a big-endian machine");
    memcpy(index + token_file_index(index, 8, 2, sizes, SEQUENCES, DOCUMENTS), modes, SEQUENCES);
    folder_write("set.idx", index, sizeof index);
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "of a multimodal dataset (6 modes");
}

static void test_header(void **state) {
    (void)state;
    patched("set.idx", 8, "x", 1);
    token_file_refused("megatron", VOCAB, 9, "set.idx': its first 9 bytes are not the magic");
    patched("set.idx", 9, "\2", 1);
    token_file_refused("auto", VOCAB, 9, "set.idx': version 2 at byte 9, only version 1");
    static const char *const refused[] = {"code 0 (unknown)",
                                          NULL,
                                          "code 2 (int8)",
                                          NULL,
                                          NULL,
                                          NULL,
                                          "code 6 (float64)",
                                          "code 7 (float32)",
                                          NULL,
                                          NULL,
                                          NULL,
                                          "code 11 (unknown)"};
    for (char code = 0; code < 12; code++) {
        patched("set.idx", 17, &code, 1);
        if (refused[(int)code]) token_file_refused("auto", VOCAB, 9, refused[(int)code]);
    }
    patched("set.idx", 17, "\xff", 1);
    token_file_refused("auto", VOCAB, 9, "dtype code 255 (unknown) at byte 17");
    patched("set.idx", 18, "\7", 1);
    token_file_refused("auto", VOCAB, 9, "says 7 sequences of 12 bytes and 3 documents of 8, but 96 bytes follow");
    patched("set.idx", 26, "\2", 1);
    token_file_refused("auto", VOCAB, 9, "says 6 sequences of 12 bytes and 2 documents of 8, but 96 bytes follow");
    /* counts whose size is a multiple of 2^64 off */
    uint64_t counts[2] = {SEQUENCES, DOCUMENTS + (UINT64_C(1) << 61)};
    patched("set.idx", 18, counts, sizeof counts);
    token_file_refused("auto", VOCAB, 9, "and 2305843009213693955 documents");
    counts[0] += UINT64_C(1) << 62;
    patched("set.idx", 18, counts, sizeof counts);
    token_file_refused("auto", VOCAB, 9, "says 4611686018427387910 sequences");
}

static void test_cut(void **state) {
    (void)state;
    for (size_t n = 9; n < INDEX; n++) {
        unsigned char index[INDEX];
        dataset_written(8, 2, 0);
        token_file_index(index, 8, 2, sizes, SEQUENCES, DOCUMENTS);
        folder_write("set.idx", index, n);
        folder_name("set");
        token_file_refused("auto", VOCAB, 9, n < 34 ? "shorter than the 34" : "bytes follow it; it was truncated");
    }
    dataset_written(8, 2, 0);
    folder_write("set.bin", sizes, 0);
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "set.bin': is empty");
    patched("set.bin", 2 * TOKENS, "x", 1);
    token_file_refused("auto", VOCAB, 9, "sequence 5 has 30 tokens of 2 bytes from byte 120 of ");
    token_file_refused("auto", VOCAB, 9, "set.bin', but the file ends at byte 181");
    unsigned char none[34];
    folder_write("set.idx", none, token_file_index(none, 8, 2, NULL, 0, 0));
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "set.bin' has 181 bytes");
}

static void test_disagree(void **state) {
    (void)state;
    const int64_t two = 2, less = 22, before = -2;
    patched("set.idx", POINTERS_AT, &two, 8);
    token_file_refused("auto", VOCAB, 9, "sequence 0 begins at byte 2 of");
    patched("set.idx", POINTERS_AT + 3 * 8, &less, 8);
    token_file_refused("auto", VOCAB, 9, "sequence 2 has 0 tokens of 2 bytes from byte 24");
    patched("set.idx", POINTERS_AT + 8, &before, 8);
    token_file_refused("auto", VOCAB, 9, "sequence 0 has 11 tokens of 2 bytes from byte 0");
    patched("set.idx", SIZES_AT + 4 * 5, "\xff\xff\xff\xff", 4);
    token_file_refused("auto", VOCAB, 9, "set.idx': sequence 5 has -1 tokens");
    static const int32_t back[SEQUENCES] = {11, 1, -1, 41, 8, 30}; /* adds up only by going back */
    unsigned char index[INDEX];
    folder_write("set.idx", index, token_file_index(index, 8, 2, back, SEQUENCES, DOCUMENTS));
    folder_name("set");
    token_file_refused("auto", VOCAB, 9, "set.idx': sequence 2 has -1 tokens");
    patched("set.idx", SIZES_AT + 4 * 4, "\7", 1);
    token_file_refused("auto", VOCAB, 9, "sequence 4 has 7 tokens of 2 bytes from byte 104");
    patched("set.idx", 17, "\4", 1);
    token_file_refused("auto", VOCAB, 9, "sequence 0 has 11 tokens of 4 bytes");
}

/* With several ranks, one of them finds any fault of the index. */
static void test_shares(void **state) {
    (void)state;
    for (int shares = 1; shares < SEQUENCES + 3; shares++)
        for (int bad = 0; bad < SEQUENCES; bad++) {
            int64_t pointer = 1;
            patched("set.idx", POINTERS_AT + 8 * bad, &pointer, 8);
            int refusing = 0;
            for (int share = 0; share < shares; share++) {
                struct data_options o = {
                    .path = folder_path, .vocab = VOCAB, .seq = 9, .share = share, .shares = shares};
                struct data_source *s = NULL;
                refusing += data_open(&s, &o, NULL) == BASE_USAGE;
                data_close(s);
            }
            assert_in_range(refusing, 1, 2);
        }
}

static void test_tokens(void **state) {
    (void)state;
    patched("set.bin", 2 * 41, "\xe8\3", 2);
    token_file_refused("auto", VOCAB, 9, "(Megatron indexed tokens): token 41 is 1000, not below");
    dataset_written(8, 2, 0);
    token_file_refused("auto", VOCAB, TOKENS, "90 tokens, but a sample takes 91");
    static const struct { int code, width; } types[] = {{3, 2}, {4, 4}, {5, 8}};
    for (int i = 0; i < 3; i++) {
        dataset_written(types[i].code, types[i].width, -1);
        token_file_refused("auto", 65536, 9, "token 0 is -1, not in the model's vocabulary of 65536");
        dataset_written(types[i].code, types[i].width, INT16_MIN);
        token_file_refused("auto", INT32_MAX, 9, "token 0 is -32768");
    }
    dataset_written(5, 8, INT64_C(1) << 32);
    token_file_refused("auto", INT32_MAX, 9, "token 0 is 4294967296, not below");
    dataset_written(10, 8, -1);
    token_file_refused("auto", INT32_MAX, 9, "token 0 is 18446744073709551615, not below");
    dataset_written(9, 4, -1);
    token_file_refused("auto", INT32_MAX, 9, "token 0 is 4294967295, not below");
    dataset_written(1, 1, 100);
    token_file_refused("auto", 150, 9, "the byte at offset 50 is 150, not below");
}

static void test_missing(void **state) {
    (void)state;
    alarm(20); /* a hang must fail */
    static const char *const names[] = {"set.idx", "set.bin"};
    for (int i = 0; i < 2; i++) {
        dataset_written(8, 2, 0);
        char said[64];
        unlink(folder_name(names[i]));
        folder_name("set");
        snprintf(said, sizeof said, "%s': cannot be opened: No such file", names[i]);
        token_file_refused("megatron", VOCAB, 9, said);
        assert_int_equal(mkdir(folder_name(names[i]), 0700), 0);
        folder_name("set");
        snprintf(said, sizeof said, "%s': is a folder; a Megatron dataset is", names[i]);
        token_file_refused("megatron", VOCAB, 9, said);
        rmdir(folder_name(names[i]));
        assert_int_equal(mkfifo(folder_path, 0600), 0);
        folder_name("set");
        snprintf(said, sizeof said, "%s': is not a plain file", names[i]);
        token_file_refused("megatron", VOCAB, 9, said);
    }
    token_file_refused("auto", VOCAB, 9, "set.bin': is not a plain file");
    char name[6000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct data_options o = {.path = name, .format = "megatron", .vocab = VOCAB, .seq = 9, .shares = 1};
    struct data_source *s = NULL;
    assert_int_equal(data_open(&s, &o, NULL), BASE_USAGE);
    alarm(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),    cmocka_unit_test(test_recognised), cmocka_unit_test(test_header),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_disagree),   cmocka_unit_test(test_shares),
        cmocka_unit_test(test_tokens),   cmocka_unit_test(test_missing),    cmocka_unit_test(test_contradicted),
        cmocka_unit_test(test_older),    cmocka_unit_test(test_fairseq),    cmocka_unit_test(test_other_machines),
        cmocka_unit_test(test_pointers),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
