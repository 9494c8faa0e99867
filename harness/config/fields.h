/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers of single fields of a config.json, for config/ only. A field is refused by name if it has the wrong type, is
 * out of range, or appears under two names that disagree. Every reader returns BASE_OK or BASE_USAGE. A null counts as
 * absent if another name of the field has a value. */
#ifndef TOISE_CONFIG_FIELDS_H
#define TOISE_CONFIG_FIELDS_H

#include "config/config.h"

enum { MODEL_KEY_NAMES = sizeof(model_key) / sizeof(const char *) };

struct model_fields {
    const json_t *json;
    const char *where; /* for messages: the file */
    char *left_out;    /* [MODEL_NOTE] when pricing; NULL when training */
};

enum { MODEL_FIELD_MOST = MODEL_ENDLESS, MODEL_FIELD_REFUSED = 0, MODEL_FIELD_NONE = -1 };

/* Whether none of the key's names is present. A null is present. */
bool model_field_absent(const struct model_fields *in, const model_key key);
/* Reads a whole number from 1 to MODEL_FIELD_MOST. `absent` and `null` say what to use instead: a number,
 * MODEL_FIELD_NONE (*out is 0), or MODEL_FIELD_REFUSED (an error). */
int model_field_size(const struct model_fields *in, const model_key key, int64_t absent, int64_t null, int64_t *out,
                     struct base_error *e);
/* Reads a number between 0 and 1, both excluded. */
int model_field_fraction(const struct model_fields *in, const model_key key, double fallback, double *out,
                         struct base_error *e);
/* Reads a number from 0 to 1e6. */
int model_field_weight(const struct model_fields *in, const model_key key, double fallback, double *out,
                       struct base_error *e);
int model_field_switch(const struct model_fields *in, const char *key, bool fallback, bool *out, struct base_error *e);
/* A field asks for `what`, which toise cannot train. An error with its cure, or a note in left_out. */
int model_field_untrained(const struct model_fields *in, const char *field, const char *what, const char *cure,
                          struct base_error *e);
/* A name from the file for use in a message: shortened, printable ASCII only. Returns `plain`. */
enum { MODEL_FIELD_PLAIN = 64 };
const char *model_field_plain(const char *name, char plain[MODEL_FIELD_PLAIN]);
/* Appends to a list of MODEL_NOTE bytes. A full list ends in "...". */
void model_field_note(char *list, const char *words);
/* Reads "rope_theta" and "rope_scaling", or "rope_parameters", which holds both since transformers 5. The newer object
 * may also stand under the older name. */
int model_field_rotary(const struct model_fields *in, double theta, struct model_rotary *out, struct base_error *e);
/* Checks every other field: refused, harmless, or noted in c->unread. keys.c has the lists. */
int model_field_check_all(struct model_config *c, const struct model_fields *in, struct base_error *e);

#endif
