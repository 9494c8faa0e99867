/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of a record set in one short line each, and what every record begins with; for run/ alone. */
#ifndef TOISE_RUN_RECORD_SET_H
#define TOISE_RUN_RECORD_SET_H

#include <jansson.h>
#include <math.h>
#include <stdint.h>

#include "model/config.h"
#include "run/train.h"

static inline json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}
static inline void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}
static inline void set_number(json_t *object, const char *key, double x) {
    set(object, key, number(x));
}
static inline void set_integer(json_t *object, const char *key, int64_t x) {
    set(object, key, json_integer(x));
}
static inline json_t *numbers(const double *x, int n) {
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, number(x[i]));
    return a;
}

/* "left_out" and "unread" of a record's config, where the config.json says what calls for them. */
static inline void set_notes(json_t *config, const struct model_config *c) {
    if (c->left_out[0]) set(config, "left_out", json_string(c->left_out));
    if (c->unread[0]) set(config, "unread", json_string(c->unread));
}

/* A new record: schema, kind, status, why (unless it is ""), time and version. */
json_t *run_record_head(const char *kind, enum run_status status, const char *why);

#endif
