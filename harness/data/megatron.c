/* SPDX-License-Identifier: Apache-2.0
 *
 * The index, little-endian and unaligned: magic[9], u64 version, u8 dtype, u64 sequences, u64 documents, then
 * int32 size[sequences] in tokens, int64 pointer[sequences] in bytes of PREFIX.bin, int64 document[documents].
 * Documents do not move tokens, so only their room is checked. */
#include "data/megatron.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/map.h"

static const char MAGIC[9] = "MMIDIDX\0", FIX[] = "a Megatron dataset is PREFIX.idx and PREFIX.bin, both readable";

enum { VERSION_AT = 9, DTYPE_AT = 17, SEQUENCES_AT = 18, DOCUMENTS_AT = 26, HEADER_BYTES = 34 };
enum { SIZE_BYTES = 4, POINTER_BYTES = 8, SEQUENCE_BYTES = SIZE_BYTES + POINTER_BYTES, DOCUMENT_BYTES = 8 };

/* By code; those of width 0 are not read. */
static const struct dtype {
    const char *name;
    int width;
    bool is_signed;
} dtypes[] = {
    {"unknown", 0, false}, {"uint8", 1, false},   {"int8", 0, false},    {"int16", 2, true},   {"int32", 4, true},
    {"int64", 8, true},    {"float64", 0, false}, {"float32", 0, false}, {"uint16", 2, false},
};

/* A name that does not fit is longer than any that can be opened. */
struct pair {
    char index[PATH_MAX + 8], tokens[PATH_MAX + 8];
};

static bool has_suffix(const char *path) {
    size_t n = strlen(path);
    return n > 4 && (!strcmp(path + n - 4, ".bin") || !strcmp(path + n - 4, ".idx"));
}

static void pair_name(struct pair *pair, const char *path) {
    size_t n = strlen(path) - (has_suffix(path) ? 4 : 0);
    int stem = n < PATH_MAX ? (int)n : PATH_MAX;
    snprintf(pair->index, sizeof pair->index, "%.*s.idx", stem, path);
    snprintf(pair->tokens, sizeof pair->tokens, "%.*s.bin", stem, path);
}

static bool has_magic(const struct data_map *index) {
    return index->size >= sizeof MAGIC && !memcmp(index->bytes, MAGIC, sizeof MAGIC);
}

bool data_megatron_is(const char *path) {
    struct stat s;
    if (!has_suffix(path) && !stat(path, &s) && S_ISREG(s.st_mode)) return false;
    struct pair pair;
    struct data_map index;
    pair_name(&pair, path);
    if (data_map_open(&index, pair.index, FIX, NULL)) return false;
    bool is = has_magic(&index);
    data_map_close(&index);
    return is;
}

static uint64_t u64_at(const struct data_map *index, uint64_t at) {
    uint64_t x;
    memcpy(&x, (const char *)index->bytes + at, sizeof x);
    return x;
}

static int32_t size_at(const struct data_map *index, uint64_t sequence) {
    int32_t x;
    memcpy(&x, (const char *)index->bytes + HEADER_BYTES + sequence * SIZE_BYTES, sizeof x);
    return x;
}

static uint64_t pointer_at(const struct data_map *index, uint64_t sequences, uint64_t sequence) {
    return u64_at(index, HEADER_BYTES + sequences * SIZE_BYTES + sequence * POINTER_BYTES);
}

