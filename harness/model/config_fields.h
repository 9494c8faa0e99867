/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of a config.json, each refused with its name where it is ill-typed, out of range, or given twice under two
 * names that disagree; for model/ alone. Every reader returns BASE_OK or BASE_USAGE. */
#ifndef TOISE_MODEL_CONFIG_FIELDS_H
#define TOISE_MODEL_CONFIG_FIELDS_H

#include "model/config.h"

struct model_fields {
    const json_t *json;
    const char *where; /* for messages: the file */
};

enum { MODEL_FIELD_MOST = MODEL_ENDLESS, MODEL_FIELD_NONE = -1 };

/* Whether none of the key's names is there (null is there). */
bool model_field_absent(const struct model_fields *in, const model_key key);
/* A whole number from 1 to MODEL_FIELD_MOST; absent or null it is `fallback`: 0: it must be there; MODEL_FIELD_NONE:
 * *out is 0. */
int model_field_size(const struct model_fields *in, const model_key key, int64_t fallback, int64_t *out,
                     struct base_error *e);
/* A number between 0 and 1, both excluded. */
int model_field_fraction(const struct model_fields *in, const model_key key, double fallback, double *out,
                         struct base_error *e);
int model_field_switch(const struct model_fields *in, const char *key, bool fallback, bool *out, struct base_error *e);
/* The error of a switch that is set the way nobody trains here. */
int model_field_refuse(const struct model_fields *in, const char *key, bool trained, struct base_error *e);
/* "rope_theta" and "rope_scaling", or "rope_parameters", which holds both since transformers 5 (and which takes the
 * older name, too). */
int model_field_rotary(const struct model_fields *in, struct model_rotary *out, struct base_error *e);

#endif
