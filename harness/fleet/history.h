/* SPDX-License-Identifier: Apache-2.0
 *
 * What earlier runs said of a node, so that a chronic fault can be told from a new one. */
#ifndef TOISE_FLEET_HISTORY_H
#define TOISE_FLEET_HISTORY_H

#include <jansson.h>

#include "base/error.h"

/* Reads the records of kind "nodes" in a file, whose other records are skipped. *history, a new reference: {name:
 * {"runs": in which it had a verdict, "bad": those in which it was not good}}. NULL as path: empty. BASE_USAGE: no such
 * file, or a line that is not a record. */
int fleet_history_read(const char *path, json_t **history, struct base_error *e);
/* "new": never bad before, or never seen; "chronic": bad in at least half of the earlier runs; else "again". */
const char *fleet_history_word(const json_t *history, const char *name);

#endif
