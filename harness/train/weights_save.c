/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes weights: a file of tensors, and the folder that transformers loads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "guard/watchdog.h"
#include "train/weights.h"
#include "train/weights_names.h"

/* The tensor that is written, which all ranks put together. */
struct source {
    struct parallel_engine *engine;
    enum parallel_what what;
    float *values;
    int next; /* the first tensor that is not yet put together */
};
static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    struct source *s = context;
    const struct model_tensor *t = &s->engine->whole.tensors[i];
    guard_progress(); /* a sync may be behind it, which takes no CPU time */
    if (s->next == i) parallel_collect(s->engine, s->what, s->next++, s->values);
    for (int64_t j = 0; j < n; j++) out[j] = s->values[train_weights_place(t, first + j)];
}

static int write_tensors(const char *path, struct source *s, struct base_error *e) {
    const struct model_params *p = &s->engine->whole;
    const size_t n = (size_t)p->count;
    struct data_tensor_out *rows = calloc(n, sizeof *rows);
    char(*names)[TRAIN_NAME] = calloc(n, TRAIN_NAME);
    int code = BASE_BROKEN;
    for (size_t i = 0; rows && names && i < n; i++)
        train_weights_row(&p->tensors[i], s->engine->plan->request.config.family->prefix, names[i], &rows[i]);
    if (rows && names)
        code = data_tensors_write(path, rows, p->count, fill, s, e);
    else
        base_fail(e, BASE_BROKEN, "out of memory for the names of %d tensors", p->count);
    free(rows), free(names);
    return code;
}

/* Rank 0 writes unless it has failed already. Then too the others take part in every tensor. */
static int write_with(const char *path, struct parallel_engine *g, enum parallel_what what, int code,
                      struct base_error *e) {
    struct source s = {.engine = g, .what = what, .values = malloc((size_t)g->whole.largest * sizeof(float))};
    const int ready = s.values ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a tensor of the weights");
    const int agreed = comm_agree(g->world, ready, e);
    if (!agreed && !code && g->world->rank == 0) code = write_tensors(path, &s, e);
    while (!agreed && !parallel_has_all(g, what) && s.next < g->whole.count) {
        guard_progress();
        parallel_collect(g, what, s.next++, s.values);
    }
    free(s.values);
    return agreed ? agreed : code;
}

int train_weights_write(const char *path, struct parallel_engine *g, enum parallel_what what, struct base_error *e) {
    return comm_agree(g->world, write_with(path, g, what, BASE_OK, e), e);
}

/* The folder without slashes at its end, and the same with ".part", which is written first. */
static int clean(const char *folder, char path[PATH_MAX], char part[PATH_MAX], struct base_error *e) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (n == 0 || n > PATH_MAX - 64)
        return base_fail(e, BASE_USAGE, "--save: a path of %zu characters; take 1 to %d", n, PATH_MAX - 64);
    snprintf(path, PATH_MAX, "%.*s", (int)n, folder);
    snprintf(part, PATH_MAX, "%.*s.part", (int)n, folder);
    return BASE_OK;
}

int train_weights_save_check(const char *folder, bool make, struct base_error *e) {
    char path[PATH_MAX], part[PATH_MAX], parent[PATH_MAX];
    struct stat s;
    int code = clean(folder, path, part, e);
    if (code) return code;
    if (!lstat(path, &s)) return base_fail(e, BASE_USAGE, "--save %s: exists already; name a new folder", path);
    if (!lstat(part, &s))
        return base_fail(e, BASE_USAGE,
                         "--save %s: %s exists, from a run that was interrupted or is still saving; remove it", path,
                         part);
    const bool could = base_file_could_be_made(part, parent);
    if (!could || (make && (!base_file_parents(path, parent) || mkdir(part, 0777) || rmdir(part))))
        return base_fail(e, BASE_USAGE, "--save %s: cannot create a folder there: %s; name another", path,
                         strerror(errno));
    return BASE_OK;
}

/* A file must be on disk before it is renamed. File systems that cannot sync a folder (EINVAL) keep that order
 * themselves. */
static int sync_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || (fsync(fd) && errno != EINVAL);
    if (fd >= 0) close(fd);
    return failed;
}

static int write_config(const struct model_config *c, const char *path, struct base_error *e) {
    json_t *json = model_config_json(c);
    errno = ENOMEM; /* for jansson, which sets none */
    int failed = !json || json_dump_file(json, path, JSON_INDENT(2)) || sync_path(path);
    json_decref(json);
    return failed ? base_fail(e, BASE_BROKEN, "--save: cannot write %s: %s", path, strerror(errno)) : BASE_OK;
}

/* Names of the folder, and of its files while they are written. */
struct names {
    char path[PATH_MAX], part[PATH_MAX], config[PATH_MAX + 32], weights[PATH_MAX + 32];
};

static int make_part(const char *folder, struct names *n, struct base_error *e) {
    const int code = clean(folder, n->path, n->part, e);
    if (code) return code;
    snprintf(n->config, sizeof n->config, "%s/config.json", n->part);
    snprintf(n->weights, sizeof n->weights, "%s/model.safetensors", n->part);
    if (mkdir(n->part, 0777)) return base_fail(e, BASE_BROKEN, "--save: cannot make %s: %s", n->part, strerror(errno));
    return BASE_OK;
}

/* The folder is complete: it gets its name. */
static int rename_part(const struct names *n, struct base_error *e) {
    char parent[PATH_MAX];
    if (rename(n->part, n->path)) /* the weights are complete, so keep them */
        return base_fail(e, BASE_BROKEN, "--save: the weights are in %s, which cannot be renamed to %s: %s", n->part,
                         n->path, strerror(errno));
    if (base_file_parents(n->path, parent)) (void)sync_path(parent); /* without it, a power cut may leave FOLDER.part */
    return BASE_OK;
}

int train_weights_save(struct parallel_engine *g, const char *folder, struct base_error *e) {
    const bool writer = g->world->rank == 0;
    struct names n = {.weights = ""};
    const int made = writer ? make_part(folder, &n, e) : BASE_OK;
    int code = write_with(n.weights, g, PARALLEL_MASTER, made, e);
    if (!code && writer) code = write_config(&g->plan->request.config, n.config, e);
    if (!code && writer && sync_path(n.part))
        code = base_fail(e, BASE_BROKEN, "--save: cannot sync %s: %s", n.part, strerror(errno));
    if (code && writer && !made) unlink(n.config), unlink(n.weights), rmdir(n.part);
    if (!code && writer) code = rename_part(&n, e);
    return comm_agree(g->world, code, e);
}
