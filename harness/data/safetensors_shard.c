/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and checks one file's header. A header is valid only if it accounts for every byte of the file. */
#include "data/safetensors_shard.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char METADATA[] = "__metadata__", AGAIN[] = "write, copy or download it again";

/* Types of known width. For any other type the size is not checked. */
static const struct dtype {
    const char *name;
    int bits;
    enum data_dtype dtype;
} dtypes[] = {
    {"F32", 32, DATA_F32},           {"F16", 16, DATA_F16},       {"BF16", 16, DATA_BF16},
    {"BOOL", 8, DATA_UNREAD},        {"U8", 8, DATA_UNREAD},      {"I8", 8, DATA_UNREAD},
    {"U16", 16, DATA_UNREAD},        {"I16", 16, DATA_UNREAD},    {"U32", 32, DATA_UNREAD},
    {"I32", 32, DATA_UNREAD},        {"U64", 64, DATA_UNREAD},    {"I64", 64, DATA_UNREAD},
    {"F64", 64, DATA_UNREAD},        {"C64", 64, DATA_UNREAD},    {"F8_E4M3", 8, DATA_UNREAD},
    {"F8_E5M2", 8, DATA_UNREAD},     {"F8_E8M0", 8, DATA_UNREAD}, {"F8_E4M3FNUZ", 8, DATA_UNREAD},
    {"F8_E5M2FNUZ", 8, DATA_UNREAD}, {"F6_E2M3", 6, DATA_UNREAD}, {"F6_E3M2", 6, DATA_UNREAD},
    {"F4", 4, DATA_UNREAD},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

__attribute__((format(printf, 4, 5))) static int refuse(const struct data_shard *shard, const char *name,
                                                        struct base_error *e, const char *format, ...) {
    char why[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return base_fail(e, BASE_USAGE, "file '%s': tensor '%.160s': %s; %s", shard->path, name, why, AGAIN);
}

int data_shard_json(const char *path, const char *what, const char *bytes, size_t n, json_t **object,
                    struct base_error *e) {
    json_error_t why;
    json_t *value = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);
    if (!value)
        return base_fail(e, BASE_USAGE, "file '%s': its %s is not JSON: byte %d: %s; %s", path, what, why.position,
                         why.text, AGAIN);
    if (!json_is_object(value)) {
        json_decref(value);
        return base_fail(e, BASE_USAGE, "file '%s': its %s is JSON but not an object; %s", path, what, AGAIN);
    }
    *object = value;
    return BASE_OK;
}

/* Reads the header's length and checks that it ends within the file. */
static int prefix_check(const struct data_shard *shard, uint64_t *header, struct base_error *e) {
    static const char pointer[] = "version https://git-lfs";
    const char *path = shard->path;
    size_t size = shard->map.size;
    if (size > sizeof pointer && !memcmp(shard->map.bytes, pointer, sizeof pointer - 1))
        return base_fail(e, BASE_USAGE, "file '%s': is a Git LFS pointer, not the tensors; fetch them: git lfs pull",
                         path);
    if (size < DATA_TENSORS_PREFIX)
        return base_fail(e, BASE_USAGE,
                         "file '%s': %zu bytes, too short for the %d that give a safetensors header's length; %s", path,
                         size, DATA_TENSORS_PREFIX, AGAIN);
    memcpy(header, shard->map.bytes, sizeof *header);
    if (*header > size - DATA_TENSORS_PREFIX)
        return base_fail(
            e, BASE_USAGE,
            "file '%s': its first %d bytes give a header of %llu bytes, but %zu follow; it was truncated, or "
            "is not a safetensors file: copy it again, or convert it",
            path, DATA_TENSORS_PREFIX, (unsigned long long)*header, size - DATA_TENSORS_PREFIX);
    if (*header > DATA_TENSORS_HEADER_MOST)
        return base_fail(e, BASE_USAGE,
                         "file '%s': a header of %llu bytes, more than the %d that safetensors allows; write the "
                         "tensors into several files",
                         path, (unsigned long long)*header, DATA_TENSORS_HEADER_MOST);
    return BASE_OK;
}

int data_shard_open(struct data_shard *shard, const char *fix, struct base_error *e) {
    uint64_t header = 0;
    int code = data_map_open(&shard->map, shard->path, fix, e);
    if (!code) code = prefix_check(shard, &header, e);
    if (code) return code;
    const char *text = (const char *)shard->map.bytes + DATA_TENSORS_PREFIX;
    code = data_shard_json(shard->path, "header", text, (size_t)header, &shard->header, e);
    if (code) return code;
    shard->data = text + header;
    shard->size = (int64_t)(shard->map.size - DATA_TENSORS_PREFIX - (size_t)header);
    shard->count = (int)json_object_size(shard->header) - (json_object_get(shard->header, METADATA) != NULL);
    return BASE_OK;
}

void data_shard_close(struct data_shard *shard) {
    json_decref(shard->header);
    data_map_close(&shard->map);
    free(shard->path);
    *shard = (struct data_shard){0};
}

static int metadata_check(const struct data_shard *shard, json_t *metadata, struct base_error *e) {
    const char *key;
    json_t *value;
    bool good = json_is_object(metadata);
    json_object_foreach(metadata, key, value) good = good && json_is_string(value);
    if (good) return BASE_OK;
    return base_fail(e, BASE_USAGE, "file '%s': its %s is not an object of strings; %s", shard->path, METADATA, AGAIN);
}

static int shape_read(const struct data_shard *shard, const json_t *shape, struct data_tensor *t,
                      struct base_error *e) {
    if (!json_is_array(shape)) return refuse(shard, t->name, e, "its shape is missing or not a list");
    if (json_array_size(shape) > DATA_DIMS)
        return refuse(shard, t->name, e, "%zu dimensions, but toise reads at most %d", json_array_size(shape),
                      DATA_DIMS);
    t->dims = (int)json_array_size(shape);
    t->count = 1;
    for (int d = 0; d < t->dims; d++) {
        const json_t *extent = json_array_get(shape, (size_t)d);
        if (!json_is_integer(extent))
            return refuse(shard, t->name, e, "dimension %d of its shape is not an integer", d);
        t->shape[d] = json_integer_value(extent);
        if (t->shape[d] < 0)
            return refuse(shard, t->name, e, "dimension %d of its shape is %lld", d, (long long)t->shape[d]);
        if (__builtin_mul_overflow(t->count, t->shape[d], &t->count))
            return refuse(shard, t->name, e, "its shape has more elements than can be counted");
    }
    return BASE_OK;
}

static int offsets_read(const struct data_shard *shard, const json_t *offsets, struct data_tensor *t,
                        struct base_error *e) {
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return refuse(shard, t->name, e, "its data_offsets are missing, or not two integers");
    int64_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || begin > end)
        return refuse(shard, t->name, e, "its data_offsets [%lld, %lld] are negative or reversed", (long long)begin,
                      (long long)end);
    if (end > shard->size)
        return refuse(shard, t->name, e, "its data_offsets [%lld, %lld] end outside the file's %lld bytes of data",
                      (long long)begin, (long long)end, (long long)shard->size);
    t->bytes = shard->data + begin;
    t->at = shard->data - (const char *)shard->map.bytes + begin;
    t->size = end - begin;
    return BASE_OK;
}

