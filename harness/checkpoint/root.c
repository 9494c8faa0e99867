/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists, checks and clears a folder of checkpoints. */
#define _GNU_SOURCE
#include "checkpoint/root.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/folder.h"

void checkpoint_root_name(const char *root, int64_t step, char path[PATH_MAX]) {
    char name[32];
    snprintf(name, sizeof name, "step-%08" PRId64, step);
    checkpoint_folder_file(root, name, path);
}

/* The step of an entry "step-00000100"; -1: it is none. part: its end is ".part". */
static int64_t step_of(const char *name, bool *part) {
    char *end;
    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9') return -1;
    errno = 0;
    const long long step = strtoll(name + 5, &end, 10);
    *part = !strcmp(end, ".part");
    return errno || (*end && !*part) ? -1 : step;
}

/* Calls each(context, name, step, part) for each entry, with step -1 for what is no checkpoint. False: unreadable. */
static bool look(const char *root, void (*each)(void *context, const char *name, int64_t step, bool part),
                 void *context) {
    DIR *folder = opendir(root);
    if (!folder) return false;
    for (struct dirent *entry; (entry = readdir(folder));) {
        bool part = false;
        if (entry->d_name[0] == '.') continue;
        const int64_t step = step_of(entry->d_name, &part);
        each(context, entry->d_name, step, part);
    }
    closedir(folder);
    return true;
}

static void newer(void *context, const char *name, int64_t step, bool part) {
    int64_t *newest = context;
    (void)name;
    if (!part && step > *newest) *newest = step;
}

int64_t checkpoint_root_newest(const char *root) {
    int64_t newest = -1;
    look(root, newer, &newest);
    return newest;
}

/* What does not belong into the folder of a run that begins at step `from`. */
struct stranger {
    const char *root;
    int64_t from, later;
    char name[NAME_MAX + 1];
    bool clear;
};
static void judge(void *context, const char *name, int64_t step, bool part) {
    struct stranger *s = context;
    char path[PATH_MAX];
    checkpoint_folder_file(s->root, name, path);
    if (step < 0) snprintf(s->name, sizeof s->name, "%s", name);
    if (step >= 0 && !part && step > s->from) s->later = step > s->later ? step : s->later;
    if (step >= 0 && part && s->clear) checkpoint_folder_remove(path);
}

int checkpoint_root_check(const char *root, int64_t from, bool make, struct base_error *e) {
    struct stranger s = {.root = root, .from = from, .later = -1};
    char path[PATH_MAX], parent[PATH_MAX];
    struct stat is;
    if (!*root || strlen(root) > PATH_MAX - 128)
        return base_fail(e, BASE_USAGE, "--save: a path of %zu characters; take 1 to %d", strlen(root), PATH_MAX - 128);
    checkpoint_root_name(root, from, path);
    if (!lstat(root, &is)) {
        if (!look(root, judge, &s))
            return base_fail(e, BASE_USAGE, "--save %s: %s; name a folder", root, strerror(errno));
        if (s.name[0])
            return base_fail(e, BASE_USAGE, "--save %s: holds %s, which is no checkpoint; name a new folder", root,
                             s.name);
        if (s.later >= 0)
            return base_fail(e, BASE_USAGE,
                             "--save %s: has a checkpoint of step %" PRId64 ", and this run begins at step %" PRId64
                             ": go on from it (--resume %s), remove it, or name a new folder",
                             root, s.later, from, root);
        if (access(root, W_OK | X_OK))
            return base_fail(e, BASE_USAGE, "--save %s: %s; name another folder", root, strerror(errno));
        s.clear = make;
        look(root, judge, &s);
        return BASE_OK;
    }
    const bool could = base_file_could_be_made(path, parent);
    if (could && (!make || base_file_parents(path, parent))) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--save %s: cannot create a folder there: %s; name another", root, strerror(errno));
}

/* The oldest checkpoint, and how many there are. */
struct oldest {
    int64_t step;
    int count;
};
static void older(void *context, const char *name, int64_t step, bool part) {
    struct oldest *o = context;
    (void)name;
    if (part || step < 0) return;
    if (!o->count++ || step < o->step) o->step = step;
}

void checkpoint_root_keep(const char *root, int keep) {
    char path[PATH_MAX];
    for (;;) {
        struct oldest o = {0};
        if (!look(root, older, &o) || o.count <= keep) return;
        checkpoint_root_name(root, o.step, path);
        checkpoint_folder_remove(path);
        if (!access(path, F_OK)) return; /* it cannot be removed */
    }
}
