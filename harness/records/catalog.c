/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the catalogue's files, relative to the running executable. */
#include "records/catalog.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "records/record.h"

bool record_catalog_is_path(const char *name) {
    size_t n = strlen(name);
    return strchr(name, '/') || (n > 5 && !strcmp(name + n - 5, ".json"));
}

/* Relative to the executable: build/toise, bin/toise, and tests deeper in the build folder. */
int record_catalog_path(const char *file, char path[RECORD_CATALOG_PATH], struct base_error *e) {
    static const char *const places[] = {"../harness/catalog", "../share/toise/catalog", "../../harness/catalog",
                                         "../../../harness/catalog", "../../../../harness/catalog"};
    char self[PATH_MAX - 64];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return base_fail(e, BASE_BROKEN, "cannot find the toise executable: /proc/self/exe is unreadable");
    self[length] = 0;
    *strrchr(self, '/') = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, RECORD_CATALOG_PATH, "%s/%s/%s", self, places[i], file);
        if (!access(path, R_OK)) return BASE_OK;
    }
    return base_fail(e, BASE_USAGE, "no catalogue found near %s: keep toise in its build folder, or run make install",
                     self);
}

static int is_json(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot > entry->d_name && !strcmp(dot, ".json");
}

int record_catalog_names(const char *kind, int (*each)(void *context, const char *name), void *context,
                         struct base_error *e) {
    char path[RECORD_CATALOG_PATH];
    struct dirent **entries = NULL;
    int code = record_catalog_path(kind, path, e);
    if (code) return code;
    const int count = scandir(path, &entries, is_json, alphasort);
    if (count < 0) return base_fail(e, BASE_BROKEN, "%s: cannot read the folder", path);
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 5] = 0;
        if (!code) code = each(context, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return code;
}

struct list {
    char text[896];
};

static int append(void *context, const char *name) {
    struct list *list = context;
    return base_text_append(list->text, sizeof list->text, name) ? BASE_OK : BASE_NO;
}

int record_catalog_load(const char *kind, const char *flag, const char *name, json_t **json,
                        char path[RECORD_CATALOG_PATH], struct base_error *e) {
    char folder[RECORD_CATALOG_PATH];
    struct list known = {""};
    int code = record_catalog_path(kind, folder, e);
    if (code) return code;
    snprintf(path, RECORD_CATALOG_PATH, "%.*s/%.200s.json", PATH_MAX, folder, name);
    if (!strchr(name, '/') && strlen(name) <= 200 && !access(path, R_OK)) return record_json_load(path, json, e);
    code = record_catalog_names(kind, append, &known, e);
    if (code > BASE_NO) return code;
    return base_fail(e, BASE_USAGE, "%s: unknown \"%.64s\"; known: %s%s", flag, name, known.text, code ? ", ..." : "");
}

struct titles {
    const char *kind;
    void (*each)(void *context, const char *name, const char *title);
    void *context;
    struct base_error *e;
};

static int pass_title(void *context, const char *name) {
    const struct titles *t = context;
    char path[RECORD_CATALOG_PATH];
    json_t *json = NULL;
    const int code = record_catalog_load(t->kind, t->kind, name, &json, path, t->e);
    if (code) return code;
    const char *title = json_string_value(json_object_get(json, "title"));
    t->each(t->context, name, title ? title : "");
    json_decref(json);
    return BASE_OK;
}

int record_catalog_titles(const char *kind, void (*each)(void *context, const char *name, const char *title),
                          void *context, struct base_error *e) {
    struct titles t = {kind, each, context, e};
    return record_catalog_names(kind, pass_title, &t, e);
}
