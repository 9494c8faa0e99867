/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads figures of Calculon's files. Error messages give the cure in the file's units. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "machine/calculon.h"
#include "machine/fields.h"

/* The unit of a key. A figure of `endless` or more is a placeholder for no limit, and read as `taken`. */
struct unit {
    const char *key;
    double scale, endless, taken;
    const char *give;
};
static const struct unit units[] = {
    {"tflops", 1e12, INFINITY, 0, "TFLOP/s, as 312 for 312e12 FLOP/s"},
    {"GiB", 1073741824.0, 1e6, INFINITY, "GiB, as 80, or 1e6 and more for no limit"},
    {"GBps", 1e9, 1e6, 1e6, "GB/s, as 2039, or 1e6 and more for no limit"},
    {"bandwidth", 1e9, 1e6, 1e6, "GB/s one way, not Gbit/s, as 25 for 200 Gbit/s, or 1e6 and more for no limit"},
    {"efficiency", 1, INFINITY, 0, "a share, as 0.65"},
    {"latency", 1, INFINITY, 0, "seconds, as 1e-5"},
    {"size", 1, INFINITY, 0, "a whole number of processors"},
};

static const struct unit *unit_of(const char *key) {
    size_t i = 0;
    while (strcmp(units[i].key, key)) i++;
    return &units[i];
}

void machine_calculon_remark(struct calculon *in, const char *format, ...) {
    const size_t used = strlen(in->remarks);
    va_list arguments;
    va_start(arguments, format);
    const int n = used ? snprintf(in->remarks + used, MACHINE_CALCULON_REMARKS - used, "; ") : 0;
    if (used + (size_t)n < MACHINE_CALCULON_REMARKS)
        vsnprintf(in->remarks + used + n, MACHINE_CALCULON_REMARKS - used - (size_t)n, format, arguments);
    va_end(arguments);
}

void machine_calculon_leave_out(struct calculon *in, const json_t *object, const char *part, const char *const *known,
                                size_t count) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        if (base_text_find(key, known, (int)count) < 0)
            machine_calculon_remark(in, "left out: %s%s%.32s", part, *part ? "." : "", key);
    }
}

int machine_calculon_number(struct calculon *in, const json_t *object, const char *part, const char *key, double *x,
                            struct base_error *e) {
    const struct unit *u = unit_of(key);
    const json_t *value = json_object_get(object, key);
    *x = json_number_value(value);
    if (!json_is_number(value) || !(*x > 0))
        return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" %s; give %s", in->path, part, key,
                         value ? "must be a number above 0" : "is missing", u->give);
    if (*x >= u->endless) {
        if (isfinite(u->taken))
            machine_calculon_remark(in, "%s.%s %g taken for no limit, as %g GB/s", part, key, *x, u->taken);
        else
            machine_calculon_remark(in, "%s.%s %g taken for no limit", part, key, *x);
        *x = u->taken;
    }
    *x *= u->scale;
    return BASE_OK;
}

static bool no_limit(const char *key, double x) {
    const struct unit *u = unit_of(key);
    return x >= u->endless * u->scale;
}

int machine_calculon_put(const struct calculon *in, const char *fact, const char *part, const char *key, double x,
                         struct base_error *e) {
    const struct machine_field *f = machine_field_find(fact);
    const struct unit *u = unit_of(key);
    const struct machine_rule *rule = &f->rule;
    if (!no_limit(key, x) && (x < rule->least || x > rule->most || (rule->figure == MACHINE_COUNT && floor(x) != x)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" is %g, not within %.6g to %.6g: give %s", in->path, part,
                         key, x / u->scale, rule->least / u->scale, rule->most / u->scale, u->give);
    struct machine_fact *slot = machine_field_slot(f, in->m);
    *slot = machine_fact_make(x, x, MACHINE_ASSUMED, "as the system's file has it");
    slot->source = in->source;
    return BASE_OK;
}

int machine_calculon_convert(struct calculon *in, const char *fact, const json_t *object, const char *part,
                             const char *key, struct base_error *e) {
    double x = 0;
    int code = machine_calculon_number(in, object, part, key, &x, e);
    return code ? code : machine_calculon_put(in, fact, part, key, x, e);
}

int machine_calculon_shares(const struct calculon *in, const json_t *table, const char *field, double unit,
                            struct machine_shares *out, struct base_error *e) {
    const size_t rows = json_array_size(table);
    if (!rows || rows > MACHINE_ROWS)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a list of 1 to %d pairs [size, share]", in->path,
                         field, MACHINE_ROWS);
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(table, i), *from = json_array_get(row, 0), *share = json_array_get(row, 1);
        const double x = json_number_value(from), y = json_number_value(share);
        if (json_array_size(row) != 2 || !json_is_number(from) || !json_is_number(share) || x < 0 || !(y > 0) || y > 1)
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s[%zu]\" must be [size, share], the share above 0 and at most 1", in->path,
                             field, i);
        if (i && x * unit >= out->row[i - 1].from)
            return base_fail(e, BASE_USAGE, "%s: field \"%s[%zu]\": order the sizes from the largest down", in->path,
                             field, i);
        out->row[i].from = x * unit;
        out->row[i].share = y;
    }
    if (out->row[rows - 1].from > 0)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\": the last row must have size 0, for all smaller operations",
                         in->path, field);
    out->count = (int)rows;
    return BASE_OK;
}
