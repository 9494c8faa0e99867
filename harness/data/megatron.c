/* SPDX-License-Identifier: Apache-2.0
 *
 * The index is little-endian and unaligned: magic[9], u64 version, u8 dtype, u64 sequences, u64 documents, then int32
 * size[sequences] in tokens, int64 pointer[sequences] in bytes of PREFIX.bin, int64 document[documents]. Documents do
 * not move tokens, so only their size is checked. fairseq's index lacks documents and their number. */
#include "data/megatron.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/foreign.h"
#include "data/map.h"

static const char MAGIC[9] = "MMIDIDX\0", OLDER_MAGIC[8] = "TNTIDX\0",
                  FIX[] = "a Megatron dataset is PREFIX.idx and PREFIX.bin, both readable";

enum { VERSION_AT = 9, DTYPE_AT = 17, SEQUENCES_AT = 18, DOCUMENTS_AT = 26, HEADER_BYTES = 34 };
enum { OLDER_WIDTH_AT = 24, OLDER_BYTES = 32 }; /* u64 bytes per token, after magic, version and dtype */
enum { SIZE_BYTES = 4, POINTER_BYTES = 8, SEQUENCE_BYTES = SIZE_BYTES + POINTER_BYTES, DOCUMENT_BYTES = 8 };

/* Indexed by code: Megatron has codes up to 8, DeepSpeed and fairseq all. Width 0 is refused. */
static const struct dtype {
    const char *name;
    int width;
    bool is_signed;
} dtypes[] = {
    {"unknown", 0, false}, {"uint8", 1, false},  {"int8", 0, false},    {"int16", 2, true},
    {"int32", 4, true},    {"int64", 8, true},   {"float64", 0, false}, {"float32", 0, false},
    {"uint16", 2, false},  {"uint32", 4, false}, {"uint64", 8, false},
};

/* A truncated name is longer than any path that can be opened. */
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

/* An index and what its header says. */
struct index {
    struct data_map map;
    const struct dtype *dtype;
    uint64_t sequences, sizes_at; /* their number; offset of the first size */
};

static bool has_magic(const struct data_map *map, const void *magic, size_t size) {
    return map->size >= size && !memcmp(map->bytes, magic, size);
}

static uint64_t u64_at(const struct data_map *map, uint64_t at) {
    uint64_t x;
    memcpy(&x, (const char *)map->bytes + at, sizeof x);
    return x;
}

static int32_t size_at(const struct index *index, uint64_t sequence) {
    int32_t x;
    memcpy(&x, (const char *)index->map.bytes + index->sizes_at + sequence * SIZE_BYTES, sizeof x);
    return x;
}

static uint64_t pointer_at(const struct index *index, uint64_t sequence) {
    return u64_at(&index->map, index->sizes_at + index->sequences * SIZE_BYTES + sequence * POINTER_BYTES);
}

static const struct dtype *dtype_of(const struct data_map *map) {
    unsigned code = ((const unsigned char *)map->bytes)[DTYPE_AT];
    return &dtypes[code < sizeof dtypes / sizeof *dtypes ? code : 0];
}

void data_index_look(struct data_index *index, const char *path) {
    struct stat s;
    struct pair pair;
    struct data_map map = {0};
    *index = (struct data_index){0};
    if (!has_suffix(path) && !stat(path, &s) && S_ISREG(s.st_mode)) return;
    pair_name(&pair, path);
    index->found = !stat(pair.index, &s) || (errno != ENOENT && errno != ENOTDIR);
    if (data_map_open(&map, pair.index, FIX, NULL)) return;
    const bool older = has_magic(&map, OLDER_MAGIC, sizeof OLDER_MAGIC);
    index->known = older || has_magic(&map, MAGIC, sizeof MAGIC);
    if (older && map.size >= OLDER_BYTES) {
        const uint64_t width = u64_at(&map, OLDER_WIDTH_AT);
        index->width = width <= 8 ? (int)width : 0;
    } else if (index->known && !older && map.size >= HEADER_BYTES) {
        index->width = dtype_of(&map)->width;
    }
    data_map_close(&map);
}

static int magic_check(const struct data_map *map, const struct pair *pair, struct base_error *e) {
    if (has_magic(map, OLDER_MAGIC, sizeof OLDER_MAGIC))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': an index of the old format (TNTIDX, of fairseq, DeepSpeed and early "
                         "Megatron), which toise cannot read; write the dataset again with --dataset-impl mmap",
                         pair->index);
    if (map->size < HEADER_BYTES)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': %zu bytes, shorter than the %d of a Megatron index's header; it was truncated, or "
            "is not such an index",
            pair->index, map->size, HEADER_BYTES);
    const struct data_foreign *foreign = has_magic(map, MAGIC, sizeof MAGIC) ? NULL : data_foreign_find(map);
    if (foreign)
        return base_fail(e, BASE_USAGE, "data file '%s': is %s; %s", pair->index, foreign->name, foreign->cure);
    if (!has_magic(map, MAGIC, sizeof MAGIC))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': its first 9 bytes are not the magic of a Megatron index (MMIDIDX); write it "
                         "again, or if it does not belong to '%s' give that file's format with --data-format (%s)",
                         pair->index, pair->tokens, DATA_FORMATS);
    const uint64_t version = u64_at(map, VERSION_AT);
    if (version == UINT64_C(1) << 56)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': from a big-endian machine; write the dataset again as little-endian",
                         pair->index);
    if (version != 1)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': version %llu at byte %d, only version 1 is known; write the dataset again",
                         pair->index, (unsigned long long)version, VERSION_AT);
    return BASE_OK;
}

