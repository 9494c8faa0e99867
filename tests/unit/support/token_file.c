/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of token files. */
#include "unit/support/token_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/folder.h"

int token_file_opened(struct data_source **s, const char *format, int64_t vocab, int64_t seq, struct base_error *e) {
    struct data_options o = {.path = folder_path, .format = format, .vocab = vocab, .seq = seq, .seed = 7, .shares = 1};
    *s = NULL;
    return data_open(s, &o, e);
}

void token_file_refused(const char *format, int64_t vocab, int64_t seq, const char *words) {
    struct data_source *s;
    struct base_error e = {0};
    assert_int_equal(token_file_opened(&s, format, vocab, seq, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_null(s);
    if (!strstr(e.text, folder_path) || !strstr(e.text, words) || strchr(e.text, '\n'))
        fail_msg("'%s' lacks '%s' or '%s'", e.text, folder_path, words);
}

void token_file_reads_back(const char *format, int64_t vocab, int count, int first, const char *title) {
    enum { SEQ = 9, N = 400 };
    struct data_source *s;
    struct base_error e = {0};
    int32_t in[SEQ], out[SEQ];
    if (token_file_opened(&s, format, vocab, SEQ, &e)) fail_msg("%s", e.text);
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

/* Windows of one token: the first token must be among this many. */
void token_file_reads_back_first(const char *format, int64_t vocab, int32_t token) {
    struct data_source *s;
    struct base_error e = {0};
    int32_t in, out;
    bool met = false;
    if (token_file_opened(&s, format, vocab, 1, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < 20000 && !met; i++) {
        data_fill(s, i, 1, 0, 1, &in, &out);
        met = in == token;
    }
    data_close(s);
    assert_true(met);
}

size_t token_file_index(unsigned char *bytes, int code, int width, const int32_t *sizes, int sequences, int documents) {
    const uint64_t version = 1, counts[] = {(uint64_t)sequences, (uint64_t)documents};
    unsigned char *at = bytes;
    memcpy(at, "MMIDIDX\0", 9);
    memcpy(at + 9, &version, 8);
    at[17] = (unsigned char)code;
    memcpy(at + 18, counts, 16);
    at += 34;
    for (int i = 0; i < sequences; i++, at += 4) memcpy(at, &sizes[i], 4);
    int64_t pointer = 0;
    for (int i = 0; i < sequences; i++, at += 8) {
        memcpy(at, &pointer, 8);
        pointer += (int64_t)sizes[i] * width;
    }
    memset(at, 0, 8 * (size_t)documents);
    return (size_t)(at - bytes) + 8 * (size_t)documents;
}
