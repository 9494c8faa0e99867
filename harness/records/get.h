/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record holds under a key, for those that read one. */
#ifndef TOISE_RECORDS_GET_H
#define TOISE_RECORDS_GET_H

#include <jansson.h>
#include <math.h>

/* NAN: no number */
static inline double record_real(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
/* 0: no whole number */
static inline long long record_whole(const json_t *o, const char *key) {
    return json_integer_value(json_object_get(o, key));
}
/* "": no text */
static inline const char *record_text(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

#endif
