/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads checkpoints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/folder.h"
#include "checkpoint/root.h"
#include "checkpoint/shards.h"
#include "checkpoint/weights.h"
#include "guard/watchdog.h"
#include "records/get.h"
#include "records/record.h"

/* The checkpoint that `path` means. */
static int find(struct checkpoint *c, const char *path, char file[PATH_MAX], struct base_error *e) {
    snprintf(c->folder, sizeof c->folder, "%.*s", checkpoint_folder_length(path), path);
    checkpoint_folder_file(c->folder, "checkpoint.json", file);
    if (!access(file, F_OK)) return BASE_OK;
    const int64_t newest = checkpoint_root_newest(path);
    if (newest < 0)
        return base_fail(e, BASE_USAGE,
                         "--resume %s: neither a checkpoint nor a folder of checkpoints: it has no checkpoint.json and "
                         "no step-NNNNNNNN; give what --save made with --save-every",
                         path);
    checkpoint_root_name(path, newest, c->folder);
    checkpoint_folder_file(c->folder, "checkpoint.json", file);
    if (!access(file, F_OK)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--resume %s: its newest, %s, has no checkpoint.json: remove it, or name another one", path,
                     c->folder);
}

/* A file of the list must be there, as long as it was. */
static int check_entry(const struct checkpoint *c, size_t i, const json_t *entry, struct base_error *e) {
    const char *name = record_text(entry, "file");
    const long long bytes = record_whole(entry, "bytes");
    char path[PATH_MAX];
    struct stat is;
    if (!*name || strlen(name) >= CHECKPOINT_FILE || strchr(name, '/') || bytes < 1 ||
        !json_object_size(record_at(entry, "tensors")))
        return base_fail(e, BASE_USAGE,
                         "--resume %s: checkpoint.json: files[%zu] is no file with bytes and tensors; take "
                         "another checkpoint",
                         c->folder, i);
    checkpoint_folder_file(c->folder, name, path);
    if (stat(path, &is))
        return base_fail(e, BASE_USAGE, "--resume %s: %s is missing; take another checkpoint", c->folder, name);
    if (is.st_size == bytes) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--resume %s: %s has %lld bytes, and had %lld; take another checkpoint", c->folder,
                     name, (long long)is.st_size, bytes);
}

static int check_list(struct checkpoint *c, struct base_error *e) {
    const json_t *files = record_at(c->about, "files");
    const char *schema = record_text(c->about, "checkpoint");
    json_t *entry;
    size_t i;
    int code = BASE_OK;
    if (strcmp(schema, CHECKPOINT_SCHEMA) != 0)
        return base_fail(e, BASE_USAGE,
                         "--resume %s: checkpoint.json: checkpoint must be \"" CHECKPOINT_SCHEMA
                         "\", not \"%.32s\": read it with the toise that wrote it",
                         c->folder, schema);
    c->step = record_whole(c->about, "step");
    const char *slash = strrchr(c->folder, '/');
    bool part;
    const int64_t named = checkpoint_root_step(slash ? slash + 1 : c->folder, &part);
    if (named >= 0 && named != c->step)
        return base_fail(e, BASE_USAGE, "--resume %s: checkpoint.json says step %lld; take another checkpoint",
                         c->folder, (long long)c->step);
    if (c->step < 1 || c->step > CHECKPOINT_STEP_MOST || !json_array_size(files))
        return base_fail(e, BASE_USAGE, "--resume %s: checkpoint.json: %s; take another checkpoint", c->folder,
                         json_array_size(files) ? "step must be a whole number from 1 to 1000000000"
                                                : "files must be a list of files");
    json_array_foreach(files, i, entry) if (!code) code = check_entry(c, i, entry, e);
    char config[PATH_MAX];
    checkpoint_folder_file(c->folder, "config.json", config);
    if (!code && access(config, R_OK))
        code = base_fail(e, BASE_USAGE, "--resume %s: config.json: %s; take another checkpoint", c->folder,
                         strerror(errno));
    return code;
}

int checkpoint_open(struct checkpoint *c, const char *path, struct base_error *e) {
    char file[PATH_MAX];
    *c = (struct checkpoint){.about = NULL};
    int code = find(c, path, file, e);
    if (!code) code = record_json_load(file, &c->about, e);
    if (!code) code = check_list(c, e);
    if (code) checkpoint_close(c);
    return code;
}

