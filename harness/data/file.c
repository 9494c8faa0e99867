/* SPDX-License-Identifier: Apache-2.0
 *
 * The formats that are one file, and what every format shares: the choice, the check of each token, samples.
 * Little-endian, as the formats are. */
#include "data/file.h"

#include <stdbool.h>
#include <string.h>

#include "data/megatron.h"
#include "data/sample.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token files are mapped as they are");

enum { HEADER_INTS = 256, HEADER_BYTES = 4 * HEADER_INTS };

/* llm.c's two headers: [0] magic, [1] version, [2] number of tokens. */
static const struct header {
    int32_t magic, version;
    int width;
} headers[] = {{20240520, 1, 2}, {20240801, 7, 4}};

static const struct header *header_find(const void *map, size_t bytes) {
    int32_t magic;
    if (bytes < sizeof magic) return NULL;
    memcpy(&magic, map, sizeof magic);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (headers[i].magic == magic) return &headers[i];
    return NULL;
}

static int llmc_read(struct data_file *f, const char *path, struct base_error *e) {
    if (f->map.size < HEADER_BYTES)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': %zu bytes, shorter than the %d of an llm.c header; it was cut, or has another "
            "format (text, nanogpt)",
            path, f->map.size, HEADER_BYTES);
    const int32_t *header = f->map.bytes;
    const struct header *known = header_find(f->map.bytes, f->map.size);
    if (!known)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': magic %d at byte 0 is not that of llm.c tokens (%d or %d); give llm.c's token "
            "file, or the right format (text, nanogpt)",
            path, header[0], headers[0].magic, headers[1].magic);
    if (header[1] != known->version)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': version %d at byte 4, only version %d is known for magic %d; write the file anew", path,
            header[1], known->version, known->magic);
    if ((int64_t)f->map.size - HEADER_BYTES != (int64_t)header[2] * known->width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': the header at byte 8 says %d tokens of %d bytes, but %zu bytes follow it; it "
                         "was cut or damaged: copy or write it anew",
                         path, header[2], known->width, f->map.size - HEADER_BYTES);
    f->tokens = header + HEADER_INTS;
    f->count = header[2];
    f->width = known->width;
    f->title = "llm.c tokens";
    return BASE_OK;
}

static int nanogpt_read(struct data_file *f, const char *path, struct base_error *e) {
    if (f->map.size % 2)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': %zu bytes is odd, but a nanoGPT token takes 2; it was cut, or has another "
                         "format (text, llmc)",
                         path, f->map.size);
    f->tokens = f->map.bytes;
    f->count = (int64_t)(f->map.size / 2);
    f->width = 2;
    f->title = "nanoGPT tokens";
    return BASE_OK;
}

static int text_read(struct data_file *f, const char *path, struct base_error *e) {
    (void)path, (void)e; /* any bytes are text */
    f->tokens = f->map.bytes;
    f->count = (int64_t)f->map.size;
    f->width = 1;
    f->title = "bytes of text";
    return BASE_OK;
}

static bool ends_in_bin(const char *path) {
    size_t n = strlen(path);
    return n >= 4 && !strcmp(path + n - 4, ".bin");
}

typedef int format_read_fn(struct data_file *, const char *path, struct base_error *);

/* Of the formats that are one file; NULL: no such format. */
static format_read_fn *format_find(const struct data_file *f, const char *format, const char *path) {
    if (!format || !strcmp(format, "auto"))
        return header_find(f->map.bytes, f->map.size) ? llmc_read : ends_in_bin(path) ? nanogpt_read : text_read;
    if (!strcmp(format, "text")) return text_read;
    if (!strcmp(format, "llmc")) return llmc_read;
    if (!strcmp(format, "nanogpt")) return nanogpt_read;
    return NULL;
}

/* Always inlined, so that a constant width leaves a plain load. What 32 bits do not hold becomes their largest
 * number, which is no token either: a vocabulary ends below it. */
static inline __attribute__((always_inline)) uint32_t token_load(const void *tokens, int width, int64_t i) {
    if (width == 8) {
        uint64_t token = ((const uint64_t *)tokens)[i];
        return token < UINT32_MAX ? (uint32_t)token : UINT32_MAX;
    }
    return width == 1   ? ((const uint8_t *)tokens)[i]
           : width == 2 ? ((const uint16_t *)tokens)[i]
                        : ((const uint32_t *)tokens)[i];
}

/* As it was written, for reports. */
static int64_t token_value(const struct data_file *f, int64_t i) {
    if (!f->is_signed) return token_load(f->tokens, f->width, i);
    return f->width == 2   ? ((const int16_t *)f->tokens)[i]
           : f->width == 4 ? ((const int32_t *)f->tokens)[i]
                           : ((const int64_t *)f->tokens)[i];
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

/* The first of tokens first .. end-1 that, read without a sign, is not below limit; `end` when all are. Blocks of 64 Ki
 * tokens: the maximum of a block is found with vectors, and only a block that fails is looked through. */
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
    /* Read without a sign, a negative token is at least half of what its width holds, which in 4 bytes and more
     * is above any vocabulary. */
    int64_t values = f->width < 4 ? (int64_t)1 << (8 * f->width - f->is_signed) : INT64_MAX;
    bool all_good = o->vocab >= values && !f->is_signed;
    int64_t bad = all_good ? end : scan_bad(f, o->vocab < values ? o->vocab : values, first, end);
    if (bad == end) return BASE_OK;
    int64_t token = token_value(f, bad);
    return base_fail(e, BASE_USAGE,
                     "data file '%s' (%s): %s %lld is %lld, not %s the model's vocabulary of %lld; use a model with a "
                     "larger vocabulary, or give the file's right format",
                     o->path, f->title, f->width == 1 ? "the byte at offset" : "token", (long long)bad,
                     (long long)token, token < 0 ? "in" : "below", (long long)o->vocab);
}

/* Maps what the path names and finds its tokens. */
static int tokens_find(struct data_file *f, const struct data_options *o, struct base_error *e) {
    const bool automatic = !o->format || !strcmp(o->format, "auto");
    if (automatic ? data_megatron_is(o->path) : !strcmp(o->format, "megatron")) return data_megatron_open(f, o, e);
    int code = data_map_open(&f->map, o->path, "give a text file or a file of tokens that is there and readable", e);
    if (code) return code;
    format_read_fn *format_read = format_find(f, o->format, o->path);
    if (!format_read)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': format '%s' is unknown; give auto, text, llmc, nanogpt or megatron", o->path,
                         o->format);
    return format_read(f, o->path, e);
}

static int tokens_check(const struct data_file *f, const struct data_options *o, struct base_error *e) {
    if (f->count <= o->seq)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s' (%s): %lld tokens, but a sample takes %lld (sequence length + 1); give a longer "
            "file or a shorter sequence",
            o->path, f->title, (long long)f->count, (long long)o->seq + 1);
    return vocab_check(f, o, e);
}

int data_file_open(struct data_file *file, const struct data_options *options, struct base_error *e) {
    struct data_file f = {0};
    int code = tokens_find(&f, options, e);
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
    int64_t start = (int64_t)((wide)word * (uint64_t)(file->count - seq) >> 64); /* uniform to count / 2^64 */
    for (int64_t t = 0; t <= seq; t++) {
        int32_t x = (int32_t)token_load(file->tokens, file->width, start + t);
        if (t < seq) inputs[t] = x;
        if (t > 0) targets[t - 1] = x;
    }
}
