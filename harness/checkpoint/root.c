/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists, checks and clears a folder of checkpoints. */
#define _GNU_SOURCE
#include "checkpoint/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

int64_t checkpoint_root_step(const char *name, bool *part) {
    char canonical[32];
    if (strncmp(name, "step-", 5) != 0) return -1;
    const long long step = strtoll(name + 5, NULL, 10);
    if (step < 0 || step > CHECKPOINT_STEP_MOST) return -1;
    snprintf(canonical, sizeof canonical, "step-%08lld", step);
    const size_t n = strlen(canonical);
    *part = !strcmp(name + n, ".part");
    return strncmp(name, canonical, n) || (name[n] && !*part) ? -1 : step;
}

/* Calls each(context, name, step, part) for each entry, with step -1 for what is no checkpoint. False: unreadable. */
static bool look(const char *root, void (*each)(void *context, const char *name, int64_t step, bool part),
                 void *context) {
    DIR *folder = opendir(root);
    if (!folder) return false;
    for (struct dirent *entry; (entry = readdir(folder));) {
        bool part = false;
        if (entry->d_name[0] == '.') continue;
        const int64_t step = checkpoint_root_step(entry->d_name, &part);
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

/* What a folder holds that a run saves in. */
struct content {
    const char *root;
    bool clear; /* remove what killed runs left */
    int64_t newest;
    char other[NAME_MAX + 1]; /* an entry that is no checkpoint; "": none */
    char left[NAME_MAX + 1];  /* one that could not be removed */
};
static void take_stock(void *context, const char *name, int64_t step, bool part) {
    struct content *c = context;
    char path[PATH_MAX];
    struct stat is;
    checkpoint_folder_file(c->root, name, path);
    const bool folder = !lstat(path, &is) && S_ISDIR(is.st_mode);
    if ((step < 0 && strcmp(name, "lost+found") != 0) || !folder) snprintf(c->other, sizeof c->other, "%s", name);
    if (step > c->newest && !part) c->newest = step;
    if (step < 0 || !part || !folder || !c->clear) return;
    checkpoint_folder_remove(path);
    if (!access(path, F_OK)) snprintf(c->left, sizeof c->left, "%s", name);
}

/* Whether the checkpoint is in `root`. */
static bool is_in(const char *root, const struct checkpoint *from) {
    char mine[PATH_MAX], above[PATH_MAX];
    if (!from || !realpath(root, mine) || !realpath(from->folder, above)) return false;
    *strrchr(above, '/') = 0;
    return !strcmp(mine, above);
}

/* Held until the process ends: one run at a time saves in a folder. File systems without locks have none. */
static bool lock(const char *root) {
    char path[PATH_MAX];
    checkpoint_folder_file(root, ".lock", path);
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return file < 0 || !flock(file, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK;
}

/* The folder exists. */
static int check_content(const char *root, const struct checkpoint *from, bool make, struct base_error *e) {
    struct content c = {.root = root, .newest = -1};
    const long long begins = from ? from->step : 0;
    if (make && !lock(root))
        return base_fail(e, BASE_USAGE, "--save %s: another run is saving there; wait for it, or name a new folder",
                         root);
    if (!look(root, take_stock, &c) || access(root, W_OK | X_OK))
        return base_fail(e, BASE_USAGE, "--save %s: %s; name another folder", root, strerror(errno));
    if (c.other[0])
        return base_fail(e, BASE_USAGE, "--save %s: holds %s, which is no checkpoint; name a new folder", root,
                         c.other);
    if (c.newest >= 0 && !is_in(root, from))
        return base_fail(
            e, BASE_USAGE,
            "--save %s: holds checkpoints that this run does not go on from: --resume %s, or name a new folder", root,
            root);
    if (c.newest > begins)
        return base_fail(e, BASE_USAGE,
                         "--save %s: has a checkpoint of step %lld, and this run begins at step %lld: go on from that "
                         "(--resume %s), remove it, or name a new folder",
                         root, (long long)c.newest, begins, root);
    if (!make) return BASE_OK;
    c.clear = true;
    look(root, take_stock, &c);
    if (!c.left[0]) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--save %s: %s holds files that toise did not write; remove it", root, c.left);
}

int checkpoint_root_check(const char *root, const struct checkpoint *from, bool make, struct base_error *e) {
    char path[PATH_MAX], parent[PATH_MAX];
    struct stat is;
    if (!*root || strlen(root) > PATH_MAX - 128)
        return base_fail(e, BASE_USAGE, "--save: a path of %zu characters; take 1 to %d", strlen(root), PATH_MAX - 128);
    if (lstat(root, &is)) {
        checkpoint_root_name(root, 0, path);
        if (!base_file_could_be_made(path, parent) || (make && !base_file_parents(path, parent)))
            return base_fail(e, BASE_USAGE, "--save %s: cannot create a folder there: %s; name another", root,
                             strerror(errno));
        if (!make) return BASE_OK;
    }
    return check_content(root, from, make, e);
}

/* The oldest checkpoint but `start`, and how many there are. */
struct oldest {
    int64_t start, step;
    int count;
};
static void older(void *context, const char *name, int64_t step, bool part) {
    struct oldest *o = context;
    (void)name;
    if (part || step < 0 || step == o->start) return;
    if (!o->count++ || step < o->step) o->step = step;
}

void checkpoint_root_keep(const char *root, int keep, int64_t start) {
    char path[PATH_MAX];
    for (int before = INT_MAX;;) {
        struct oldest o = {.start = start};
        if (!look(root, older, &o) || o.count <= keep || o.count >= before) return; /* the last one cannot be removed */
        before = o.count;
        checkpoint_root_name(root, o.step, path);
        checkpoint_folder_remove(path);
    }
}
