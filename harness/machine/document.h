/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of the catalogue as its readers see it: with the keys of the file that it is `like`, its sources at hand, and
 * its place in every message; for this room, and campaigns. Every function returns BASE_OK or a code worded in *e. */
#ifndef TOISE_MACHINE_DOCUMENT_H
#define TOISE_MACHINE_DOCUMENT_H

#include <jansson.h>
#include <stddef.h>

#include "machine/machine.h"
#include "records/catalog.h"

struct machine_document {
    json_t *json;                                              /* like's keys under the file's own */
    json_t *own;                                               /* the file's own keys */
    json_t *sources;                                           /* of both */
    char path[RECORD_CATALOG_PATH], like[RECORD_CATALOG_PATH]; /* like: "" where it is like none */
    struct machine_text **texts;                               /* of the machine that is read: holds what facts say */
};

/* Opens KIND/NAME.json of the catalogue, or the path NAME, which `beside` (a file, or NULL) is the place of. `flag`
 * named it. The schema's word is KIND without its s. */
int machine_document_open(struct machine_document *d, const char *kind, const char *flag, const char *name,
                          const char *beside, struct base_error *e);
/* The same of a file that is loaded, which becomes the document's. */
int machine_document_take(struct machine_document *d, const char *kind, json_t *json, const char *path,
                          struct base_error *e);
void machine_document_close(struct machine_document *d);

/* The file that a field's words come from: the document's, or what it is like. */
const char *machine_document_where(const struct machine_document *d, const char *field);
/* The value at "node.rail_bytes_per_s"; NULL: none. BASE_USAGE where a part of the way is no object. */
int machine_document_find(const struct machine_document *d, const char *field, const json_t **value,
                          struct base_error *e);
/* Plain text; *text is NULL where it is absent and not required. */
int machine_document_text(const struct machine_document *d, const char *field, bool required, const char **text,
                          struct base_error *e);

/* What a figure must be. */
enum machine_figure { MACHINE_RATE, MACHINE_COUNT, MACHINE_WORD, MACHINE_TEXT };
struct machine_rule {
    enum machine_figure figure;
    double least, most;
    const char *slip;         /* what a figure outside mostly is, and the fix */
    const char *const *words; /* of MACHINE_WORD, to a NULL: the fact's value is the index */
};

/* A fact at `field`, for messages, in JSON. */
int machine_document_fact(const struct machine_document *d, const char *field, const json_t *json,
                          const struct machine_rule *rule, struct machine_fact *fact, struct base_error *e);
/* Status, source, how and note of an object that holds a figure or a row of them. */
int machine_document_origin(const struct machine_document *d, const char *field, const json_t *json,
                            struct machine_fact *fact, struct base_error *e);
/* Reads the words that are the catalogue's: names of classes. */
int machine_rule_ready(const struct machine_rule *rule, struct base_error *e);
/* A range against the rule; `where` is the file. */
int machine_rule_check(const struct machine_rule *rule, const char *where, const char *field, double low, double high,
                       struct base_error *e);
/* -1: no such word. */
int machine_rule_word(const struct machine_rule *rule, const char *word);
/* The words joined by ", ". */
void machine_rule_words(const struct machine_rule *rule, char *text, size_t size);

/* A copy that lives as long as the machine; NULL of NULL. Without memory it is "": texts are for display. */
const char *machine_keep(struct machine_text **texts, const char *text);
void machine_texts_free(struct machine_text *texts);

#endif
