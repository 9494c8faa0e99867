/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of one checkpoint, from its folder's first name to its last. */
#include "checkpoint/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/root.h"

/* Rank 0 makes the folder, and all learn its name. */
int checkpoint_files_begin(struct checkpoint_files *files, struct parallel_engine *g, const char *root,
                           struct base_error *e) {
    struct checkpoint_folder *f = &files->folder;
    char path[PATH_MAX];
    *files = (struct checkpoint_files){.engine = g, .step = g->updates, .mine = json_array()};
    checkpoint_root_name(root, g->updates, path);
    const int code = comm_agree(g->world, g->world->rank ? BASE_OK : checkpoint_folder_begin(f, path, e), e);
    files->made = !code;
    if (!code) g->world->ops->broadcast(g->world, f, sizeof *f);
    return code;
}

/* Writes this rank's file of a kind, and adds it to `mine`. */
static int write_kind(struct checkpoint_files *files, struct checkpoint_shards *s, const struct checkpoint_kind *kind,
                      struct base_error *e) {
    char name[CHECKPOINT_FILE], path[PATH_MAX];
    json_t *sums = json_object();
    struct stat is = {0};
    const bool has = checkpoint_shards_file(s, kind, name);
    const size_t before = json_array_size(files->mine);
    checkpoint_folder_file(files->folder.part, name, path);
    int code = checkpoint_shards_write(s, kind, path, sums, e);
    if (has && !code && !stat(path, &is))
        json_array_append_new(files->mine, json_pack("{s:s, s:s, s:I, s:O}", "file", name, "kind", kind->name, "bytes",
                                                     (json_int_t)is.st_size, "tensors", sums));
    if (has && !code && json_array_size(files->mine) == before)
        code = base_fail(e, BASE_BROKEN, "--save: %s cannot be listed, or memory ran out", path);
    json_decref(sums);
    return s->copy ? code : comm_agree(s->engine->world, code, e);
}

int checkpoint_files_write(struct checkpoint_files *files, struct checkpoint_shards *s, struct base_error *e) {
    const int code = write_kind(files, s, &checkpoint_model, e);
    return code ? code : write_kind(files, s, &checkpoint_optimizer, e);
}

int checkpoint_files_check(const struct checkpoint_files *files, int threads, struct base_error *e) {
    char path[PATH_MAX];
    size_t i;
    json_t *file;
    int code = BASE_OK;
    json_array_foreach(files->mine, i, file) {
        checkpoint_folder_file(files->folder.part, json_string_value(json_object_get(file, "file")), path);
        if (!code) code = checkpoint_file_check(path, json_object_get(file, "tensors"), threads, e);
    }
    return code;
}

/* Rank 0 gets the arrays of all ranks in one. BASE_BROKEN on all: out of memory. Collective. */
static int gather(struct comm *world, json_t *mine, json_t *all, struct base_error *e) {
    const size_t ranks = (size_t)world->size;
    char *text = json_dumps(mine, JSON_COMPACT), *texts = NULL;
    int64_t *lengths = calloc(ranks, sizeof *lengths), *to = calloc(ranks, sizeof *to), total = 0;
    int64_t *from = calloc(ranks, sizeof *from);
    int code = text && lengths && to && from ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a list of files");
    if (!(code = comm_agree(world, code, e))) {
        const int64_t length = (int64_t)strlen(text);
        world->ops->all_gather(world, &length, sizeof length, lengths);
        to[0] = length;
        for (size_t r = 0; world->rank == 0 && r < ranks; r++) total += from[r] = lengths[r];
        texts = malloc((size_t)total + 1);
        if (!texts) code = base_fail(e, BASE_BROKEN, "out of memory for the lists of files of %zu ranks", ranks);
        code = comm_agree(world, code, e);
    }
    if (!code) {
        struct comm_request request;
        world->ops->all_to_all_v_start(world, text, to, texts, from, &request);
        world->ops->wait(world, &request);
    }
    const char *at = texts;
    for (size_t r = 0; !code && world->rank == 0 && r < ranks; at += from[r++]) {
        json_t *some = json_loadb(at, (size_t)from[r], 0, NULL);
        if (!some || json_array_extend(all, some))
            code = base_fail(e, BASE_BROKEN, "out of memory for a list of files");
        json_decref(some);
    }
    free(text), free(texts), free(lengths), free(to), free(from);
    return code;
}

/* The index that transformers reads if there are several files of a kind. */
static int write_index(const struct parallel_engine *g, const char *folder, const struct checkpoint_kind *kind,
                       const json_t *files, struct base_error *e) {
    json_t *map = json_object(), *file, *sum;
    char name[CHECKPOINT_FILE + 16];
    const char *tensor;
    int64_t bytes = 0;
    size_t i;
    int count = 0;
    for (int t = 0; t < g->whole.count; t++) bytes += kind->arrays * (int64_t)sizeof(float) * g->whole.tensors[t].count;
    json_array_foreach(files, i, file) {
        if (strcmp(json_string_value(json_object_get(file, "kind")), kind->name) != 0) continue;
        count++;
        json_object_foreach(json_object_get(file, "tensors"), tensor, sum)
            json_object_set(map, tensor, json_object_get(file, "file"));
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)bytes, "weight_map", map);
    snprintf(name, sizeof name, "%s.safetensors.index.json", kind->name);
    if (count > 1) return checkpoint_folder_json(folder, name, index, e);
    json_decref(index);
    return BASE_OK;
}

/* What rank 0 adds to the tensors' files. */
static int describe(const struct checkpoint_files *f, json_t *files, const json_t *about, struct base_error *e) {
    const struct parallel_engine *g = f->engine;
    const char *folder = f->folder.part;
    json_t *all =
        json_pack("{s:s, s:I, s:O}", "checkpoint", CHECKPOINT_SCHEMA, "step", (json_int_t)f->step, "files", files);
    json_object_update_missing(all, (json_t *)(uintptr_t)about);
    int code = checkpoint_folder_json(folder, "config.json", model_config_json(&g->plan->request.config), e);
    if (!code) code = write_index(g, folder, &checkpoint_model, files, e);
    if (!code) code = write_index(g, folder, &checkpoint_optimizer, files, e);
    if (code) json_decref(all);
    return code ? code : checkpoint_folder_json(folder, "checkpoint.json", all, e);
}

int checkpoint_files_end(struct checkpoint_files *files, int code, const json_t *about, double *bytes,
                         struct base_error *e) {
    struct comm *world = files->engine->world;
    json_t *all = json_array(), *file;
    size_t i;
    const bool first = world->rank == 0;
    if (!code) code = gather(world, files->mine, all, e);
    if (!code && first) code = describe(files, all, about, e);
    if (!code && first) code = checkpoint_folder_end(&files->folder, e);
    if (files->made) code = comm_agree(world, code, e);
    if (code && files->made && first) checkpoint_folder_remove(files->folder.part);
    *bytes = 0;
    json_array_foreach(files->mine, i, file) *bytes += json_number_value(json_object_get(file, "bytes"));
    world->ops->sum(world, bytes, 1);
    json_decref(files->mine), json_decref(all);
    files->mine = NULL;
    return code;
}