/* Reads the type and checks that the elements take exactly the tensor's bytes. */
static int type_read(const struct data_shard *shard, const json_t *type, struct data_tensor *t, struct base_error *e) {
    if (!json_is_string(type)) return refuse(shard, t->name, e, "its dtype is missing or not a string");
    const char *name = json_string_value(type);
    int i = 0, bits = 0;
    int64_t total;
    while (i < DTYPES && strcmp(dtypes[i].name, name) != 0) i++;
    t->dtype = i < DTYPES ? dtypes[i].dtype : DATA_UNREAD;
    if (i < DTYPES) bits = dtypes[i].bits;
    snprintf(t->type, sizeof t->type, "%s", name);
    if (bits && (__builtin_mul_overflow(t->count, bits, &total) || total % 8 || total / 8 != t->size))
        return refuse(shard, t->name, e, "%lld elements of %s (%d bits) do not take the %lld bytes of its data_offsets",
                      (long long)t->count, t->type, bits, (long long)t->size);
    return BASE_OK;
}

static int tensor_read(const struct data_shard *shard, const char *name, const json_t *value, struct data_tensor *t,
                       struct base_error *e) {
    *t = (struct data_tensor){.name = name, .file = shard->path};
    if (!json_is_object(value)) return refuse(shard, name, e, "it is not an object of dtype, shape and data_offsets");
    int code = shape_read(shard, json_object_get(value, "shape"), t, e);
    if (!code) code = offsets_read(shard, json_object_get(value, "data_offsets"), t, e);
    if (!code) code = type_read(shard, json_object_get(value, "dtype"), t, e);
    return code;
}

/* An empty tensor sorts before the one that begins at the same byte. */
static int by_bytes(const void *left, const void *right) {
    const struct data_tensor *a = left, *b = right;
    if (a->bytes != b->bytes) return (const char *)a->bytes < (const char *)b->bytes ? -1 : 1;
    return (a->size > b->size) - (a->size < b->size);
}

static int cover_check(const struct data_shard *shard, const struct data_tensor *rows, struct base_error *e) {
    int64_t at = 0;
    for (int i = 0; i < shard->count; i++) {
        int64_t begin = (const char *)rows[i].bytes - shard->data;
        if (begin != at)
            return refuse(shard, rows[i].name, e, "it begins at byte %lld of the data, but '%.80s' ends at %lld: %s",
                          (long long)begin, i ? rows[i - 1].name : "the header", (long long)at,
                          begin < at ? "an overlap" : "a hole");
        at += rows[i].size;
    }
    if (at == shard->size) return BASE_OK;
    return base_fail(e, BASE_USAGE, "file '%s': %lld bytes of data, but its tensors end at byte %lld; %s", shard->path,
                     (long long)shard->size, (long long)at, AGAIN);
}

int data_shard_tensors(const struct data_shard *shard, struct data_tensor *rows, struct base_error *e) {
    const char *name;
    json_t *value;
    int n = 0;
    json_object_foreach(shard->header, name, value) {
        int code = strcmp(name, METADATA) != 0 ? tensor_read(shard, name, value, &rows[n++], e)
                                               : metadata_check(shard, value, e);
        if (code) return code;
    }
    qsort(rows, (size_t)n, sizeof *rows, by_bytes);
    return cover_check(shard, rows, e);
}
