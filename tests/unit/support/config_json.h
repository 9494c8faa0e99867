/* SPDX-License-Identifier: Apache-2.0
 *
 * A config.json with one field changed, and what becomes of it; tests of configurations share this. A failure ends the
 * test. Every JSON value passed in is released. */
#ifndef TOISE_TESTS_CONFIG_JSON_H
#define TOISE_TESTS_CONFIG_JSON_H

#include "config/config.h"

json_t *config_json(const char *text);
/* `good` with one field set to a JSON value; NULL removes the field. */
json_t *config_json_changed(const char *good, const char *field, const char *value);
/* Expects BASE_USAGE with one line that names the file and `word`, and nothing written to the caller's config. */
void config_json_refused(json_t *json, const char *word);
struct model_config config_json_accepted(json_t *json);
/* Reads it as for pricing only. */
struct model_config config_json_priced(json_t *json);
/* A file of the catalogue's models. */
json_t *config_json_preset(const char *name);

#endif
