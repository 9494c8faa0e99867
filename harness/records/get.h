/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record holds, for those that read one. A path is keys, each within the one before: "result.step_s". */
#ifndef TOISE_RECORDS_GET_H
#define TOISE_RECORDS_GET_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The value there, borrowed; NULL: none. A key that holds dots itself is found, too. */
json_t *record_at(const json_t *o, const char *path);
double record_real(const json_t *o, const char *path);      /* NAN: no number */
long long record_whole(const json_t *o, const char *path);  /* 0: no whole number */
const char *record_text(const json_t *o, const char *path); /* "": no text */
bool record_true(const json_t *o, const char *path);        /* false: anything else */
/* How many elements a list has, 0 for no list. x gets the first `room` of them, NAN for what is no number. */
size_t record_reals(const json_t *o, const char *path, double *x, size_t room);

/* BASE_USAGE, "where: field ... has the unknown key ..., take ...": the object holds a key that is none of `known`,
 * which ends with NULL, or it is none. A NULL object holds nothing. What is misspelt would be left out in silence. */
int record_check_keys(const json_t *object, const char *const *known, const char *where, const char *field,
                      struct base_error *e);

/* One record of a file. */
struct record_line {
    const json_t *record;
    const char *path;
    long number;
    struct base_error *e;
};
/* BASE_USAGE: file, line, field, and why it is wrong: "must be ...". */
int record_refuse(const struct record_line *line, const char *field, const char *why);
/* The field must be there, and a finite number or a whole number above 0. */
int record_need_real(const struct record_line *line, const char *field, double *x);
int record_need_whole(const struct record_line *line, const char *field, int64_t *x);

#endif
