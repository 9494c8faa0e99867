/* SPDX-License-Identifier: Apache-2.0
 *
 * A catalogue file, merged with the file that it is `like`, and its sources. Messages name the file that a field comes
 * from. Used by this room and by campaigns. Functions that return int give BASE_OK, or a code with its text in *e. */
#ifndef TOISE_MACHINE_DOCUMENT_H
#define TOISE_MACHINE_DOCUMENT_H

#include <jansson.h>
#include <stddef.h>

#include "machine/machine.h"
#include "records/catalog.h"

struct machine_document {
    json_t *json;                                              /* its own keys, then those of `like` */
    json_t *own;                                               /* the file's own keys */
    json_t *sources;                                           /* of both */
    char path[RECORD_CATALOG_PATH], like[RECORD_CATALOG_PATH]; /* like: "" if it is like none */
    struct machine_text **texts;                               /* the machine's; they own the facts' texts */
};

/* Opens KIND/NAME.json of the catalogue, or the path NAME, relative to the folder of the file `beside` (NULL: to the
 * working directory). `flag` is the flag or field that named it, for messages. The schema is KIND without its "s". */
int machine_document_open(struct machine_document *d, const char *kind, const char *flag, const char *name,
                          const char *beside, struct base_error *e);
/* The same for a loaded file. The document takes ownership of it. */
int machine_document_take(struct machine_document *d, const char *kind, json_t *json, const char *path,
                          struct base_error *e);
void machine_document_close(struct machine_document *d);

/* The file that states a field: the document's, or the one that it is like. */
const char *machine_document_where(const struct machine_document *d, const char *field);
/* The value at a path as "node.rail_bytes_per_s"; NULL: none. BASE_USAGE: a part of the path is not an object. */
int machine_document_find(const struct machine_document *d, const char *field, const json_t **value,
                          struct base_error *e);
/* Reads plain text. *text is NULL if it is absent and not required. */
int machine_document_text(const struct machine_document *d, const char *field, bool required, const char **text,
                          struct base_error *e);

/* The kinds of figures, and a rule for one. */
enum machine_figure { MACHINE_RATE, MACHINE_COUNT, MACHINE_WORD, MACHINE_TEXT };
struct machine_rule {
    enum machine_figure figure;
    double least, most;
    const char *slip;         /* the usual mistake of a figure out of range, and the fix */
    const char *const *words; /* of MACHINE_WORD, up to a NULL; the fact's value is the index */
};

/* Reads a fact from `json`. `field` is its path, for messages. */
int machine_document_fact(const struct machine_document *d, const char *field, const json_t *json,
                          const struct machine_rule *rule, struct machine_fact *fact, struct base_error *e);
/* Reads status, source, how and note of an object with a figure, or of a row. */
int machine_document_origin(const struct machine_document *d, const char *field, const json_t *json,
                            struct machine_fact *fact, struct base_error *e);
/* Loads the rule's words if they come from the catalogue (names of classes). */
int machine_rule_ready(const struct machine_rule *rule, struct base_error *e);
/* Checks a range against the rule. `where` is the file. */
int machine_rule_check(const struct machine_rule *rule, const char *where, const char *field, double low, double high,
                       struct base_error *e);
/* The word's index; -1: unknown. */
int machine_rule_word(const struct machine_rule *rule, const char *word);
/* The words joined by ", ". */
void machine_rule_words(const struct machine_rule *rule, char *text, size_t size);

/* A copy that lives as long as the machine. NULL for NULL; "" without memory, as texts are only displayed. */
const char *machine_keep(struct machine_text **texts, const char *text);
void machine_texts_free(struct machine_text *texts);

#endif
