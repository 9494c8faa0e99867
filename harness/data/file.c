/* SPDX-License-Identifier: Apache-2.0
 *
 * What all formats share: the check of each token, and samples. Files are little-endian. */
#include "data/file.h"

#include <stdio.h>

#include "data/format.h"
#include "data/sample.h"
#include "data/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token files are mapped as they are");

/* Always inlined, so that a constant width becomes a plain load. A token that 32 bits cannot hold becomes their largest
 * value, which every vocabulary excludes. */
static inline __attribute__((always_inline)) uint32_t token_load(const void *tokens, int width, int64_t i) {
    if (width == 8) {
        uint64_t token = ((const uint64_t *)tokens)[i];
        return token < UINT32_MAX ? (uint32_t)token : UINT32_MAX;
    }
    return width == 1   ? ((const uint8_t *)tokens)[i]
           : width == 2 ? ((const uint16_t *)tokens)[i]
                        : ((const uint32_t *)tokens)[i];
}

/* The token as the file has it, for messages. *negative: it is below zero. */
static void token_text(const struct data_file *f, int64_t i, char text[24], bool *negative) {
    if (f->is_signed) {
        const int64_t value = f->width == 2   ? ((const int16_t *)f->tokens)[i]
                              : f->width == 4 ? ((const int32_t *)f->tokens)[i]
                                              : ((const int64_t *)f->tokens)[i];
        *negative = value < 0;
        snprintf(text, 24, "%lld", (long long)value);
    } else {
        const uint64_t value = f->width == 8 ? ((const uint64_t *)f->tokens)[i] : token_load(f->tokens, f->width, i);
        *negative = false;
        snprintf(text, 24, "%llu", (unsigned long long)value);
    }
}

static inline __attribute__((always_inline)) uint32_t range_max_of(const void *tokens, int width, int64_t first,
                                                                   int64_t end) {
    uint32_t max = 0;
    for (int64_t i = first; i < end; i++) {
        uint32_t token = token_load(tokens, width, i);
        max = token > max ? token : max;
    }
    return max;
}

static uint32_t range_max(const struct data_file *f, int64_t first, int64_t end) {
    return f->width == 1   ? range_max_of(f->tokens, 1, first, end)
           : f->width == 2 ? range_max_of(f->tokens, 2, first, end)
           : f->width == 4 ? range_max_of(f->tokens, 4, first, end)
                           : range_max_of(f->tokens, 8, first, end);
}

/* The first of tokens first .. end-1 that, read as unsigned, is >= limit; `end`: none. Finds the maximum of each block
 * of 64 Ki tokens with vectors, and searches only a block that fails. */
static int64_t scan_bad(const struct data_file *f, int64_t limit, int64_t first, int64_t end) {
    const int64_t block = 65536;
    for (int64_t at = first, next; at < end; at = next) {
        next = end - at < block ? end : at + block;
        if (range_max(f, at, next) < limit) continue;
        while (token_load(f->tokens, f->width, at) < limit) at++;
        return at;
    }
    return end;
}

void data_file_share(const struct data_options *o, int64_t count, int64_t *first, int64_t *end) {
    int64_t each = count / o->shares, rest = count % o->shares;
    *first = each * o->share + (o->share < rest ? o->share : rest);
    *end = *first + each + (o->share < rest);
}

static int vocab_check(const struct data_file *f, const struct data_options *o, struct base_error *e) {
    int64_t first, end;
    data_file_share(o, f->count, &first, &end);
    /* Read as unsigned, a negative token is at least half of its type's range. In 4 bytes and more that exceeds any
     * vocabulary. */
    int64_t values = f->width < 4 ? (int64_t)1 << (8 * f->width - f->is_signed) : INT64_MAX;
    bool all_good = o->vocab >= values && !f->is_signed;
    int64_t bad = all_good ? end : scan_bad(f, o->vocab < values ? o->vocab : values, first, end);
    if (bad == end) return BASE_OK;
    char token[24];
    bool negative;
    token_text(f, bad, token, &negative);
    return base_fail(e, BASE_USAGE,
                     "data file '%s' (%s): %s %lld is %s, not %s the model's vocabulary of %lld; use a model with a "
                     "larger vocabulary, or give the file's right format",
                     o->path, f->title, f->width == 1 ? "the byte at offset" : "token", (long long)bad, token,
                     negative ? "in" : "below", (long long)o->vocab);
}

static int tokens_check(const struct data_file *f, const struct data_options *o, struct base_error *e) {
    if (f->count <= o->seq)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s' (%s): %lld tokens, but a sample takes %lld (sequence length + 1); give a longer "
            "file or a shorter sequence",
            o->path, f->title, (long long)f->count, (long long)o->seq + 1);
    int code = vocab_check(f, o, e);
    return code || !f->is_text ? code : data_text_check(f, o, e);
}

int data_file_open(struct data_file *file, const struct data_options *options, struct base_error *e) {
    struct data_file f = {0};
    int code = data_format_open(&f, options, e);
    if (!code) code = tokens_check(&f, options, e);
    if (code) {
        data_file_close(&f);
        return code;
    }
    *file = f;
    return BASE_OK;
}

void data_file_close(struct data_file *file) {
    data_map_close(&file->map);
    *file = (struct data_file){0};
}

__extension__ typedef unsigned __int128 wide;

void data_file_sample(const struct data_file *file, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets) {
    uint64_t word = base_random_u64(seed, data_sample_stream(sample), data_sample_index(sample, 0));
    int64_t start = (int64_t)((wide)word * (uint64_t)(file->count - seq) >> 64); /* uniform within count / 2^64 */
    for (int64_t t = 0; t <= seq; t++) {
        int32_t x = (int32_t)token_load(file->tokens, file->width, start + t);
        if (t < seq) inputs[t] = x;
        if (t > 0) targets[t - 1] = x;
    }
}
