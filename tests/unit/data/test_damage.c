/* SPDX-License-Identifier: Apache-2.0
 *
 * Token files in bulk: a bad token at every position with every number of shares, and thousands of damaged files. Those
 * may be refused or read, but never crash or leave anything open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "data/data.h"
#include "unit/support/folder.h"
#include "unit/support/token_file.h"

/* Shares are in order and complete. Wherever the bad token is, one share refuses it, and a later token is never in a
 * lower share. Also with more shares than tokens. */
static void test_shares(void **state) {
    (void)state;
    enum { COUNT = 23 };
    for (int shares = 1; shares <= COUNT + 2; shares += 3)
        for (int bad = 0, last = 0; bad < COUNT; bad++) {
            char text[COUNT];
            memset(text, 'a', COUNT);
            text[bad] = 'b';
            folder_write("shares.txt", text, COUNT);
            int refusing = -1;
            for (int share = 0; share < shares; share++) {
                struct data_options o = {.path = folder_path, .vocab = 'b', .seq = 4, .share = share, .shares = shares};
                struct data_source *s = NULL;
                if (data_open(&s, &o, NULL)) {
                    assert_int_equal(refusing, -1);
                    refusing = share;
                }
                data_close(s);
            }
            assert_in_range(refusing, last, shares - 1);
            last = refusing;
        }
}

/* No descriptor and no mapping is left. */
static void nothing_left(int lowest_descriptor) {
    int now = dup(0);
    close(now);
    assert_int_equal(now, lowest_descriptor);
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps) return;
    char line[1024];
    while (fgets(line, sizeof line, maps)) assert_null(strstr(line, folder));
    fclose(maps);
}

enum { ROUNDS = 2000 };

/* The file at `folder_path` is refused by name, or gives tokens below the vocabulary. */
static bool reads(const char *format, uint64_t round) {
    enum { SEQ = 64, VOCAB = 1000 };
    struct data_options o = {.path = folder_path, .format = format, .vocab = VOCAB, .seq = SEQ, .seed = 7, .shares = 1};
    struct data_source *s = NULL;
    struct base_error e = {0};
    int32_t in[2 * SEQ], out[2 * SEQ];
    int code = data_open(&s, &o, &e);
    if (code) {
        assert_int_equal(code, BASE_USAGE);
        assert_non_null(strstr(e.text, folder_path));
        return false;
    }
    data_fill(s, (int64_t)round, 2, 0, 2, in, out);
    for (int i = 0; i < 2 * SEQ; i++) {
        assert_in_range(in[i], 0, VOCAB - 1);
        assert_in_range(out[i], 0, VOCAB - 1);
    }
    data_close(s);
    return true;
}

/* Flipped bytes, truncation and tails on a file that ends at a page's end, so that reading beyond it faults. */
static void test_damage_never_crashes(void **state) {
    (void)state;
    enum { BYTES = 4096, HEADER = 1024 };
    static const char *const formats[] = {"auto", "llmc", "nanogpt", "text"};
    unsigned char good[BYTES] = {0}, bad[BYTES + 64];
    int32_t head[3] = {20240520, 1, (BYTES - HEADER) / 2};
    memcpy(good, head, sizeof head);
    int accepted = 0, descriptor = dup(0);
    close(descriptor);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint32_t w[4], flip[4];
        base_random_words(11, BASE_STREAM_TEST, round, w);
        memcpy(bad, good, BYTES);
        memset(bad + BYTES, 1, sizeof bad - BYTES);
        if (w[3] % 4 >= 2) memset(bad, w[3] % 4 == 3 ? 'a' : 1, BYTES); /* for nanogpt and text, which have no header */
        for (uint32_t i = 0; i < w[0] % 4; i++) {                       /* half of the flips hit the header */
            base_random_words(12 + i, BASE_STREAM_TEST, round, flip);
            bad[flip[0] % (flip[1] % 2 ? 12 : BYTES)] = (unsigned char)flip[2];
        }
        size_t bytes = w[1] % 4 == 0 ? w[2] % (BYTES + 64) : w[1] % 4 == 1 ? BYTES - w[2] % 3 : BYTES;
        folder_write("fuzz.bin", bad, bytes);
        accepted += reads(formats[w[3] % 4], round);
    }
    assert_in_range(accepted, ROUNDS / 10, ROUNDS - ROUNDS / 10); /* both outcomes occur */
    nothing_left(descriptor);
}

/* The same for an index and its tokens, each ending at a page's end within less than a pointer. */
static void test_index_damage_never_crashes(void **state) {
    (void)state;
    enum { SEQUENCES = 334, DOCUMENTS = 6, INDEX = 34 + 12 * SEQUENCES + 8 * DOCUMENTS, TOKENS = 2048 };
    static const uint16_t tokens[TOKENS + 4];
    unsigned char good[INDEX], bad[INDEX + 64];
    int32_t sizes[SEQUENCES];
    for (int i = 0; i < SEQUENCES; i++) sizes[i] = i < SEQUENCES - 1 ? 6 : TOKENS - 6 * (SEQUENCES - 1);
    assert_int_equal(token_file_index(good, 8, 2, sizes, SEQUENCES, DOCUMENTS), INDEX);
    int accepted = 0, descriptor = dup(0);
    close(descriptor);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint32_t w[4], flip[4];
        base_random_words(21, BASE_STREAM_TEST, round, w);
        memcpy(bad, good, INDEX);
        memset(bad + INDEX, 1, sizeof bad - INDEX);
        for (uint32_t i = 0; i < w[0] % 3; i++) { /* half of the flips hit the header */
            base_random_words(22 + i, BASE_STREAM_TEST, round, flip);
            bad[flip[0] % (flip[1] % 2 ? 34 : INDEX)] = (unsigned char)(flip[3] % 2 ? flip[2] : flip[2] % 9);
        }
        folder_write("fuzz.bin", tokens, sizeof(uint16_t) * TOKENS + (w[1] % 8 ? 0 : w[2] % 9) - (w[1] % 8 == 1));
        folder_write("fuzz.idx", bad, w[1] % 8 == 2 ? w[2] % (INDEX + 64) : w[1] % 8 == 3 ? INDEX - w[2] % 9 : INDEX);
        folder_name("fuzz");
        accepted += reads(w[3] % 2 ? "auto" : "megatron", round);
    }
    assert_in_range(accepted, ROUNDS / 10, ROUNDS - ROUNDS / 10);
    nothing_left(descriptor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_damage_never_crashes),
        cmocka_unit_test(test_index_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
