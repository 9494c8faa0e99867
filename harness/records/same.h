/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares what an earlier run said of itself with what this one says, for runs that go on. */
#ifndef TOISE_RECORDS_SAME_H
#define TOISE_RECORDS_SAME_H

#include <jansson.h>

#include "base/error.h"

/* BASE_USAGE: the values differ, as in "WHERE: FIELD was 1, and is 2 here: RULE". NULL: none. */
int record_same(const char *where, const char *field, const json_t *then, const json_t *now, const char *rule,
                struct base_error *e);
/* The same for each key of either object, but those in free_keys, which NULL ends. Fields are OBJECT.KEY. */
int record_same_keys(const char *where, const char *object, const json_t *then, const json_t *now,
                     const char *const *free_keys, const char *rule, struct base_error *e);

#endif
