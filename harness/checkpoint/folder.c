/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes, completes and removes folders of files. */
#define _GNU_SOURCE
#include "checkpoint/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int checkpoint_folder_length(const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    return (int)n;
}

/* The folder without slashes at its end, and the same with ".part". */
static int clean(const char *folder, struct checkpoint_folder *f, struct base_error *e) {
    const int n = checkpoint_folder_length(folder);
    if (n == 0 || n > PATH_MAX - 128)
        return base_fail(e, BASE_USAGE, "--save: a path of %d characters; take 1 to %d", n, PATH_MAX - 128);
    snprintf(f->path, PATH_MAX, "%.*s", n, folder);
    snprintf(f->part, PATH_MAX, "%.*s.part", n, folder);
    return BASE_OK;
}

int checkpoint_folder_check(const char *folder, bool make, struct base_error *e) {
    struct checkpoint_folder f;
    char parent[PATH_MAX];
    struct stat s;
    int code = clean(folder, &f, e);
    if (code) return code;
    if (!lstat(f.path, &s)) return base_fail(e, BASE_USAGE, "--save %s: exists already; name a new folder", f.path);
    if (!lstat(f.part, &s))
        return base_fail(e, BASE_USAGE,
                         "--save %s: %s exists, from a run that was interrupted or is still saving; remove it", f.path,
                         f.part);
    const bool could = base_file_could_be_made(f.part, parent);
    if (!could || (make && (!base_file_parents(f.path, parent) || mkdir(f.part, 0777) || rmdir(f.part))))
        return base_fail(e, BASE_USAGE, "--save %s: cannot create a folder there: %s; name another", f.path,
                         strerror(errno));
    return BASE_OK;
}

int checkpoint_folder_begin(struct checkpoint_folder *f, const char *path, struct base_error *e) {
    const int code = clean(path, f, e);
    if (code || !mkdir(f->part, 0777)) return code;
    return base_fail(e, BASE_BROKEN, "--save: cannot make %s: %s", f->part, strerror(errno));
}

/* A file must be on disk before it is renamed. File systems that cannot sync a folder (EINVAL) keep that order
 * themselves. */
static int sync_path(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int failed = fd < 0 || (fsync(fd) && errno != EINVAL);
    if (fd >= 0) close(fd);
    return failed;
}

int checkpoint_folder_end(const struct checkpoint_folder *f, struct base_error *e) {
    char parent[PATH_MAX];
    if (sync_path(f->part)) return base_fail(e, BASE_BROKEN, "--save: cannot sync %s: %s", f->part, strerror(errno));
    if (rename(f->part, f->path))
        return base_fail(e, BASE_BROKEN, "--save: %s cannot be renamed to %s: %s", f->part, f->path, strerror(errno));
    if (base_file_parents(f->path, parent)) (void)sync_path(parent); /* else a power cut may leave FOLDER.part */
    return BASE_OK;
}

void checkpoint_folder_file(const char *folder, const char *name, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%.*s/%s", (int)(PATH_MAX - 2 - strlen(name)), folder, name);
}

/* Whether a file is one of those that this room writes, perhaps unfinished. */
static bool is_ours(const char *name) {
    static const char *const kinds[] = {"model", "optimizer", "config.json", "checkpoint.json"};
    static const char *const ends[] = {".safetensors", ".json", ".part"};
    const size_t n = strlen(name);
    bool begins = false, finishes = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        begins = begins || !strncmp(name, kinds[i], strlen(kinds[i]));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t length = strlen(ends[i]);
        finishes = finishes || (n > length && !strcmp(name + n - length, ends[i]));
    }
    return begins && finishes;
}

void checkpoint_folder_remove(const char *path) {
    static const char end[] = ".part";
    struct checkpoint_folder f;
    struct stat is;
    char file[PATH_MAX];
    if (clean(path, &f, NULL) || lstat(f.path, &is) || !S_ISDIR(is.st_mode)) return;
    const size_t n = strlen(f.path), ending = sizeof end - 1;
    if (n > ending && !strcmp(f.path + n - ending, end))
        memcpy(f.part, f.path, n + 1);
    else if (rename(f.path, f.part))
        return;
    DIR *folder = opendir(f.part);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        checkpoint_folder_file(f.part, entry->d_name, file);
        if (is_ours(entry->d_name)) unlink(file);
    }
    if (folder) closedir(folder);
    rmdir(f.part);
}

int checkpoint_folder_json(const char *folder, const char *name, json_t *json, struct base_error *e) {
    char path[PATH_MAX];
    checkpoint_folder_file(folder, name, path);
    errno = ENOMEM; /* for jansson, which sets none */
    const int failed = !json || json_dump_file(json, path, JSON_INDENT(2)) || sync_path(path);
    json_decref(json);
    return failed ? base_fail(e, BASE_BROKEN, "--save: cannot write %s: %s", path, strerror(errno)) : BASE_OK;
}
