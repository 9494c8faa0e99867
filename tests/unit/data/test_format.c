/* SPDX-License-Identifier: Apache-2.0
 *
 * How a file's format is decided. Foreign files are refused by name, whatever their own name or the named format. So is
 * text that is not text, and raw tokens that are something else. No format is a fallback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "data/data.h"
#include "unit/support/folder.h"
#include "unit/support/token_file.h"

enum { BYTES = 1024 };

/* Refused under names and formats that once accepted anything. */
static void refused_everywhere(const void *bytes, size_t n, const char *words) {
    static const char *const names[] = {"x.bin", "x.txt", "x"}, *const formats[] = {"auto",   "text",   "nanogpt",
                                                                                    "uint16", "uint32", "uint64",
                                                                                    "llmc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            folder_write(names[i], bytes, n);
            token_file_refused(formats[k], 65536, 4, words);
        }
}

/* Fixed bytes at a fixed offset. What follows is small, so that it would pass as tokens. */
static void test_signatures(void **state) {
    (void)state;
    static const struct {
        size_t at;
        const char *bytes;
        size_t n;
        const char *words;
    } all[] = {
        {0, "PK\3\4", 4, "zip"},
        {0, "\x1f\x8b\x08\x00", 4, "gzip"},
        {0, "\x1f\x8b\x08\x08", 4, "gzip"},
        {0, "\x28\xb5\x2f\xfd", 4, "zstd"},
        {0, "\xfd\x37zXZ\0", 6, "xz"},
        {0, "BZh91AY&SY", 10, "bzip2"},
        {257, "ustar\0", 6, "tar"},
        {0, "\x93NUMPY\1\0", 8, "NumPy"},
        {0, "PAR1\x15", 5, "Parquet"},
        {0, "ARROW1\0\0", 8, "Arrow"},
        {0, "\xff\xff\xff\xff\x78\0\0\0\x10\0\0\0", 12, "Arrow"},
        {0, "FEA1", 4, "Feather"},
        {0, "\x89HDF\r\n\x1a\n", 8, "HDF5"},
        {0, "SQLite format 3\0", 16, "SQLite"},
        {0, "%PDF-1.7\n", 9, "PDF"},
        {0, "\x89PNG\r\n\x1a\n", 8, "PNG"},
        {0, "\xff\xd8\xff\xe0", 4, "JPEG"},
        {0, "\x7f\x45LF\2\1\1", 7, "ELF"},
        {0, "GGUF\3\0\0\0", 8, "GGUF"},
        {0, "LITPKDS\1", 8, "LitGPT"},
        {0, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19", 14, "torch.save"},
        {0, "\xc6\xd7\x34\x01\3\0\0\0", 8, "llm.c's GPT-2 weights (magic 20240326"},
        {0, "\x8a\xd8\x34\x01\1\0\0\0", 8, "llm.c's evaluation data (magic 20240522"},
        {0, "\x01\x34\xd8\x88\0\0\0\1", 8, "big-endian"},
        {0, "MMIDIDX\0\0\1", 10, "MMIDIDX"},
        {0, "TNTIDX\0\0\1", 9, "TNTIDX"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned char bytes[BYTES];
        for (int k = 0; k < BYTES; k++) bytes[k] = (unsigned char)(k % 100);
        memcpy(bytes + all[i].at, all[i].bytes, all[i].n);
        refused_everywhere(bytes, BYTES, all[i].words);
    }
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n";
    refused_everywhere(pointer, sizeof pointer - 1, "git lfs pull");
}

/* Formats that relations between fields identify. */
static void test_shapes(void **state) {
    (void)state;
    unsigned char bytes[BYTES] = {0};
    memcpy(bytes, "\x40\0\0\0\0\0\0\0{\"w\":", 13);
    refused_everywhere(bytes, BYTES, "safetensors");
    memset(bytes, 0, BYTES);
    memcpy(bytes, "\x80\4\x95\x10\0\0\0\0\0\0\0]", 12);
    bytes[BYTES - 1] = '.';
    refused_everywhere(bytes, BYTES, "pickle");
    uint32_t chunk[BYTES / 4] = {2, 16, 516, BYTES}; /* two items, their offsets, the end */
    refused_everywhere(chunk, BYTES, "LitData");
    chunk[3] = BYTES - 1;
    folder_write("x", chunk, BYTES);
    token_file_reads_back_first("uint32", 65536, 2);
}

/* A text may begin with the words of a signature. */
static void test_words(void **state) {
    (void)state;
    static const char *const begins[] = {"GGUF is a format",
                                         "PAR1 and PAR2",
                                         "RIFF",
                                         "ORC\nand elf",
                                         "the ftypes",
                                         "MATLAB 5.0 is old",
                                         "{\"text\": \"one line of many\"}"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        char text[64];
        snprintf(text, sizeof text, "%-60s", begins[i]);
        folder_write("words.txt", text, 60);
        token_file_reads_back_first("auto", 256, text[0]);
    }
}

static void test_text(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } good[] = {
        {"tabs\tand\r\nlines\fand \x1b[1mcolour\x1b[0m", 34},
        {"\xef\xbb\xbfmarked UTF-8", 15},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf", 23},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        folder_write("good.txt", good[i].bytes, good[i].n);
        token_file_reads_back_first("auto", 256, (unsigned char)good[i].bytes[0]);
    }
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } bad[] = {
        {"zero\0bytes", 10, "byte 4 is 0x00, a control character, so it is not text"},
        {"one\1two\2", 8, "byte 3 is 0x01, a control"},
        {"delete\x7f!", 8, "byte 6 is 0x7f, a control"},
        {"overlong \xc0\xaf", 11, "byte 9 is 0xc0, not UTF-8"},
        {"overlong \xe0\x80\xaf", 12, "byte 9 is 0xe0, not UTF-8"},
        {"surrogate \xed\xa0\x80", 13, "byte 10 is 0xed, not UTF-8"},
        {"beyond \xf4\x90\x80\x80", 11, "byte 7 is 0xf4, not UTF-8"},
        {"cut at its end \xe2\x82", 17, "byte 15 is 0xe2, not UTF-8"},
        {"alone \x80 so", 10, "byte 6 is 0x80, not UTF-8"},
        {"\xff\xfeU\0T\0F\0-\0001\0", 12, "UTF-16 text by its byte-order mark"},
        {"\xfe\xff\0U\0T\0F\0-\0001", 12, "UTF-16 text by its byte-order mark"},
        {"\xff\xfe\0\0U\0\0\0T\0\0\0", 12, "UTF-32 text by its byte-order mark"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder_write("bad.txt", bad[i].bytes, bad[i].n);
        token_file_refused("auto", 256, 4, bad[i].words);
    }
    folder_write("latin.txt", "\xc9t\xe9 \xe0 la mer", 12);
    token_file_refused("auto", 256, 4, "byte 0 is 0xc9, not UTF-8");
    token_file_reads_back_first("text", 256, 0xc9);
    folder_write("latin.txt", "\xc9t\xe9 \xe0 la\0mer", 12);
    token_file_refused("text", 256, 4, "byte 8 is 0x00, a control character");
    folder_write("short.txt", "ab", 2);
    token_file_reads_back_first("auto", 256, 'a');
}

/* Wherever shares split a text of multi-byte characters, every share accepts it. One of them finds a wrong byte. */
static void test_text_shares(void **state) {
    (void)state;
    char text[30 * 11 + 1];
    for (int i = 0; i < 30; i++) memcpy(text + 11 * i, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 12);
    const size_t n = sizeof text - 1;
    for (int shares = 1; shares < 40; shares++)
        for (size_t bad = 0; bad <= n; bad += 7) {
            char now[sizeof text];
            memcpy(now, text, sizeof text);
            if (bad < n) now[bad] = (char)0xff;
            folder_write("shares.txt", now, n);
            int refusing = 0;
            for (int share = 0; share < shares; share++) {
                struct data_options o = {.path = folder_path, .vocab = 256, .seq = 4, .share = share, .shares = shares};
                struct data_source *s = NULL;
                refusing += data_open(&s, &o, NULL) != BASE_OK;
                data_close(s);
            }
            assert_true(bad < n ? refusing > 0 : refusing == 0);
        }
}

/* A file that is nanoGPT's only by its name must not look like something else. The user's word decides. */
static void test_raw(void **state) {
    (void)state;
    uint32_t wide[64];
    uint64_t wider[64];
    uint16_t big[64];
    for (unsigned i = 0; i < 64; i++) {
        wide[i] = 100 + i;
        wider[i] = 100 + i;
        big[i] = (uint16_t)((100 + i) << 8);
    }
    folder_write("wide.bin", wide, sizeof wide);
    token_file_refused("auto", 256, 4, "every other 16 bits are zero, as in uint32 tokens; give --data-format uint32");
    token_file_reads_back("uint32", 256, 64, 100, "(raw uint32 tokens, 64)");
    token_file_reads_back("uint32", 128256, 64, 100, "raw uint32");
    token_file_reads_back_first("nanogpt", 256, 100);
    token_file_refused("auto", 65537, 4,
                       "16 bits, too few for the model's vocabulary of 65537; if its tokens have 32 give");
    token_file_refused("uint16", 128256, 4, "have 16 bits, too few");
    folder_write("wider.bin", wider, sizeof wider);
    token_file_refused("auto", 256, 4, "give --data-format uint64");
    token_file_reads_back("uint64", 256, 64, 100, "raw uint64");
    for (unsigned i = 0; i < 64; i++) wide[i] += i % 2 << 16, wider[i] += i % 2 << 16; /* beyond 16 bits */
    folder_write("wider.bin", wider, sizeof wider);
    token_file_refused("auto", 65536, 4, "below 32, as in uint64 tokens; give --data-format uint64");
    folder_write("wide.bin", wide, sizeof wide);
    token_file_refused("auto", 65536, 4, "below 32, as in uint32 tokens; give --data-format uint32");
    token_file_reads_back_first("nanogpt", 65536, 100);
    folder_write("big.bin", big, sizeof big);
    token_file_refused("auto", 256, 4, "big-endian");
    for (unsigned i = 0; i < 64; i++) wide[i] = (100 + i) << 24;
    folder_write("big.bin", wide, sizeof wide);
    token_file_refused("auto", 65536, 4, "big-endian uint32");
    token_file_refused("uint32", 65536, 4, "big-endian");
    folder_write("book.bin", "a text under the name of tokens", 30);
    token_file_refused("auto", 65536, 4, "but looks like text; give --data-format text");
    token_file_reads_back_first("nanogpt", 65536, 'a' + (' ' << 8));
    folder_write("odd.bin", wide, 31);
    token_file_refused("uint32", 65536, 4, "31 bytes is not a multiple");
    memset(wide, 0, sizeof wide);
    folder_write("zero.bin", wide, sizeof wide);
    token_file_refused("auto", 256, 4, "are zeros, as if it was created but never filled");
    token_file_reads_back_first("nanogpt", 256, 0);
}

/* Tokens under a neutral name are not text: the user must name the format. */
static void test_untold(void **state) {
    (void)state;
    uint16_t tokens[200];
    for (uint64_t i = 0; i < 200; i++) tokens[i] = (uint16_t)(base_random_u64(3, BASE_STREAM_TEST, i) % 50257);
    static const char *const names[] = {"train.dat", "train.npy", "000_tokens.ds", "train"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        folder_write(names[i], tokens, sizeof tokens);
        token_file_refused("auto", 50257, 4, "if it holds tokens give their --data-format");
        token_file_reads_back_first("uint16", 50257, tokens[0]);
    }
}

static void test_contradicted(void **state) {
    (void)state;
    int32_t file[256 + 50] = {20240520, 1, 100};
    folder_write("llmc.bin", file, sizeof file);
    token_file_refused("nanogpt", 65536, 4, "which --data-format nanogpt contradicts");
    token_file_refused("text", 256, 4, "which --data-format text contradicts");
    token_file_reads_back_first("auto", 128256, 0); /* the file says that its tokens have 16 bits */
}

/* Format and count are complete after a path of any length, which keeps the file's name. */
static void test_description(void **state) {
    (void)state;
    char path[512];
    folder_write("train-of-a-long-name.txt", "some words to read", 18);
    snprintf(path, sizeof path, "%s/", folder);
    while (strlen(path) < 300) strcat(path, "././././");
    strcat(path, "train-of-a-long-name.txt");
    struct data_options o = {.path = path, .vocab = 256, .seq = 4, .shares = 1};
    struct data_source *s;
    assert_int_equal(data_open(&s, &o, NULL), BASE_OK);
    assert_in_range(strlen(data_describe(s)), 80, 159);
    assert_non_null(strstr(data_describe(s), "/train-of-a-long-name.txt (bytes of text, 18)"));
    data_close(s);
    folder_write("caf\xe9.txt", "some words to read", 18); /* a name in Latin-1 */
    o.path = folder_path;
    assert_int_equal(data_open(&s, &o, NULL), BASE_OK);
    assert_non_null(strstr(data_describe(s), "caf?.txt (bytes of text, 18)"));
    data_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_shapes),       cmocka_unit_test(test_words),
        cmocka_unit_test(test_text),       cmocka_unit_test(test_text_shares),  cmocka_unit_test(test_raw),
        cmocka_unit_test(test_untold),     cmocka_unit_test(test_contradicted), cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
