/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files under a root, and keeps the reason where that fails. */
#define _GNU_SOURCE
#include "inventory/reader.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

void inventory_put(struct inventory_reader *r, const char *path, json_t *value, const char *why) {
    json_t *object = r->machine;
    const char *key = path, *dot;
    if (!value && why) json_object_set_new(r->unknown, path, json_string(why));
    for (; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(dot - key), key);
        if (!json_object_get(object, name)) json_object_set_new(object, name, json_object());
        object = json_object_get(object, name);
    }
    json_object_set_new(object, key, value ? value : json_null());
}

void inventory_put_text(struct inventory_reader *r, const char *path, const char *text, const char *why) {
    inventory_put(r, path, text && text[0] ? json_string(text) : NULL, why);
}

void inventory_put_count(struct inventory_reader *r, const char *path, long long n, const char *why) {
    inventory_put(r, path, n > 0 ? json_integer(n) : NULL, why);
}

const char *inventory_path(const struct inventory_reader *r, char path[PATH_MAX], const char *format, ...) {
    va_list arguments;
    const int root = snprintf(path, PATH_MAX, "%s/", r->root);
    va_start(arguments, format);
    if (root < PATH_MAX) vsnprintf(path + root, (size_t)(PATH_MAX - root), format, arguments);
    va_end(arguments);
    return path;
}

/* Why a file could not be read, or says nothing (0) */
static const char *reason(const struct inventory_reader *r, int error) {
    if (error == EACCES || error == EPERM) return "permission";
    if (r->virtualised) return "virtual machine does not say";
    if (error == 0) return "empty";
    return error == ENOENT || error == ENOTDIR || error == ENODEV ? "absent" : "unreadable";
}

const char *inventory_line(const struct inventory_reader *r, const char *file, char *text, int size) {
    char path[PATH_MAX];
    errno = 0;
    base_file_line(inventory_path(r, path, "%s", file), text, size);
    return text[0] ? NULL : reason(r, errno);
}

void inventory_put_line(struct inventory_reader *r, const char *path, const char *file) {
    char text[512];
    const char *why = inventory_line(r, file, text, sizeof text);
    inventory_put_text(r, path, text, why ? why : "not UTF-8");
}

long long inventory_number(const struct inventory_reader *r, const char *file) {
    char path[PATH_MAX];
    return base_file_number(inventory_path(r, path, "%s", file));
}

void inventory_driver(const struct inventory_reader *r, const char *device, char *name, size_t size) {
    char path[PATH_MAX], target[PATH_MAX];
    const ssize_t length = readlink(inventory_path(r, path, "%s/driver", device), target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : target);
}

const char *inventory_list(struct inventory_reader *r, const char *folder, const char *prefix, inventory_each *each,
                           void *context) {
    char path[PATH_MAX];
    struct dirent **names;
    const int count = scandir(inventory_path(r, path, "%s", folder), &names, NULL, versionsort);
    if (count < 0) return reason(r, errno);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (name[0] != '.' && strncmp(name, prefix, strlen(prefix)) == 0) each(r, name, context);
        free(names[i]);
    }
    free(names);
    return NULL;
}

int inventory_list_count(const char *list) {
    int count = 0;
    for (const char *at = list; *at;) {
        char *end;
        const long first = strtol(at, &end, 10);
        if (end == at) break;
        const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        count += last >= first ? (int)(last - first) + 1 : 0;
        at = end + (*end == ',');
        if (at == end) break;
    }
    return count;
}