void checkpoint_close(struct checkpoint *c) {
    json_decref(c->about);
    c->about = NULL;
}

/* The ranks of all nodes share the work of comparing files with their checksums. */
static int check_files(struct parallel_engine *g, const struct checkpoint *c, struct base_error *e) {
    char path[PATH_MAX];
    struct base_error why = {0};
    json_t *entry;
    size_t i;
    int code = BASE_OK;
    json_array_foreach(record_at(c->about, "files"), i, entry) {
        if (code || (int)(i % (size_t)g->world->size) != g->world->rank) continue;
        checkpoint_folder_file(c->folder, record_text(entry, "file"), path);
        if (checkpoint_file_check(path, record_at(entry, "tensors"), g->team.threads, &why))
            code = base_fail(e, BASE_USAGE, "--resume: %.900s; take another checkpoint", why.text);
    }
    return comm_agree(g->world, code, e);
}

/* Sets this rank's part of an array from a set of files. */
static int take(struct parallel_engine *g, const struct checkpoint_weights *w, enum parallel_what what,
                const char *array, float *values, struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < g->whole.count && !code; i++) {
        guard_progress();
        if (!parallel_keeps(g, i)) continue;
        code = checkpoint_weights_values(w, &g->whole.tensors[i], array, g->team.threads, values, e);
        if (!code) parallel_keep(g, what, i, values);
    }
    return code;
}

/* Whether the checkpoint lists this tensor of this file, which so has been compared with its checksum. */
static bool is_listed(const struct checkpoint *c, const struct data_tensor *t) {
    char path[PATH_MAX];
    json_t *entry;
    size_t i;
    json_array_foreach(record_at(c->about, "files"), i, entry) {
        checkpoint_folder_file(c->folder, record_text(entry, "file"), path);
        if (strcmp(path, t->file) != 0) continue;
        if (json_object_get(record_at(entry, "tensors"), t->name)) return true;
    }
    return false;
}

/* Opens a kind's files: one, or those of its index. */
static int open_kind(struct checkpoint_weights *w, const struct checkpoint *c, const char *kind, struct base_error *e) {
    char name[CHECKPOINT_FILE + 16], path[PATH_MAX];
    json_t *entry;
    size_t i, count = 0;
    json_array_foreach(record_at(c->about, "files"), i, entry) count += !strcmp(record_text(entry, "kind"), kind);
    snprintf(name, sizeof name, "%s.safetensors%s", kind, count > 1 ? ".index.json" : "");
    checkpoint_folder_file(c->folder, name, path);
    const int code = data_tensors_open(&w->set, path, e);
    for (int t = 0; !code && t < data_tensors_count(w->set); t++)
        if (!is_listed(c, data_tensors_at(w->set, t)))
            return base_fail(e, BASE_USAGE,
                             "--resume %s: checkpoint.json does not list tensor '%.160s' of %s; take another "
                             "checkpoint",
                             c->folder, data_tensors_at(w->set, t)->name, data_tensors_at(w->set, t)->file);
    return code;
}

static int load(struct parallel_engine *g, const struct checkpoint *c, float *values, struct base_error *e) {
    static const struct checkpoint_kind *const kinds[] = {&checkpoint_model, &checkpoint_optimizer};
    int code = BASE_OK;
    for (int k = 0; k < 2 && !code; k++) {
        struct checkpoint_weights w = {
            .flag = "--resume", .path = c->folder, .prefix = g->plan->request.config.family->prefix};
        code = open_kind(&w, c, kinds[k]->name, e);
        for (int a = 0; a < kinds[k]->arrays && !code; a++)
            code = take(g, &w, kinds[k]->array[a].what, kinds[k]->array[a].prefix, values, e);
        checkpoint_weights_close(&w);
    }
    return code;
}

int checkpoint_load(struct parallel_engine *g, const struct checkpoint *c, struct base_error *e) {
    int code = check_files(g, c, e);
    if (code) return code;
    float *values = malloc((size_t)g->whole.largest * sizeof *values);
    code = values ? load(g, c, values, e) : base_fail(e, BASE_BROKEN, "out of memory for a tensor of the weights");
    free(values);
    if ((code = comm_agree(g->world, code, e))) return code;
    parallel_resume(g, c->step);
    return BASE_OK;
}
