/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks folders, reads the files, and keeps their records. */
#define _GNU_SOURCE
#include "records/load.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What `take` needs. */
struct loading {
    struct record_list *list;
    int source;
};

/* The path is kept until the list is closed. NULL: out of memory. */
static const char *keep_path(struct record_list *list, const char *path) {
    char **more = realloc(list->paths, (list->files + 1) * sizeof *more), *copy = strdup(path);
    if (more) list->paths = more;
    if (!more || !copy) {
        free(copy);
        return NULL;
    }
    return list->paths[list->files++] = copy;
}

static int take(void *context, const struct record_line *line) {
    const struct loading *l = context;
    struct record_list *list = l->list;
    if (list->count == list->room) {
        const size_t room = 2 * list->room + 16;
        struct record_loaded *more = realloc(list->at, room * sizeof *more);
        if (!more) return base_fail(line->e, BASE_BROKEN, "out of memory for %zu records", room);
        list->at = more, list->room = room;
    }
    struct record_loaded *loaded = &list->at[list->count++];
    *loaded = (struct record_loaded){.record = json_incref((json_t *)line->record),
                                     .path = list->paths[list->files - 1],
                                     .line = line->number,
                                     .source = l->source};
    record_hash_of(line->text, line->length, loaded->sha256);
    return BASE_OK;
}

static int load_file(struct record_list *list, const char *path, int source, bool skip_bad, struct base_error *e) {
    struct loading l = {list, source};
    const size_t before = list->count;
    const long bad = list->skipped.lines;
    if (!keep_path(list, path)) return base_fail(e, BASE_BROKEN, "out of memory for the path %s", path);
    const int code = record_read_whole(path, take, &l, skip_bad ? &list->skipped : NULL, e);
    if (code || list->count > before || list->skipped.lines > bad) return code;
    return base_fail(e, BASE_USAGE, "%s: holds no record: give a file that toise wrote with --out", path);
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_records(const FTSENT *at) {
    const char *end = strrchr(at->fts_name, '.');
    return at->fts_info == FTS_F && end && !strcmp(end, ".jsonl");
}

static int load_folder(struct record_list *list, const char *path, int source, bool skip_bad, struct base_error *e) {
    char *roots[] = {(char *)path, NULL};
    const size_t before = list->files;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    int code = walk ? BASE_OK : base_fail(e, BASE_USAGE, "%s: cannot read the folder: %s", path, strerror(errno));
    for (FTSENT *at; !code && walk && (at = fts_read(walk));) {
        if (at->fts_info == FTS_DNR || at->fts_info == FTS_ERR)
            code = base_fail(e, BASE_USAGE, "%s: cannot read the folder: %s", at->fts_path, strerror(at->fts_errno));
        else if (is_records(at))
            code = load_file(list, at->fts_path, source, skip_bad, e);
    }
    if (walk) fts_close(walk);
    if (code || list->files > before) return code;
    return base_fail(e, BASE_USAGE, "%s: the folder holds no *.jsonl file: give one that toise wrote with --out", path);
}

int record_load(struct record_list *list, const char *const *paths, int count, bool skip_bad, struct base_error *e) {
    *list = (struct record_list){0};
    int code = BASE_OK;
    for (int i = 0; i < count && !code; i++) {
        struct stat found;
        const bool folder = !stat(paths[i], &found) && S_ISDIR(found.st_mode);
        code = (folder ? load_folder : load_file)(list, paths[i], i, skip_bad, e);
    }
    return code;
}

void record_list_close(struct record_list *list) {
    for (size_t i = 0; i < list->count; i++) json_decref(list->at[i].record);
    for (size_t i = 0; i < list->files; i++) free(list->paths[i]);
    free(list->at), free(list->paths);
    *list = (struct record_list){0};
}

json_t *record_resumed(const struct record_loaded *records, size_t count) {
    json_t *ids = json_object(), *id;
    size_t k;
    for (size_t i = 0; i < count; i++) {
        json_array_foreach(record_at(records[i].record, "launch.resumes"), k, id) {
            if (json_is_string(id)) json_object_set_new(ids, json_string_value(id), json_true());
        }
    }
    return ids;
}

bool record_injected(const json_t *record) {
    return record_at(record, "result.injected") != NULL;
}
