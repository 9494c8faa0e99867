/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files that may be missing. Containers hide half of /proc and /sys, so that is no error here. */
#define _GNU_SOURCE
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Copies `from` without surrounding blanks, cut to size */
static void trim(const char *from, char *text, int size) {
    while (isspace((unsigned char)*from)) from++;
    snprintf(text, (size_t)size, "%s", from);
    for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]);) text[--n] = '\0';
}

static long long number(const char *text) {
    char *end;
    long long value = strtoll(text, &end, 10);
    return end == text ? -1 : value;
}

bool base_file_field(const char *path, const char *key, char *text, int size) {
    text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    char *line = NULL;
    size_t capacity = 0, length = strlen(key);
    bool found = false;
    while (!found && getline(&line, &capacity, file) >= 0) {
        if (strncmp(line, key, length) != 0) continue;
        const char *value = line + length + strspn(line + length, " \t");
        /* skip longer keys that start with this one */
        found = length == 0 || value > line + length || *value == ':' || key[length - 1] == ':';
        if (found) trim(*value == ':' && length > 0 ? value + 1 : value, text, size);
    }
    free(line);
    fclose(file);
    return found;
}

bool base_file_line(const char *path, char *text, int size) {
    return base_file_field(path, "", text, size);
}

long long base_file_number(const char *path) {
    char text[64];
    return base_file_line(path, text, sizeof text) ? number(text) : -1;
}

long long base_file_field_number(const char *path, const char *key) {
    char text[64];
    return base_file_field(path, key, text, sizeof text) ? number(text) : -1;
}

int base_file_read(const char *path, char **bytes, size_t *size, struct base_error *e) {
    struct stat found;
    const bool plain = stat(path, &found) != 0 || S_ISREG(found.st_mode); /* a FIFO would block, /dev/zero never end */
    if (!plain) return base_fail(e, BASE_USAGE, "%s: is not a plain file", path);
    FILE *file = fopen(path, "rbe");
    char *text = NULL, *more = NULL;
    size_t used = 0, got = 1;
    bool whole = file != NULL;
    for (size_t room = 65536; whole && got > 0; room *= 2) {
        if (!(more = realloc(text, room))) break;
        text = more;
        got = fread(text + used, 1, room - 1 - used, file);
        used += got;
    }
    whole = whole && more && !ferror(file);
    const int why = errno;
    if (file) fclose(file);
    if (whole) {
        text[used] = '\0';
        *bytes = text, *size = used;
        return BASE_OK;
    }
    free(text);
    return base_fail(e, BASE_USAGE, "%s: %s", path, strerror(why));
}

int base_file_make(const char *path, base_file_fill *fill, void *context, struct base_error *e) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%.*s.part", PATH_MAX - 8, path);
    unlink(part); /* left by a killed run */
    FILE *file = fopen(part, "wbxe");
    if (file == NULL) return base_fail(e, BASE_BROKEN, "%s: cannot create: %s", part, strerror(errno));
    bool done = fill(file, context) && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int why = errno;
    if (fclose(file) != 0 && done) done = false, why = errno;
    if (done && rename(part, path) == 0) return BASE_OK;
    if (done) why = errno;
    unlink(part);
    return base_fail(e, BASE_BROKEN, "%s: not written: %s", path, strerror(why));
}

struct text {
    const void *bytes;
    size_t size;
};
static bool fill_text(FILE *file, void *context) {
    const struct text *t = context;
    return fwrite(t->bytes, 1, t->size, file) == t->size;
}

int base_file_make_below(const char *path, base_file_fill *fill, void *context, struct base_error *e) {
    char above[PATH_MAX];
    if (!base_file_parents(path, above))
        return base_fail(e, BASE_BROKEN, "%s: not written: %s: %s", path, above, strerror(errno));
    return base_file_make(path, fill, context, e);
}

int base_file_replace(const char *path, const void *bytes, size_t size, struct base_error *e) {
    struct text t = {bytes, size};
    return base_file_make_below(path, fill_text, &t, e);
}

/* Whether path is a folder. If not, errno is kept, except that EEXIST becomes ENOTDIR. */
static bool is_folder(const char *path) {
    int why = errno;
    struct stat found;
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode)) return true;
    errno = why == EEXIST ? ENOTDIR : why;
    return false;
}

bool base_file_parents(const char *path, char parent[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        strcpy(parent, slash == NULL ? "." : "/");
        return true;
    }
    snprintf(parent, PATH_MAX, "%.*s", (int)(slash - path), path);
    for (char *c = parent + 1;; c++) {
        if (*c != '/' && *c != '\0') continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(parent, 0777) != 0 && !is_folder(parent)) return false;
        *c = kept;
        if (kept == '\0') return true;
    }
}

/* Tries to create an unnamed file, which vanishes on closing. If the file system has none, only permissions are
 * checked. Those of /proc and /sys mislead: they grant root writes that then fail. */
static bool takes_files(const char *folder) {
    struct statfs kind;
    if (access(folder, W_OK | X_OK)) return false;
    const int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) return close(file) == 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT) return false;
    if (statfs(folder, &kind) || (kind.f_type != PROC_SUPER_MAGIC && kind.f_type != SYSFS_MAGIC)) return true;
    errno = EPERM;
    return false;
}

bool base_file_could_be_made(const char *path, char above[PATH_MAX]) {
    struct stat found;
    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(above, PATH_MAX, "%s", path);
    for (;;) {
        char *slash = strrchr(above, '/');
        if (strlen(slash ? slash + 1 : above) > NAME_MAX) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (slash == above)
            above[1] = '\0';
        else if (slash)
            *slash = '\0';
        else
            strcpy(above, ".");
        if (!lstat(above, &found)) break; /* a dangling link exists, and is no folder */
        if (errno != ENOENT) return false;
    }
    if (stat(above, &found) == 0 && S_ISDIR(found.st_mode)) return takes_files(above);
    errno = ENOTDIR;
    return false;
}
