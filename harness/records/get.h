/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads values from a record. A path is a chain of nested keys: "result.step_s". */
#ifndef TOISE_RECORDS_GET_H
#define TOISE_RECORDS_GET_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The value at the path, borrowed; NULL: none. A key that itself contains dots is found too. */
json_t *record_at(const json_t *o, const char *path);
double record_real(const json_t *o, const char *path);      /* NAN: not a number */
long long record_whole(const json_t *o, const char *path);  /* 0: not a whole number */
const char *record_text(const json_t *o, const char *path); /* "": not a string */
bool record_true(const json_t *o, const char *path);        /* false: anything else */
/* Returns the length of a list, 0 if it is none. Copies its first `room` elements to x, NAN for those that are not
 * numbers. */
size_t record_reals(const json_t *o, const char *path, double *x, size_t room);
double record_sum(const json_t *o, const char *path); /* of a list's numbers; 0: it is no list, or has none */

/* BASE_USAGE, "where: field ... has the unknown key ...; known keys: ...": the object has a key that is not in the
 * NULL-terminated list `known`, or is not an object. NULL is an empty object. Without this check a misspelt key would
 * be ignored silently. */
int record_check_keys(const json_t *object, const char *const *known, const char *where, const char *field,
                      struct base_error *e);

/* One record and its place in a file. */
struct record_line {
    const json_t *record;
    const char *path;
    long number;
    const char *text; /* the line without its end; `length` bytes */
    size_t length;
    struct base_error *e;
};
/* BASE_USAGE with file, line, field, and why it is wrong: "must be ...". */
int record_refuse(const struct record_line *line, const char *field, const char *why);
/* BASE_USAGE: the field is missing, or not a finite number or a whole number above 0. */
int record_need_real(const struct record_line *line, const char *field, double *x);
int record_need_whole(const struct record_line *line, const char *field, int64_t *x);

#endif
