/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the folder that transformers loads, and checkpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/folder.h"
#include "checkpoint/root.h"
#include "checkpoint/shards.h"
#include "records/set.h"

int checkpoint_weights_write(const char *path, struct parallel_engine *g, enum parallel_what what,
                             struct base_error *e) {
    struct checkpoint_shards shards;
    int code = checkpoint_shards_open(&shards, g, false, e);
    const struct checkpoint_kind *kind = what == PARALLEL_MASTER ? &checkpoint_model : &checkpoint_gradients;
    if (!code) code = checkpoint_shards_write(&shards, kind, path, NULL, e);
    checkpoint_shards_close(&shards);
    return code;
}

int checkpoint_export(struct parallel_engine *g, const char *path, struct base_error *e) {
    const bool writer = g->world->rank == 0;
    struct checkpoint_folder f = {.path = ""};
    char file[PATH_MAX];
    const int made = writer ? checkpoint_folder_begin(&f, path, e) : BASE_OK;
    int code = comm_agree(g->world, made, e);
    checkpoint_folder_file(f.part, "model.safetensors", file);
    if (!code) code = checkpoint_weights_write(file, g, PARALLEL_MASTER, e);
    if (writer && !code)
        code = checkpoint_folder_json(f.part, "config.json", model_config_json(&g->plan->request.config), e);
    if (writer && code && !made) checkpoint_folder_remove(f.part);
    if (writer && !code) code = checkpoint_folder_end(&f, e);
    return comm_agree(g->world, code, e);
}

/* Rank 0 makes the folder, and all learn its name. */
static int begin(struct parallel_engine *g, const char *root, struct checkpoint_folder *f, struct base_error *e) {
    char path[PATH_MAX];
    checkpoint_root_name(root, g->updates, path);
    const int code = comm_agree(g->world, g->world->rank ? BASE_OK : checkpoint_folder_begin(f, path, e), e);
    if (!code) g->world->ops->broadcast(g->world, f, sizeof *f);
    return code;
}

/* Writes this rank's file of a kind, and adds it to `files`. Collective. */
static int write_kind(struct checkpoint_shards *s, const struct checkpoint_kind *kind, const char *folder,
                      json_t *files, struct base_error *e) {
    char name[CHECKPOINT_FILE], path[PATH_MAX];
    json_t *sums = json_object();
    struct stat is = {0};
    const bool mine = checkpoint_shards_file(s, kind, name);
    checkpoint_folder_file(folder, name, path);
    int code = checkpoint_shards_write(s, kind, path, sums, e);
    if (mine && !code && !stat(path, &is))
        json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:O}", "file", name, "kind", kind->name, "bytes",
                                               (json_int_t)is.st_size, "tensors", sums));
    if (mine && !code && json_array_size(files) < (size_t)(kind == &checkpoint_optimizer ? 2 : 1))
        code = base_fail(e, BASE_BROKEN, "--save: %s cannot be listed, or memory ran out", path);
    json_decref(sums);
    return comm_agree(s->engine->world, code, e);
}

/* Reads back what this rank wrote. */
static int check(const struct parallel_engine *g, const char *folder, const json_t *files, struct base_error *e) {
    char path[PATH_MAX];
    size_t i;
    json_t *file;
    int code = BASE_OK;
    json_array_foreach(files, i, file) {
        checkpoint_folder_file(folder, json_string_value(json_object_get(file, "file")), path);
        if (!code) code = checkpoint_file_check(path, json_object_get(file, "tensors"), g->team.threads, e);
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
static int describe(const struct parallel_engine *g, const char *folder, json_t *files, const json_t *about,
                    struct base_error *e) {
    json_t *all =
        json_pack("{s:s, s:I, s:O}", "checkpoint", CHECKPOINT_SCHEMA, "step", (json_int_t)g->updates, "files", files);
    json_object_update_missing(all, (json_t *)(uintptr_t)about);
    int code = checkpoint_folder_json(folder, "config.json", model_config_json(&g->plan->request.config), e);
    if (!code) code = write_index(g, folder, &checkpoint_model, files, e);
    if (!code) code = write_index(g, folder, &checkpoint_optimizer, files, e);
    if (code) json_decref(all);
    return code ? code : checkpoint_folder_json(folder, "checkpoint.json", all, e);
}

/* Both kinds of files, and mine: those that this rank wrote. */
static int write_files(struct parallel_engine *g, const char *folder, json_t *mine, double *buffers,
                       struct base_error *e) {
    struct checkpoint_shards shards;
    int code = checkpoint_shards_open(&shards, g, true, e);
    if (!code) code = write_kind(&shards, &checkpoint_model, folder, mine, e);
    if (!code) code = write_kind(&shards, &checkpoint_optimizer, folder, mine, e);
    *buffers = checkpoint_shards_buffers(&shards);
    checkpoint_shards_close(&shards);
    return code;
}

int checkpoint_save(struct parallel_engine *g, const char *root, const json_t *about, struct checkpoint_cost *cost,
                    struct base_error *e) {
    struct comm *world = g->world;
    struct checkpoint_folder f = {.path = ""};
    json_t *mine = json_array(), *all = json_array(), *file;
    const double began = base_clock_now();
    size_t i;
    *cost = (struct checkpoint_cost){0};
    int code = begin(g, root, &f, e);
    const bool made = !code;
    if (!code) code = write_files(g, f.part, mine, &cost->buffers, e);
    cost->write_s = base_clock_now() - began;
    if (!code) code = comm_agree(world, check(g, f.part, mine, e), e);
    if (!code) code = gather(world, mine, all, e);
    if (!code && world->rank == 0) code = describe(g, f.part, all, about, e);
    if (!code && world->rank == 0) code = checkpoint_folder_end(&f, e);
    if (made) code = comm_agree(world, code, e);
    if (code && made && world->rank == 0) checkpoint_folder_remove(f.part);
    json_array_foreach(mine, i, file) cost->bytes += json_number_value(json_object_get(file, "bytes"));
    json_decref(mine), json_decref(all);
    cost->check_s = base_clock_now() - began - cost->write_s;
    double most[] = {cost->write_s, cost->check_s, cost->buffers};
    world->ops->max(world, most, 3);
    world->ops->sum(world, &cost->bytes, 1);
    cost->write_s = most[0], cost->check_s = most[1], cost->buffers = most[2];
    return code;
}
