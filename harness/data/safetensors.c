/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a path's shards as one table sorted by name, and converts values to FP32. safetensors_shard.c reads headers. */
#define _GNU_SOURCE
#include "data/safetensors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/safetensors_shard.h"

static const char SINGLE[] = "model.safetensors", INDEX[] = "model.safetensors.index.json";
static const char FIX[] =
    "give a .safetensors file, or a folder with model.safetensors or model.safetensors.index.json";

struct data_tensors {
    struct data_tensor *rows;
    int count, shard_count;
    struct data_shard *shards;
};

static int no_memory(struct base_error *e) {
    return base_fail(e, BASE_BROKEN, "out of memory for a table of tensors");
}

/* Takes ownership of `path`, which is on the heap or NULL. The set must have room for one more shard. */
static int shard_add(struct data_tensors *set, char *path, const char *fix, struct base_error *e) {
    if (!path) return no_memory(e);
    struct data_shard *shard = &set->shards[set->shard_count++];
    shard->path = path;
    int code = data_shard_open(shard, fix, e);
    if (code) return code;
    size_t room = (size_t)set->count + (size_t)shard->count + 1; /* the table exists even without tensors */
    struct data_tensor *rows = reallocarray(set->rows, room, sizeof *rows);
    if (!rows) return no_memory(e);
    set->rows = rows;
    code = data_shard_tensors(shard, rows + set->count, e);
    set->count += shard->count;
    return code;
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct data_tensor *)left)->name, ((const struct data_tensor *)right)->name);
}

static int sort_by_name(struct data_tensors *set, struct base_error *e) {
    const struct data_tensor *t = set->rows;
    qsort(set->rows, (size_t)set->count, sizeof *set->rows, by_name);
    for (int i = 1; i < set->count; i++)
        if (!by_name(&t[i - 1], &t[i]))
            return base_fail(e, BASE_USAGE, "file '%s': tensor '%.160s': is also in '%s'; keep one of the two",
                             t[i - 1].file, t[i].name, t[i].file);
    return BASE_OK;
}

/* Whether a shard's name stays in the index's folder. Links may lead elsewhere, as in caches. */
static bool in_folder(const char *name) {
    size_t n = strlen(name);
    return n && name[0] != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../") &&
           (n < 3 || strcmp(name + n - 3, "/..") != 0);
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Writes the map's shards, each once and sorted, into names[size of map]. The map owns the names. */
static int shard_names(const char *path, json_t *map, const char **names, int *count, struct base_error *e) {
    const char *tensor;
    json_t *value;
    size_t n = 0, kept = 0;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || !in_folder(name))
            return base_fail(e, BASE_USAGE,
                             "file '%s': tensor '%.160s': its weight_map gives '%.160s', not a file in the index's "
                             "folder; name a shard that is in it",
                             path, tensor, name ? name : "(no text)");
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++)
        if (!i || strcmp(names[i], names[kept - 1]) != 0) names[kept++] = names[i];
    *count = (int)kept;
    return BASE_OK;
}

/* Checks that every tensor of the map is in the shard that the map names. The first `folder` characters of a shard's
 * path are not part of its name. */
static int map_check(const struct data_tensors *set, const char *path, json_t *map, int folder, struct base_error *e) {
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const struct data_tensor *t = data_tensors_find(set, name);
        const char *shard = json_string_value(value);
        if (t && !strcmp(t->file + folder, shard)) continue;
        return base_fail(
            e, BASE_USAGE,
            "file '%s': tensor '%.160s': its weight_map says '%.160s', but it is in %.160s; copy index and shards "
            "again from one source",
            path, name, shard, t ? t->file + folder : "none of the shards");
    }
    return BASE_OK;
}

static int shards_open(struct data_tensors *set, const char *path, json_t *map, struct base_error *e) {
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0, count = 0;
    const char **names = malloc(json_object_size(map) * sizeof *names);
    int code = names ? shard_names(path, map, names, &count, e) : no_memory(e);
    if (!code) set->shards = calloc((size_t)count, sizeof *set->shards);
    if (!code && !set->shards) code = no_memory(e);
    for (int i = 0; i < count && !code; i++) {
        char *shard = NULL;
        if (asprintf(&shard, "%.*s%s", folder, path, names[i]) < 0) shard = NULL;
        code = shard_add(set, shard, "the index next to it lists it as a shard: copy or download it too", e);
    }
    free(names);
    if (!code) code = sort_by_name(set, e);
    if (!code) code = map_check(set, path, map, folder, e);
    return code;
}

