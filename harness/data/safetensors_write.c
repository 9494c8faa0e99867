/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a .safetensors file of F32 tensors. The file appears under its name complete or not at all. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/safetensors.h"

enum { ALIGN = 8, ELEMENT = sizeof(float), SYNC_CHUNKS = 16 /* 64 MiB: no sync takes long */ };

struct writer {
    const char *path;
    char *header; /* the header's text without its padding */
    size_t header_size;
    float *chunk;
    const struct data_tensor_out *rows;
    int count;
    data_tensors_fill *fill;
    void *context;
    int64_t unsynced; /* elements */
};

static int64_t elements(const struct data_tensor_out *row) {
    int64_t n = 1;
    for (int d = 0; d < row->dims; d++) n *= row->shape[d];
    return n;
}

static bool countable(const struct data_tensor_out *row) {
    int64_t n = ELEMENT;
    bool good = row->dims >= 0 && row->dims <= DATA_DIMS;
    for (int d = 0; good && d < row->dims; d++)
        good = row->shape[d] >= 0 && !__builtin_mul_overflow(n, row->shape[d], &n);
    return good;
}

/* Adds the row, whose bytes begin at *at, and moves *at to their end. */
static int row_add(json_t *header, const struct writer *w, const struct data_tensor_out *row, int64_t *at,
                   struct base_error *e) {
    int64_t end;
    if (!countable(row) || __builtin_add_overflow(*at, ELEMENT * elements(row), &end))
        return base_fail(e, BASE_BROKEN, "%s: tensor '%.160s': its shape is invalid or too large", w->path, row->name);
    if (json_object_get(header, row->name))
        return base_fail(e, BASE_BROKEN, "%s: tensor '%.160s': the name is given twice or reserved for metadata",
                         w->path, row->name);
    json_t *shape = json_array();
    for (int d = 0; d < row->dims; d++) json_array_append_new(shape, json_integer(row->shape[d]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)*at,
                              (json_int_t)end);
    if (json_object_set_new(header, row->name, entry))
        return base_fail(e, BASE_BROKEN, "%s: tensor '%.160s': the name is not UTF-8, or out of memory", w->path,
                         row->name);
    *at = end;
    return BASE_OK;
}

static int header_make(struct writer *w, struct base_error *e) {
    int64_t at = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int code = header ? BASE_OK : base_fail(e, BASE_BROKEN, "%s: out of memory for the header", w->path);
    for (int i = 0; i < w->count && !code; i++) code = row_add(header, w, &w->rows[i], &at, e);
    if (!code) w->header = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (code) return code;
    if (!w->header) return base_fail(e, BASE_BROKEN, "%s: out of memory for the header", w->path);
    w->header_size = strlen(w->header);
    if (w->header_size <= DATA_TENSORS_HEADER_MOST - ALIGN) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "%s: a header of %zu bytes, more than safetensors allows (%d)", w->path,
                     w->header_size, DATA_TENSORS_HEADER_MOST);
}

static bool put(FILE *file, const void *bytes, size_t n) {
    return fwrite(bytes, 1, n, file) == n;
}

static bool put_header(FILE *file, const struct writer *w) {
    static const char spaces[ALIGN] = "        ";
    size_t pad = (ALIGN - (DATA_TENSORS_PREFIX + w->header_size) % ALIGN) % ALIGN;
    uint64_t size = w->header_size + pad;
    return put(file, &size, sizeof size) && put(file, w->header, w->header_size) && put(file, spaces, pad);
}

/* The caller, who fills the next chunk, may say meanwhile that it makes progress. */
static bool sync_some(FILE *file, struct writer *w, int64_t n) {
    w->unsynced += n;
    if (w->unsynced < SYNC_CHUNKS * DATA_TENSORS_CHUNK) return true;
    w->unsynced = 0;
    return fflush(file) == 0 && fdatasync(fileno(file)) == 0;
}

static bool put_tensor(FILE *file, struct writer *w, int i) {
    int64_t count = elements(&w->rows[i]);
    for (int64_t first = 0; first < count; first += DATA_TENSORS_CHUNK) {
        int64_t n = count - first < DATA_TENSORS_CHUNK ? count - first : DATA_TENSORS_CHUNK;
        w->fill(w->context, i, first, n, w->chunk);
        if (!put(file, w->chunk, ELEMENT * (size_t)n) || !sync_some(file, w, n)) return false;
    }
    return true;
}

static bool put_all(FILE *file, void *context) {
    struct writer *w = context;
    bool done = put_header(file, w);
    for (int i = 0; i < w->count && done; i++) done = put_tensor(file, w, i);
    return done;
}

int data_tensors_write(const char *path, const struct data_tensor_out *rows, int count, data_tensors_fill *fill,
                       void *context, struct base_error *e) {
    struct writer w = {.path = path, .rows = rows, .count = count, .fill = fill, .context = context};
    struct stat found;
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
        return base_fail(e, BASE_BROKEN, "%s: not written: it exists and is not a plain file", path);
    int code = header_make(&w, e);
    w.chunk = malloc(DATA_TENSORS_CHUNK * sizeof *w.chunk);
    if (!code && !w.chunk) code = base_fail(e, BASE_BROKEN, "%s: out of memory to write", path);
    if (!code) code = base_file_make(path, put_all, &w, e);
    free(w.chunk);
    free(w.header);
    return code;
}
