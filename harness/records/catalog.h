/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the catalogue's files are: beside the binary (build/../harness/catalog), or installed with it
 * (bin/../share/toise/catalog). What they say is their readers' affair. */
#ifndef TOISE_RECORDS_CATALOG_H
#define TOISE_RECORDS_CATALOG_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

enum { RECORD_CATALOG_PATH = PATH_MAX + 256 };

/* Whether a name is the path of a user's own file: it has a '/' or ends in ".json". */
bool record_catalog_is_path(const char *name);
/* Loads KIND/NAME.json ("models"); path: where it was found. BASE_USAGE lists the names there are; `flag` is what named
 * it: "--model". */
int record_catalog_load(const char *kind, const char *flag, const char *name, json_t **json,
                        char path[RECORD_CATALOG_PATH], struct base_error *e);
/* The path of a file or folder of the catalogue: "facilities.json". */
int record_catalog_path(const char *file, char path[RECORD_CATALOG_PATH], struct base_error *e);
/* Calls `each` for every name of KIND, sorted; stops at, and returns, the first code that is not 0. */
int record_catalog_names(const char *kind, int (*each)(void *context, const char *name), void *context,
                         struct base_error *e);
/* Calls `each` with the name and the "title" of every file of KIND, sorted by name. BASE_USAGE: one is no JSON. */
int record_catalog_titles(const char *kind, void (*each)(void *context, const char *name, const char *title),
                          void *context, struct base_error *e);

#endif
