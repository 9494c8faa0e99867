/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights written, and the names and places of both directions. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/weights.h"
#include "run/weights_names.h"

void run_weights_row(const struct model_tensor *t, const char *prefix, char name[RUN_NAME],
                     struct data_tensor_out *row) {
    const bool turned = t->kind->transposed, vector = t->kind->rows == MODEL_ONE;
    snprintf(name, RUN_NAME, "%s%s", t->kind->role == MODEL_HEAD_WEIGHT ? "" : prefix, t->name);
    *row = (struct data_tensor_out){.name = name, .dims = vector ? 1 : 2};
    row->shape[0] = vector || turned ? t->cols : t->rows;
    if (!vector) row->shape[1] = turned ? t->rows : t->cols;
}

int64_t run_weights_place(const struct model_tensor *t, int64_t i) {
    return t->kind->transposed ? i % t->rows * t->cols + i / t->rows : i;
}

int64_t run_weights_layer(const char *name, const struct model_family *f) {
    for (int i = 0; i < f->parameter_count; i++) {
        const char *mark = strstr(f->parameters[i].name, "%d"), *at;
        if (!mark) continue;
        const size_t n = (size_t)(mark - f->parameters[i].name), prefix = strlen(f->prefix);
        at = !strncmp(name, f->prefix, prefix) ? name + prefix : name;
        if (strncmp(at, f->parameters[i].name, n) || at[n] < '0' || at[n] > '9') return -1;
        return atoll(at + n);
    }
    return -1;
}

struct source {
    const struct model_params *params;
    const float *values;
};
static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    const struct source *s = context;
    const struct model_tensor *t = &s->params->tensors[i];
    for (int64_t j = 0; j < n; j++) out[j] = s->values[t->offset + run_weights_place(t, first + j)];
}

int run_weights_write(const char *path, const struct model_params *p, const struct model_config *c, const float *values,
                      struct base_error *e) {
    const size_t n = (size_t)p->count;
    struct data_tensor_out *rows = calloc(n, sizeof *rows);
    char(*names)[RUN_NAME] = calloc(n, RUN_NAME);
    struct source source = {p, values};
    int code = BASE_BROKEN;
    for (size_t i = 0; rows && names && i < n; i++)
        run_weights_row(&p->tensors[i], c->family->prefix, names[i], &rows[i]);
    if (rows && names)
        code = data_tensors_write(path, rows, p->count, fill, &source, e);
    else
        base_fail(e, BASE_BROKEN, "out of memory for the names of %d tensors", p->count);
    free(rows), free(names);
    return code;
}

/* The folder that `path` lies in. */
static void parent_of(const char *path, char parent[PATH_MAX]) {
    snprintf(parent, PATH_MAX, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = 0;
    else
        snprintf(parent, PATH_MAX, ".");
}

/* Without slashes at its end, so that names can be put beside it. */
static int clean(const char *folder, char path[PATH_MAX], struct base_error *e) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (n == 0 || n > PATH_MAX - 64)
        return base_fail(e, BASE_USAGE, "--save: a path of %zu characters; take 1 to %d", n, PATH_MAX - 64);
    snprintf(path, PATH_MAX, "%.*s", (int)n, folder);
    return BASE_OK;
}

static bool is_empty(const char *folder) {
    int entries = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir)) entries++;
    if (dir) closedir(dir);
    return entries == 2; /* itself and its parent */
}

int run_weights_save_check(const char *folder, struct base_error *e) {
    char path[PATH_MAX], parent[PATH_MAX];
    struct stat s;
    int code = clean(folder, path, e);
    if (code) return code;
    parent_of(path, parent);
    if (access(parent, W_OK | X_OK))
        return base_fail(e, BASE_USAGE, "--save %s: its folder %s cannot be written to: %s", path, parent,
                         strerror(errno));
    if (stat(path, &s)) return BASE_OK;
    if (!S_ISDIR(s.st_mode)) return base_fail(e, BASE_USAGE, "--save %s: is a file; name a folder", path);
    if (!is_empty(path)) return base_fail(e, BASE_USAGE, "--save %s: holds something; take another name", path);
    return BASE_OK;
}

static int sync_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd);
    if (fd >= 0) close(fd);
    return failed;
}

static int write_config(const struct model_config *c, const char *path, struct base_error *e) {
    json_t *json = model_config_json(c);
    int failed = json_dump_file(json, path, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) || sync_path(path);
    json_decref(json);
    return failed ? base_fail(e, BASE_BROKEN, "--save: cannot write %s: %s", path, strerror(errno)) : BASE_OK;
}

int run_weights_save(const struct parallel_engine *g, const char *folder, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    char path[PATH_MAX], part[PATH_MAX + 64], config[PATH_MAX + 128], weights[PATH_MAX + 128], parent[PATH_MAX];
    int code = clean(folder, path, e);
    if (code) return code;
    parent_of(path, parent);
    snprintf(part, sizeof part, "%s.part-%ld", path, (long)getpid());
    snprintf(config, sizeof config, "%s/config.json", part);
    snprintf(weights, sizeof weights, "%s/model.safetensors", part);
    if (mkdir(part, 0777)) return base_fail(e, BASE_BROKEN, "--save: cannot make %s: %s", part, strerror(errno));
    code = run_weights_write(weights, &g->params, c, g->master, e);
    if (!code) code = write_config(c, config, e);
    if (!code && (sync_path(part) || rename(part, path) || sync_path(parent)))
        code = base_fail(e, BASE_BROKEN, "--save: cannot rename %s to %s: %s", part, path, strerror(errno));
    if (code) unlink(config), unlink(weights), rmdir(part);
    return code;
}