static int index_open(struct data_tensors *set, const char *path, struct base_error *e) {
    struct data_map file = {0};
    json_t *index = NULL;
    int code = data_map_open(&file, path, FIX, e);
    if (code) return code;
    code = data_shard_json(path, "text", file.bytes, file.size, &index, e);
    data_map_close(&file);
    json_t *map = json_object_get(index, "weight_map");
    if (!code && !json_object_size(map))
        code = base_fail(e, BASE_USAGE,
                         "file '%s': its weight_map is missing, empty or not an object; an index is {\"weight_map\": "
                         "{tensor: shard}}: %s",
                         path, FIX);
    if (!code) code = shards_open(set, path, map, e);
    json_decref(index);
    return code;
}

static int file_open(struct data_tensors *set, const char *path, struct base_error *e) {
    set->shards = calloc(1, sizeof *set->shards);
    if (!set->shards) return no_memory(e);
    int code = shard_add(set, strdup(path), FIX, e);
    return code ? code : sort_by_name(set, e);
}

/* Sets *there if the folder has an entry of this name, even a broken link, and returns its path. NULL: no memory. */
static char *entry(const char *folder, const char *name, bool *there) {
    char *path = NULL;
    struct stat s;
    size_t n = strlen(folder);
    if (asprintf(&path, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name) < 0) return NULL;
    *there = lstat(path, &s) == 0;
    return path;
}

static int folder_open(struct data_tensors *set, const char *folder, struct base_error *e) {
    bool single = false, index = false, pickle = false, pickles = false;
    char *file = entry(folder, SINGLE, &single), *list = entry(folder, INDEX, &index);
    free(entry(folder, "pytorch_model.bin", &pickle));
    free(entry(folder, "pytorch_model.bin.index.json", &pickles));
    int code = !file || !list ? no_memory(e)
               : single       ? file_open(set, file, e)
               : index
                   ? index_open(set, list, e)
                   : base_fail(e, BASE_USAGE, "data folder '%s': holds neither %s nor %s; %s", folder, SINGLE, INDEX,
                               pickle || pickles
                                   ? "toise does not read pickles (pytorch_model.bin), as they can run code: convert "
                                     "them with safetensors (save_pretrained of transformers does)"
                                   : FIX);
    free(file);
    free(list);
    return code;
}

int data_tensors_open(struct data_tensors **set, const char *path, struct base_error *e) {
    struct data_tensors *s = calloc(1, sizeof *s);
    if (!s) return no_memory(e);
    struct stat found;
    size_t n = strlen(path);
    bool folder = stat(path, &found) == 0 && S_ISDIR(found.st_mode), index = n > 5 && !strcmp(path + n - 5, ".json");
    int code = folder ? folder_open(s, path, e) : index ? index_open(s, path, e) : file_open(s, path, e);
    if (code) {
        data_tensors_close(s);
        return code;
    }
    *set = s;
    return BASE_OK;
}

void data_tensors_close(struct data_tensors *set) {
    if (!set) return;
    for (int i = 0; i < set->shard_count; i++) data_shard_close(&set->shards[i]);
    free(set->shards);
    free(set->rows);
    free(set);
}

int data_tensors_count(const struct data_tensors *set) {
    return set->count;
}

const struct data_tensor *data_tensors_at(const struct data_tensors *set, int i) {
    return &set->rows[i];
}

const struct data_tensor *data_tensors_find(const struct data_tensors *set, const char *name) {
    const struct data_tensor key = {.name = name};
    return bsearch(&key, set->rows, (size_t)set->count, sizeof key, by_name);
}

/* Works on bits, so that no NaN becomes quiet. Values below 2^-14 are multiples of 2^-24, which FP32 holds as normal
 * numbers. */
static uint32_t bits_of_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff, bits;
    float small = (float)mantissa * 0x1p-24f;
    memcpy(&bits, &small, sizeof bits);
    if (exponent) bits = (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
    return sign | bits;
}

void data_tensor_read(const struct data_tensor *t, int64_t first, int64_t n, float *out) {
    const char *bytes = t->bytes;
    if (t->dtype == DATA_F32) {
        memcpy(out, bytes + 4 * first, 4 * (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits = 0x7fc00000; /* NaN */
        if (t->dtype != DATA_UNREAD) {
            memcpy(&half, bytes + 2 * (first + i), sizeof half);
            bits = t->dtype == DATA_F16 ? bits_of_f16(half) : (uint32_t)half << 16;
        }
        memcpy(out + i, &bits, sizeof bits);
    }
}
