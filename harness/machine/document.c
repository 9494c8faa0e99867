/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a catalogue file and the file that it is like. */
#include "machine/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/record.h"

struct machine_text {
    struct machine_text *next;
    char text[];
};

static struct machine_text *text_make(const char *text, struct machine_text *next) {
    const size_t size = strlen(text) + 1;
    struct machine_text *made = malloc(sizeof *made + size);
    if (!made) return NULL;
    memcpy(made->text, text, size);
    made->next = next;
    return made;
}

/* Inserts behind the list's first text. Copies of a machine share that one, so each sees the others' texts. */
const char *machine_keep(struct machine_text **texts, const char *text) {
    if (!text) return NULL;
    if (!*texts) *texts = text_make("", NULL);
    struct machine_text *kept = *texts ? text_make(text, (*texts)->next) : NULL;
    if (!kept) return "";
    (*texts)->next = kept;
    return kept->text;
}

void machine_texts_free(struct machine_text *texts) {
    while (texts) {
        struct machine_text *next = texts->next;
        free(texts);
        texts = next;
    }
}

/* Makes NAME a path, relative to the file that names it unless it begins with a '/'. */
static void place(const char *name, const char *beside, char path[RECORD_CATALOG_PATH]) {
    const char *slash = beside && name[0] != '/' ? strrchr(beside, '/') : NULL;
    snprintf(path, RECORD_CATALOG_PATH, "%.*s%s", slash ? (int)(slash + 1 - beside) : 0, slash ? beside : "", name);
}

static int load(const char *kind, const char *flag, const char *name, const char *beside, json_t **json,
                char path[RECORD_CATALOG_PATH], struct base_error *e) {
    if (!record_catalog_is_path(name)) return record_catalog_load(kind, flag, name, json, path, e);
    place(name, beside, path);
    return record_json_load(path, json, e);
}

/* The schema is the folder's name without its "s": machine/1 for machines. */
static int check_schema(const json_t *json, const char *kind, const char *path, struct base_error *e) {
    const int word = (int)strlen(kind) - 1;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%.*s/1", word, kind);
    const char *schema = json_string_value(json_object_get(json, "schema"));
    if (!json_is_object(json))
        return base_fail(e, BASE_USAGE, "%s: the file of a %.*s must be a JSON object", path, word, kind);
    if (!schema) return base_fail(e, BASE_USAGE, "%s: field \"schema\" is missing; it must be \"%s\"", path, wanted);
    if (strcmp(schema, wanted))
        return base_fail(e, BASE_USAGE, "%s: field \"schema\" is \"%s\"; it must be \"%s\"", path, schema, wanted);
    return BASE_OK;
}

/* Results use the name, so it must be the file's own and not another machine's. */
static int check_name(const json_t *json, const char *path, struct base_error *e) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *name = json_string_value(json_object_get(json, "name"));
    const int stem = (int)(strlen(base) - (strlen(base) > 5 ? 5 : 0));
    if (!name || strlen(name) != (size_t)stem || strncmp(name, base, (size_t)stem))
        return base_fail(e, BASE_USAGE, "%s: field \"name\" must be the file's name, \"%.*s\"", path, stem, base);
    return BASE_OK;
}

/* The first key with different values in a and b; NULL: none. */
static const char *dispute(const json_t *a, const json_t *b) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)b, key, value) {
        const json_t *other = json_object_get(a, key);
        if (other && !json_equal(other, value)) return key;
    }
    return NULL;
}

/* Takes the parent's top-level keys, except notes and those that the file states itself. */
static int merge(struct machine_document *d, json_t *parent, const char *kind, struct base_error *e) {
    int code = check_schema(parent, kind, d->like, e);
    if (code) return code;
    if (json_object_get(parent, "like"))
        return base_fail(e, BASE_USAGE, "%s: field \"like\" names %s, which is like another itself; name that one",
                         d->path, d->like);
    const json_t *theirs = json_object_get(parent, "sources");
    const char *key = dispute(d->sources, theirs);
    if (key)
        return base_fail(e, BASE_USAGE, "%s: source \"%s\" differs from that in %s, which it is like; rename it",
                         d->path, key, d->like);
    json_object_update(d->sources, (json_t *)theirs);
    json_object_del(parent, "notes");
    json_object_update_missing(d->json, parent);
    return BASE_OK;
}

static int read_like(struct machine_document *d, const char *kind, struct base_error *e) {
    const json_t *like = json_object_get(d->own, "like");
    char flag[RECORD_CATALOG_PATH + 32];
    json_t *parent = NULL;
    if (!like) return BASE_OK;
    if (!json_is_string(like))
        return base_fail(e, BASE_USAGE, "%s: field \"like\" must be the name of a file", d->path);
    snprintf(flag, sizeof flag, "%s: field \"like\"", d->path);
    int code = load(kind, flag, json_string_value(like), d->path, &parent, d->like, e);
    if (!code) code = merge(d, parent, kind, e);
    json_decref(parent);
    return code;
}

int machine_document_take(struct machine_document *d, const char *kind, json_t *json, const char *path,
                          struct base_error *e) {
    snprintf(d->path, sizeof d->path, "%s", path);
    d->own = json;
    int code = check_schema(json, kind, path, e);
    if (!code) code = check_name(json, path, e);
    if (code) return code;
    const json_t *sources = json_object_get(json, "sources");
    if (sources && !json_is_object(sources))
        return base_fail(e, BASE_USAGE, "%s: field \"sources\" must be an object of texts", path);
    d->json = json_copy(json);
    d->sources = sources ? json_copy((json_t *)sources) : json_object();
    return read_like(d, kind, e);
}

int machine_document_open(struct machine_document *d, const char *kind, const char *flag, const char *name,
                          const char *beside, struct base_error *e) {
    char path[RECORD_CATALOG_PATH];
    json_t *json = NULL;
    int code = load(kind, flag, name, beside, &json, path, e);
    return code ? code : machine_document_take(d, kind, json, path, e);
}

void machine_document_close(struct machine_document *d) {
    json_decref(d->json);
    json_decref(d->own);
    json_decref(d->sources);
}

const char *machine_document_where(const struct machine_document *d, const char *field) {
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)strcspn(field, ".["), field);
    return d->like[0] && !json_object_get(d->own, key) ? d->like : d->path;
}

int machine_document_find(const struct machine_document *d, const char *field, const json_t **value,
                          struct base_error *e) {
    const json_t *at = d->json;
    for (const char *part = field; at && *part;) {
        char key[64];
        const size_t length = strcspn(part, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, part);
        if (!json_is_object(at))
            return base_fail(e, BASE_USAGE, "%s: field \"%.*s\" must be an object that may hold \"%s\"",
                             machine_document_where(d, field), (int)(part > field ? part - field - 1 : 0), field, key);
        at = json_object_get(at, key);
        part += length + (part[length] == '.');
    }
    *value = at;
    return BASE_OK;
}

int machine_document_text(const struct machine_document *d, const char *field, bool required, const char **text,
                          struct base_error *e) {
    const json_t *value;
    int code = machine_document_find(d, field, &value, e);
    if (code) return code;
    const char *where = machine_document_where(d, field);
    if (!value && required) return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; add it", where, field);
    if (value && (!json_is_string(value) || !*json_string_value(value)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be text", where, field);
    *text = machine_keep(d->texts, json_string_value(value));
    return BASE_OK;
}
