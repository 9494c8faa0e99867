/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks llm.c's header against the size of the file. */
#include "data/llmc.h"

#include <string.h>

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

bool data_llmc_is(const struct data_map *map) {
    return header_find(map->bytes, map->size);
}

int data_llmc_read(struct data_file *f, const struct data_options *o, struct base_error *e) {
    const char *path = o->path;
    if (f->map.size < HEADER_BYTES)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': %zu bytes, shorter than the %d of an llm.c header; it was truncated, or has another "
            "format (%s)",
            path, f->map.size, HEADER_BYTES, DATA_FORMATS);
    const int32_t *header = f->map.bytes;
    const struct header *known = header_find(f->map.bytes, f->map.size);
    if (!known)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': magic %d at byte 0 is not that of llm.c tokens (%d or %d); give llm.c's token "
            "file, or the right format (%s)",
            path, header[0], headers[0].magic, headers[1].magic, DATA_FORMATS);
    if (header[1] != known->version)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': version %d at byte 4, only version %d is known for magic %d; write the file again", path,
            header[1], known->version, known->magic);
    if ((int64_t)f->map.size - HEADER_BYTES != (int64_t)header[2] * known->width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': the header at byte 8 says %d tokens of %d bytes, but %zu bytes follow it; it "
                         "was truncated or damaged: copy or write it again",
                         path, header[2], known->width, f->map.size - HEADER_BYTES);
    f->tokens = header + HEADER_INTS;
    f->count = header[2];
    f->width = known->width;
    f->title = "llm.c tokens";
    return BASE_OK;
}
