/* SPDX-License-Identifier: Apache-2.0
 *
 * Locates the catalogue: near the executable (build/../harness/catalog), or installed with it
 * (bin/../share/toise/catalog). Does not know what the files mean; their readers do. */
#ifndef TOISE_RECORDS_CATALOG_H
#define TOISE_RECORDS_CATALOG_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

enum { RECORD_CATALOG_PATH = PATH_MAX + 256 };

/* Whether a name is a path of the user's: it has a '/' or ends in ".json". */
bool record_catalog_is_path(const char *name);
/* Loads KIND/NAME.json (KIND: "models", for example). path: where it was found. `flag`: the option that named it,
 * "--model". BASE_USAGE: there is none; the message lists the known names. */
int record_catalog_load(const char *kind, const char *flag, const char *name, json_t **json,
                        char path[RECORD_CATALOG_PATH], struct base_error *e);
/* The path of a catalogue file or folder, such as "facilities.json". */
int record_catalog_path(const char *file, char path[RECORD_CATALOG_PATH], struct base_error *e);
/* Calls `each` for every name of KIND, sorted. Stops at the first nonzero code and returns it. */
int record_catalog_names(const char *kind, int (*each)(void *context, const char *name), void *context,
                         struct base_error *e);
/* Calls `each` with name and "title" of every file of KIND, sorted by name. BASE_USAGE: a file is not JSON. */
int record_catalog_titles(const char *kind, void (*each)(void *context, const char *name, const char *title),
                          void *context, struct base_error *e);

#endif
