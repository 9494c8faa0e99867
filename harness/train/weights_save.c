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

struct source {
    const struct model_params *params;
    const float *values;
};
static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    const struct source *s = context;
    const struct model_tensor *t = &s->params->tensors[i];
    guard_progress(); /* a sync may be behind it, which takes no CPU time */
    for (int64_t j = 0; j < n; j++) out[j] = s->values[t->offset + train_weights_place(t, first + j)];
}

int train_weights_write(const char *path, const struct model_params *p, const struct model_config *c,
                        const float *values, struct base_error *e) {
    const size_t n = (size_t)p->count;
    struct data_tensor_out *rows = calloc(n, sizeof *rows);
    char(*names)[TRAIN_NAME] = calloc(n, TRAIN_NAME);
    struct source source = {p, values};
    int code = BASE_BROKEN;
    for (size_t i = 0; rows && names && i < n; i++)
        train_weights_row(&p->tensors[i], c->family->prefix, names[i], &rows[i]);
    if (rows && names)
        code = data_tensors_write(path, rows, p->count, fill, &source, e);
    else
        base_fail(e, BASE_BROKEN, "out of memory for the names of %d tensors", p->count);
    free(rows), free(names);
    return code;
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

int train_weights_save(const struct parallel_engine *g, const char *folder, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    char path[PATH_MAX], part[PATH_MAX], parent[PATH_MAX], config[PATH_MAX + 32], weights[PATH_MAX + 32];
    int code = clean(folder, path, part, e);
    if (code) return code;
    snprintf(config, sizeof config, "%s/config.json", part);
    snprintf(weights, sizeof weights, "%s/model.safetensors", part);
    if (mkdir(part, 0777)) return base_fail(e, BASE_BROKEN, "--save: cannot make %s: %s", part, strerror(errno));
    code = train_weights_write(weights, &g->params, c, g->master, e);
    if (!code) code = write_config(c, config, e);
    if (!code && sync_path(part)) code = base_fail(e, BASE_BROKEN, "--save: cannot sync %s: %s", part, strerror(errno));
    if (code) {
        unlink(config), unlink(weights), rmdir(part);
        return code;
    }
    if (rename(part, path)) /* the weights are complete, so keep them */
        return base_fail(e, BASE_BROKEN, "--save: the weights are in %s, which cannot be renamed to %s: %s", part, path,
                         strerror(errno));
    if (base_file_parents(path, parent)) (void)sync_path(parent); /* without it, a power cut may leave FOLDER.part */
    return BASE_OK;
}
