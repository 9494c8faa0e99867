/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers for writing a record: set a key in one short line, and start a new record. */
#ifndef TOISE_RECORDS_SET_H
#define TOISE_RECORDS_SET_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A number; null if it is not finite (unknown). */
static inline json_t *record_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}
/* Takes over `value`. */
static inline void record_set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}
static inline void record_set_number(json_t *object, const char *key, double x) {
    record_set(object, key, record_number(x));
}
static inline void record_set_integer(json_t *object, const char *key, int64_t x) {
    record_set(object, key, json_integer(x));
}
/* A figure with its interval: KEY, KEY_low, KEY_high. Keys have less than 100 bytes. */
static inline void record_set_interval(json_t *object, const char *key, double x, double low, double high) {
    char end[112];
    record_set_number(object, key, x);
    snprintf(end, sizeof end, "%.100s_low", key);
    record_set_number(object, end, low);
    snprintf(end, sizeof end, "%.100s_high", key);
    record_set_number(object, end, high);
}
/* A number for each of x[n]. */
static inline json_t *record_numbers(const double *x, int n) {
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, record_number(x[i]));
    return a;
}

/* Sets lower_bound if the machine has a matrix unit that toise does not use: it computes faster than toise shows. */
static inline void record_set_lower_bound(json_t *result, const json_t *machine) {
    if (json_is_string(json_object_get(machine, "unused_matrix_unit"))) record_set(result, "lower_bound", json_true());
}

#define RECORD_SCHEMA "toise/1" /* what this version writes; it reads all of this major */

enum record_status {
    RECORD_PASSED,
    RECORD_FAILED,
    RECORD_INCONCLUSIVE,
    RECORD_BROKEN,    /* the run did not end as it should */
    RECORD_UNVERIFIED /* imported */
};

/* "PASSED", ...; and its inverse. False: `name` is none of them. */
const char *record_status_name(enum record_status status);
bool record_status_of(const char *name, enum record_status *status);

/* A new record with schema, kind, status, why (unless ""), time and version. */
json_t *record_head(const char *kind, enum record_status status, const char *why);

#endif
