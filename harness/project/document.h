/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of the catalogue as its readers see it: with the keys of the file that it is `like`, its sources at hand, and
 * its place in every message; for project/ alone. Every function returns BASE_OK or a code worded in *e. */
#ifndef TOISE_PROJECT_DOCUMENT_H
#define TOISE_PROJECT_DOCUMENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/catalog.h"
#include "project/machine.h"

struct project_document {
    json_t *json;                                          /* like's keys under the file's own */
    json_t *own;                                           /* the file's own keys */
    json_t *sources;                                       /* of both */
    char path[BASE_CATALOG_PATH], like[BASE_CATALOG_PATH]; /* like: "" where it is like none */
    struct project_text **texts;                           /* of the machine that is read: holds what facts say */
};

/* Opens KIND/NAME.json of the catalogue, or the path NAME, which `beside` (a file, or NULL) is the place of. `flag`
 * named it. The schema's word is KIND without its s. */
int project_document_open(struct project_document *d, const char *kind, const char *flag, const char *name,
                          const char *beside, struct base_error *e);
/* The same of a file that is loaded, which becomes the document's. */
int project_document_take(struct project_document *d, const char *kind, json_t *json, const char *path,
                          struct base_error *e);
void project_document_close(struct project_document *d);

/* The file that a field's words come from: the document's, or what it is like. */
const char *project_document_where(const struct project_document *d, const char *field);
/* The value at "node.rail_bytes_per_s"; NULL: none. BASE_USAGE where a part of the way is no object. */
int project_document_find(const struct project_document *d, const char *field, const json_t **value,
                          struct base_error *e);
/* Plain text; *text is NULL where it is absent and not required. */
int project_document_text(const struct project_document *d, const char *field, bool required, const char **text,
                          struct base_error *e);

/* What a figure must be. */
enum project_figure { PROJECT_RATE, PROJECT_COUNT, PROJECT_WORD, PROJECT_TEXT };
struct project_rule {
    enum project_figure figure;
    double least, most;
    const char *slip;         /* what a figure outside mostly is, and the fix */
    const char *const *words; /* of PROJECT_WORD, to a NULL: the fact's value is the index */
};

/* A fact at `field`, for messages, in JSON. */
int project_document_fact(const struct project_document *d, const char *field, const json_t *json,
                          const struct project_rule *rule, struct project_fact *fact, struct base_error *e);
/* Status, source, how and note of an object that holds a figure or a row of them. */
int project_document_origin(const struct project_document *d, const char *field, const json_t *json,
                            struct project_fact *fact, struct base_error *e);
/* A range against the rule; `where` is the file. */
int project_rule_check(const struct project_rule *rule, const char *where, const char *field, double low, double high,
                       struct base_error *e);
/* -1: no such word. */
int project_rule_word(const struct project_rule *rule, const char *word);
/* The words joined by ", ". */
void project_rule_words(const struct project_rule *rule, char *text, size_t size);

/* A copy that lives as long as the machine; NULL of NULL. Without memory it is "": texts are for display. */
const char *project_keep(struct project_text **texts, const char *text);
void project_texts_free(struct project_text *texts);

#endif