/* fairseq's index has sizes where Megatron's has the number of documents. Its length and first pointers show which it
 * is. */
static bool is_fairseq(const struct index *index) {
    const struct index i = {.map = index->map, .sequences = index->sequences, .sizes_at = DOCUMENTS_AT};
    const uint64_t rest = i.map.size - DOCUMENTS_AT, n = i.sequences;
    if (!n || n > rest / SEQUENCE_BYTES || n * SEQUENCE_BYTES != rest || pointer_at(&i, 0)) return false;
    return n == 1 || pointer_at(&i, 1) == (uint64_t)size_at(&i, 0) * (uint64_t)index->dtype->width;
}

/* Checks that the header agrees with the index's size. */
static int header_check(struct index *index, const struct pair *pair, struct base_error *e) {
    const struct data_map *map = &index->map;
    int code = magic_check(map, pair, e);
    if (code) return code;
    index->dtype = dtype_of(map);
    index->sequences = u64_at(map, SEQUENCES_AT);
    index->sizes_at = HEADER_BYTES;
    if (!index->dtype->width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': dtype code %u (%s) at byte %d; write the tokens as uint8, uint16, uint32, "
                         "int16, int32 or int64",
                         pair->index, ((const unsigned char *)map->bytes)[DTYPE_AT], index->dtype->name, DTYPE_AT);
    if (is_fairseq(index)) {
        index->sizes_at = DOCUMENTS_AT;
        return BASE_OK;
    }
    const uint64_t n = index->sequences, documents = u64_at(map, DOCUMENTS_AT), rest = map->size - HEADER_BYTES;
    const bool fits = n <= rest / SEQUENCE_BYTES && documents <= rest / DOCUMENT_BYTES;
    const uint64_t needed = fits ? n * SEQUENCE_BYTES + documents * DOCUMENT_BYTES : 0;
    if (fits && needed == rest) return BASE_OK;
    if (fits && n && needed + n == rest)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': the index of a multimodal dataset (%llu modes at its end); give a dataset of text only",
            pair->index, (unsigned long long)n);
    return base_fail(e, BASE_USAGE,
                     "data file '%s': the header at byte %d says %llu sequences of %d bytes and %llu documents of "
                     "%d, but %llu bytes follow it; it was truncated or damaged: copy or write it again",
                     pair->index, SEQUENCES_AT, (unsigned long long)n, SEQUENCE_BYTES, (unsigned long long)documents,
                     DOCUMENT_BYTES, (unsigned long long)rest);
}

/* Each of sequences first .. end-1 must begin where the one before ended, from the first byte of PREFIX.bin to the
 * last. The difference wraps only if a pointer exceeds `bytes`; that sequence is refused when its turn comes. */
static int sequences_check(const struct index *index, const struct pair *pair, uint64_t bytes, uint64_t first,
                           uint64_t end, struct base_error *e) {
    const int width = index->dtype->width;
    for (uint64_t i = first; i < end; i++) {
        const bool last = i + 1 == index->sequences;
        uint64_t start = pointer_at(index, i), next = last ? bytes : pointer_at(index, i + 1);
        int32_t size = size_at(index, i);
        if (i == 0 && start)
            return base_fail(e, BASE_USAGE,
                             "data file '%s': sequence 0 begins at byte %lld of '%s', not at 0; the index is damaged, "
                             "or the two do not belong together: copy or write both again",
                             pair->index, (long long)start, pair->tokens);
        if (size < 0 || start > bytes || next - start != (uint64_t)size * (uint64_t)width)
            return base_fail(
                e, BASE_USAGE,
                "data file '%s': sequence %llu has %d tokens of %d bytes from byte %lld of '%s', but %s at "
                "byte %lld; the index is damaged, or the two do not belong together: copy or write both "
                "again",
                pair->index, (unsigned long long)i, size, width, (long long)start, pair->tokens,
                last ? "the file ends" : "the next begins", (long long)next);
    }
    return BASE_OK;
}

/* Maps the tokens if they agree with the index. */
static int tokens_open(struct data_file *file, struct index *index, const struct pair *pair,
                       const struct data_options *options, struct base_error *e) {
    int64_t first, end;
    struct data_map map = {0};
    int code = header_check(index, pair, e);
    if (!code) code = data_map_open(&map, pair->tokens, FIX, e);
    if (code) return code;
    data_file_share(options, (int64_t)index->sequences, &first, &end);
    if (!index->sequences)
        code = base_fail(e, BASE_USAGE,
                         "data file '%s': it has 0 sequences, but '%s' has %zu bytes; copy or write both again",
                         pair->index, pair->tokens, map.size);
    else
        code = sequences_check(index, pair, map.size, (uint64_t)first, (uint64_t)end, e);
    const struct data_foreign *foreign = code ? data_foreign_find(&map) : NULL; /* a better reason */
    if (foreign) base_fail(e, code, "data file '%s': is %s; %s", pair->tokens, foreign->name, foreign->cure);
    if (code) {
        data_map_close(&map);
        return code;
    }
    const int width = index->dtype->width;
    *file = (struct data_file){.map = map,
                               .tokens = map.bytes,
                               .count = (int64_t)(map.size / (size_t)width),
                               .width = width,
                               .is_signed = index->dtype->is_signed,
                               .title = "Megatron indexed tokens"};
    return BASE_OK;
}

int data_megatron_open(struct data_file *file, const struct data_options *options, struct base_error *e) {
    struct pair pair;
    struct index index = {0};
    pair_name(&pair, options->path);
    int code = data_map_open(&index.map, pair.index, FIX, e);
    if (code) return code;
    code = tokens_open(file, &index, &pair, options, e);
    data_map_close(&index.map);
    return code;
}
