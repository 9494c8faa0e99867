/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the folder that transformers loads, and checkpoints. */
#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/files.h"

int checkpoint_weights_write(const char *path, struct parallel_engine *g, enum parallel_what what,
                             struct base_error *e) {
    struct checkpoint_shards shards;
    int code = checkpoint_shards_open(&shards, g, CHECKPOINT_FIRST, e);
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

/* Both kinds of files. */
static int write_files(struct checkpoint_files *f, double *buffers, struct base_error *e) {
    struct checkpoint_shards shards;
    int code = checkpoint_shards_open(&shards, f->engine, CHECKPOINT_ALL, e);
    if (!code) code = checkpoint_files_write(f, &shards, e);
    *buffers = checkpoint_shards_buffers(&shards);
    checkpoint_shards_close(&shards);
    return code;
}

int checkpoint_save(struct parallel_engine *g, const char *root, const json_t *about, struct checkpoint_cost *cost,
                    struct base_error *e) {
    struct comm *world = g->world;
    struct checkpoint_files f;
    const double began = base_clock_now();
    *cost = (struct checkpoint_cost){0};
    int code = checkpoint_files_begin(&f, g, root, e);
    if (!code) code = write_files(&f, &cost->buffers, e);
    cost->write_s = base_clock_now() - began;
    if (!code) code = comm_agree(world, checkpoint_files_check(&f, g->team.threads, e), e);
    code = checkpoint_files_end(&f, code, about, &cost->bytes, e);
    cost->check_s = base_clock_now() - began - cost->write_s;
    double most[] = {cost->write_s, cost->check_s, cost->buffers};
    world->ops->max(world, most, 3);
    cost->write_s = most[0], cost->check_s = most[1], cost->buffers = most[2];
    return code;
}
