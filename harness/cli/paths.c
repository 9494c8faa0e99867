/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the paths of inputs and outputs, with links resolved. */
#define _GNU_SOURCE
#include "cli/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path without links, "." and "..". Only the part that exists is resolved; the rest is appended as it is. */
static void resolve(const char *path, char out[2 * PATH_MAX]) {
    char there[PATH_MAX], found[PATH_MAX];
    snprintf(there, sizeof there, "%s", path);
    size_t end = strlen(there);
    while (!realpath(end ? there : ".", found)) {
        while (end && there[end - 1] == '/') end--; /* drop the last name */
        while (end && there[end - 1] != '/') end--;
        there[end] = '\0';
        if (!end && !realpath(".", found)) found[0] = '\0';
        if (!end) break;
    }
    snprintf(out, 2 * PATH_MAX, "%s/%s", strcmp(found, "/") ? found : "", path + end);
}

/* The next name of a resolved path, behind slashes and "." */
static const char *next_name(const char *at) {
    while (*at == '/' || (*at == '.' && (at[1] == '/' || !at[1]))) at++;
    return at;
}

bool cli_path_within(const char *path, const char *folder) {
    char whole[2][2 * PATH_MAX];
    resolve(path, whole[0]);
    resolve(folder, whole[1]);
    const char *at[2] = {next_name(whole[0]), next_name(whole[1])};
    while (*at[1]) {
        const size_t n = strcspn(at[1], "/");
        if (strcspn(at[0], "/") != n || strncmp(at[0], at[1], n) != 0) return false;
        for (int i = 0; i < 2; i++) at[i] = next_name(at[i] + n);
    }
    return true;
}

/* Inputs exist; two outputs may not exist yet, so these are compared by name. */
static bool same_file(const struct cli_path *a, const struct cli_path *b) {
    struct stat one, other;
    if (!stat(a->path, &one) && !stat(b->path, &other)) return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    return a->written && b->written && cli_path_within(a->path, b->path) && cli_path_within(b->path, a->path);
}

int cli_paths_apart(const struct cli_path *paths, int count, struct base_error *e) {
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++) {
            const struct cli_path *a = &paths[i], *b = &paths[j];
            if (!(a->written || b->written) || !a->path || !b->path || !*a->path || !*b->path) continue;
            if (!same_file(a, b)) continue;
            return base_fail(e, BASE_USAGE, "%s and %s are both %s; give different files", a->flag, b->flag, a->path);
        }
    return BASE_OK;
}
