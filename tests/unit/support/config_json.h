/* SPDX-License-Identifier: Apache-2.0
 *
 * A config.json changed in one field, and what becomes of it: what the tests of configurations share. A failure ends
 * the test; every JSON value given is released. */
#ifndef TOISE_TESTS_CONFIG_JSON_H
#define TOISE_TESTS_CONFIG_JSON_H

#include "model/config.h"

json_t *config_json(const char *text);
/* `good` with one field set to a JSON value; NULL removes it. */
json_t *config_json_changed(const char *good, const char *field, const char *value);
/* BASE_USAGE in one line that names the file and `word`, and nothing written to the caller's config. */
void config_json_refused(json_t *json, const char *word);
struct model_config config_json_accepted(json_t *json);
/* The same by who asks for a price. */
struct model_config config_json_priced(json_t *json);
/* A file of the catalog of models. */
json_t *config_json_preset(const char *name);

#endif
