/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads values from records by paths of keys. */
#include "records/get.h"

#include <string.h>

#include "base/text.h"

json_t *record_at(const json_t *o, const char *path) {
    char key[64];
    json_t *value = json_object_get(o, path);
    const char *dot = strchr(path, '.');
    if (value || !dot || (size_t)(dot - path) >= sizeof key) return value;
    memcpy(key, path, (size_t)(dot - path));
    key[dot - path] = 0;
    return record_at(json_object_get(o, key), dot + 1);
}

static double real_of(const json_t *value) {
    return json_is_number(value) ? json_number_value(value) : NAN;
}

double record_real(const json_t *o, const char *path) {
    return real_of(record_at(o, path));
}

double record_sum(const json_t *o, const char *path) {
    const json_t *value;
    size_t i;
    double sum = 0;
    json_array_foreach(record_at(o, path), i, value) sum += json_number_value(value);
    return sum;
}

long long record_whole(const json_t *o, const char *path) {
    return json_integer_value(record_at(o, path));
}

const char *record_text(const json_t *o, const char *path) {
    const char *text = json_string_value(record_at(o, path));
    return text ? text : "";
}

bool record_true(const json_t *o, const char *path) {
    return json_is_true(record_at(o, path));
}

size_t record_reals(const json_t *o, const char *path, double *x, size_t room) {
    const json_t *list = record_at(o, path);
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < room; i++) x[i] = real_of(json_array_get(list, i));
    return n;
}

int record_check_keys(const json_t *object, const char *const *known, const char *where, const char *field,
                      struct base_error *e) {
    const char *key;
    json_t *value;
    int count = 0;
    while (known[count]) count++;
    if (object && !json_is_object(object))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be an object", where, field);
    json_object_foreach((json_t *)object, key, value) {
        char list[256] = "";
        if (base_text_find(key, known, count) >= 0) continue;
        for (int i = 0; i < count; i++) base_text_append(list, sizeof list, known[i]);
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" has the unknown key \"%.64s\"; known keys: %s", where, field,
                         key, list);
    }
    return BASE_OK;
}

int record_refuse(const struct record_line *line, const char *field, const char *why) {
    return base_fail(line->e, BASE_USAGE, "%s: line %ld: field \"%s\" %s; repair or remove the line", line->path,
                     line->number, field, why);
}

int record_need_real(const struct record_line *line, const char *field, double *x) {
    *x = record_real(line->record, field);
    return *x > 0 && isfinite(*x) ? BASE_OK : record_refuse(line, field, "must be a number above 0");
}

int record_need_whole(const struct record_line *line, const char *field, int64_t *x) {
    *x = record_whole(line->record, field);
    return *x > 0 ? BASE_OK : record_refuse(line, field, "must be a whole number above 0");
}
