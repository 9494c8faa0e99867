/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of a config.json, each refused with its name where it is ill-typed, out of range, or given twice under two
 * names that disagree; for model/ alone. Every reader returns BASE_OK or BASE_USAGE. A null is as good as absent beside
 * another name of the field. */
#ifndef TOISE_MODEL_CONFIG_FIELDS_H
#define TOISE_MODEL_CONFIG_FIELDS_H

#include "model/config.h"

enum { MODEL_KEY_NAMES = sizeof(model_key) / sizeof(const char *) };

struct model_fields {
    const json_t *json;
    const char *where; /* for messages: the file */
    char *left_out;    /* [MODEL_NOTE] of who asks for a price; NULL: of who trains */
};

enum { MODEL_FIELD_MOST = MODEL_ENDLESS, MODEL_FIELD_REFUSED = 0, MODEL_FIELD_NONE = -1 };

/* Whether none of the key's names is there (null is there). */
bool model_field_absent(const struct model_fields *in, const model_key key);
/* A whole number from 1 to MODEL_FIELD_MOST; or what it is when absent and when null: a number; MODEL_FIELD_NONE: *out
 * is 0; MODEL_FIELD_REFUSED: no field to leave so. */
int model_field_size(const struct model_fields *in, const model_key key, int64_t absent, int64_t null, int64_t *out,
                     struct base_error *e);
/* A number between 0 and 1, both excluded. */
int model_field_fraction(const struct model_fields *in, const model_key key, double fallback, double *out,
                         struct base_error *e);
int model_field_switch(const struct model_fields *in, const char *key, bool fallback, bool *out, struct base_error *e);
/* A field that asks for `what`, which nobody trains here: the error, with its cure; or a note in left_out. */
int model_field_untrained(const struct model_fields *in, const char *field, const char *what, const char *cure,
                          struct base_error *e);
/* A name of the file's as a message can hold it: cut, and of printable ASCII alone. Returns `plain`. */
enum { MODEL_FIELD_PLAIN = 64 };
const char *model_field_plain(const char *name, char plain[MODEL_FIELD_PLAIN]);
/* Adds to a list of MODEL_NOTE bytes, which ends in "..." when it is full. */
void model_field_note(char *list, const char *words);
/* "rope_theta" and "rope_scaling", or "rope_parameters", which holds both since transformers 5 (and which takes the
 * older name, too). */
int model_field_rotary(const struct model_fields *in, double theta, struct model_rotary *out, struct base_error *e);
/* Every other field: refused, known to change nothing, or noted in c->unread (config_keys.c has the list). */
int model_field_check_all(struct model_config *c, const struct model_fields *in, struct base_error *e);

#endif
