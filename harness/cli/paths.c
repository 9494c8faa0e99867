/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/paths.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Behind slashes and "." at the beginning of a name */
static const char *next_name(const char *at) {
    while (*at == '/' || (*at == '.' && (at[1] == '/' || !at[1]))) at++;
    return at;
}

bool cli_lies_in(const char *path, const char *folder) {
    char here[PATH_MAX], whole[2][2 * PATH_MAX];
    const char *const given[] = {path, folder};
    const char *at[2];
    if (!getcwd(here, sizeof here)) here[0] = '\0';
    for (int i = 0; i < 2; i++) {
        snprintf(whole[i], sizeof whole[i], "%s/%s", given[i][0] == '/' ? "" : here, given[i]);
        at[i] = next_name(whole[i]);
    }
    while (*at[1]) {
        const size_t n = strcspn(at[1], "/");
        if (strcspn(at[0], "/") != n || strncmp(at[0], at[1], n) != 0) return false;
        for (int i = 0; i < 2; i++) at[i] = next_name(at[i] + n);
    }
    return true;
}

/* What is read is there; two that are written need not be. */
static bool same_file(const struct cli_path *a, const struct cli_path *b) {
    struct stat one, other;
    if (!stat(a->path, &one) && !stat(b->path, &other)) return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    return a->written && b->written && cli_lies_in(a->path, b->path) && cli_lies_in(b->path, a->path);
}

int cli_paths_apart(const struct cli_path *paths, int count, struct base_error *e) {
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++) {
            const struct cli_path *a = &paths[i], *b = &paths[j];
            if (!(a->written || b->written) || !a->path || !b->path || !*a->path || !*b->path) continue;
            if (!same_file(a, b)) continue;
            return base_fail(e, BASE_USAGE, "%s and %s are both %s; give each a file of its own", a->flag, b->flag,
                             a->path);
        }
    return BASE_OK;
}