/* What the header says holds together; *dtype and *sequences are then of use. */
static int header_check(const struct data_map *index, const char *path, const struct dtype **dtype, uint64_t *sequences,
                        struct base_error *e) {
    if (index->size < HEADER_BYTES)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': %zu bytes, shorter than the %d of a Megatron index's header; it was cut, or "
                         "is no such index",
                         path, index->size, HEADER_BYTES);
    if (!has_magic(index))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': its first 9 bytes are not the magic of a Megatron index (MMIDIDX); write it "
                         "anew, or give the right format (text, llmc, nanogpt)",
                         path);
    uint64_t version = u64_at(index, VERSION_AT);
    if (version != 1)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': version %llu at byte %d, only version 1 is known; write the dataset anew",
                         path, (unsigned long long)version, VERSION_AT);
    unsigned code = ((const unsigned char *)index->bytes)[DTYPE_AT];
    const struct dtype *known = &dtypes[code < sizeof dtypes / sizeof *dtypes ? code : 0];
    if (!known->width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': dtype code %u (%s) at byte %d; write the tokens as uint8, uint16, int16, "
                         "int32 or int64",
                         path, code, known->name, DTYPE_AT);
    uint64_t n = u64_at(index, SEQUENCES_AT), documents = u64_at(index, DOCUMENTS_AT);
    uint64_t rest = index->size - HEADER_BYTES;
    if (n > rest / SEQUENCE_BYTES || documents > rest / DOCUMENT_BYTES ||
        n * SEQUENCE_BYTES + documents * DOCUMENT_BYTES != rest)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': the header at byte %d says %llu sequences of %d bytes and %llu documents of "
                         "%d, but %llu bytes follow it; it was cut or damaged: copy or write it anew",
                         path, SEQUENCES_AT, (unsigned long long)n, SEQUENCE_BYTES, (unsigned long long)documents,
                         DOCUMENT_BYTES, (unsigned long long)rest);
    *dtype = known;
    *sequences = n;
    return BASE_OK;
}

/* Sequences first .. end-1 each lie where the one before ended, from the first byte of PREFIX.bin to its last.
 * The difference wraps only where a pointer is above `bytes`, which is refused in that sequence's turn. */
static int sequences_check(const struct data_map *index, const struct pair *pair, uint64_t sequences, int width,
                           uint64_t bytes, uint64_t first, uint64_t end, struct base_error *e) {
    for (uint64_t i = first; i < end; i++) {
        const bool last = i + 1 == sequences;
        uint64_t start = pointer_at(index, sequences, i), next = last ? bytes : pointer_at(index, sequences, i + 1);
        int32_t size = size_at(index, i);
        if (i == 0 && start)
            return base_fail(e, BASE_USAGE,
                             "data file '%s': sequence 0 begins at byte %lld of '%s', not at 0; the index is damaged, "
                             "or the two do not belong together: copy or write both anew",
                             pair->index, (long long)start, pair->tokens);
        if (size < 0 || start > bytes || next - start != (uint64_t)size * (uint64_t)width)
            return base_fail(
                e, BASE_USAGE,
                "data file '%s': sequence %llu has %d tokens of %d bytes from byte %lld of '%s', but %s at "
                "byte %lld; the index is damaged, or the two do not belong together: copy or write both "
                "anew",
                pair->index, (unsigned long long)i, size, width, (long long)start, pair->tokens,
                last ? "that ends" : "the next begins", (long long)next);
    }
    return BASE_OK;
}

/* The tokens are mapped and agree with the index. */
static int tokens_open(struct data_file *file, const struct data_map *index, const struct pair *pair,
                       const struct data_options *options, struct base_error *e) {
    const struct dtype *dtype = NULL;
    uint64_t sequences = 0;
    int64_t first, end;
    struct data_map map = {0};
    int code = header_check(index, pair->index, &dtype, &sequences, e);
    if (!code) code = data_map_open(&map, pair->tokens, FIX, e);
    if (code) return code;
    data_file_share(options, (int64_t)sequences, &first, &end);
    if (!sequences)
        code = base_fail(e, BASE_USAGE,
                         "data file '%s': it has 0 sequences, but '%s' has %zu bytes; copy or write both anew",
                         pair->index, pair->tokens, map.size);
    else
        code = sequences_check(index, pair, sequences, dtype->width, map.size, (uint64_t)first, (uint64_t)end, e);
    if (code) {
        data_map_close(&map);
        return code;
    }
    *file = (struct data_file){.map = map,
                               .tokens = map.bytes,
                               .count = (int64_t)(map.size / (size_t)dtype->width),
                               .width = dtype->width,
                               .is_signed = dtype->is_signed,
                               .title = "Megatron indexed tokens"};
    return BASE_OK;
}

int data_megatron_open(struct data_file *file, const struct data_options *options, struct base_error *e) {
    struct pair pair;
    struct data_map index;
    pair_name(&pair, options->path);
    int code = data_map_open(&index, pair.index, FIX, e);
    if (code) return code;
    code = tokens_open(file, &index, &pair, options, e);
    data_map_close(&index);
    return code;
}
