/* SPDX-License-Identifier: Apache-2.0
 *
 * Values by the units in their keys, and lines made of values. */
#include "report/fact.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"

void report_clean(FILE *out, const char *text, size_t most) {
    size_t n = strlen(text);
    const bool cut = n > most;
    if (cut) n = most;
    while (cut && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* UTF-8 characters remain whole */
    for (size_t i = 0; i < n; i++) fputc(iscntrl((unsigned char)text[i]) ? '?' : text[i], out);
    if (cut) fputs("...", out);
}

static void number(FILE *out, const char *key, double x) {
    static const struct {
        const char *end, *unit;
    } units[] = {{"_hz", "Hz"}, {"bit_per_s", "bit/s"}, {"transfers_per_s", "T/s"}};
    char text[32];
    if (base_text_ends(key, "bytes")) {
        base_text_bytes(x, text, sizeof text);
        fputs(text, out);
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!base_text_ends(key, units[i].end)) continue;
        base_text_si(x, text, sizeof text);
        fprintf(out, "%s%s", text, units[i].unit);
        return;
    }
    fprintf(out, "%.10g%s", x, base_text_ends(key, "_s") ? " s" : "");
}

/* A key without its unit, which is with the value */
static void label(FILE *out, const char *key) {
    char text[128];
    snprintf(text, sizeof text, "%s", !strcmp(key, "bit_per_s") ? "speed" : key);
    if (base_text_ends(text, "_bytes")) text[strlen(text) - 6] = '\0';
    report_clean(out, text, sizeof text);
}

/* "eth0: driver mlx5_core, up yes, speed 25.0 Gbit/s" */
static void object(FILE *out, const json_t *value) {
    const char *key, *comma = "";
    json_t *below;
    json_object_foreach((json_t *)value, key, below) {
        const bool name = !strcmp(key, "name");
        if (!name) fputs(comma, out), label(out, key), fputc(' ', out);
        report_fact(out, key, below);
        comma = name ? ": " : ", ";
    }
    if (!json_object_size(value)) fputs("none", out);
}

void report_fact(FILE *out, const char *key, const json_t *value) {
    if (json_is_string(value))
        report_clean(out, json_string_value(value), json_string_length(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "yes" : "no", out);
    else if (json_is_number(value))
        number(out, key, json_number_value(value));
    else if (json_is_object(value))
        object(out, value);
    else if (!json_array_size(value))
        fputs(json_is_array(value) ? "none" : "unknown", out);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i) fputs(json_is_object(json_array_get(value, i)) ? "; " : " ", out);
        report_fact(out, key, json_array_get(value, i));
    }
}

/* Why the value is not there; NULL: it is. */
static const char *missing(const json_t *machine, const char *path) {
    const json_t *value = record_at(machine, path);
    if (value && !json_is_null(value)) return NULL;
    const char *why = record_text(json_object_get(machine, "unknown"), path);
    return why[0] ? why : "none";
}

/* The next {path} of the text; returns what follows it. NULL: no more */
static const char *next_path(const char *text, char path[64]) {
    const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close) return NULL;
    snprintf(path, 64, "%.*s", (int)(close - open) - 1, open + 1);
    return close + 1;
}

/* The one reason why no value of the text is there; NULL: one is, or reasons differ */
static const char *all_missing(const json_t *machine, const char *text) {
    char path[64];
    const char *first = NULL;
    while ((text = next_path(text, path)) != NULL) {
        const char *why = missing(machine, path);
        if (!why || (first && strcmp(why, first) != 0)) return NULL;
        first = why;
    }
    return first;
}

static void print_missing(FILE *out, const char *why) {
    if (!strcmp(why, "none"))
        fputs("none", out);
    else
        fprintf(out, "unknown (%s)", why);
}

void report_facts(FILE *out, const json_t *machine, const char *text) {
    char path[64];
    const char *why = all_missing(machine, text), *after;
    if (why) {
        print_missing(out, why);
        return;
    }
    for (; (after = next_path(text, path)) != NULL; text = after) {
        fprintf(out, "%.*s", (int)(strchr(text, '{') - text), text);
        if ((why = missing(machine, path)) != NULL)
            print_missing(out, why);
        else
            report_fact(out, path, record_at(machine, path));
    }
    fputs(text, out);
}

void report_axes(FILE *out, const json_t *layout) {
    fprintf(out, "DP %lld", record_whole(layout, "dp"));
    if (record_at(layout, "tp")) fprintf(out, ", TP %lld", record_whole(layout, "tp"));
    if (record_true(layout, "sp")) fputs(", SP", out);
    if (record_at(layout, "cp")) fprintf(out, ", CP %lld", record_whole(layout, "cp"));
    if (record_at(layout, "ep")) fprintf(out, ", EP %lld", record_whole(layout, "ep"));
    if (record_at(layout, "pp")) fprintf(out, ", PP %lld", record_whole(layout, "pp"));
    if (record_at(layout, "vp")) fprintf(out, " x %lld chunks", record_whole(layout, "vp"));
    if (record_at(layout, "schedule")) fprintf(out, " %s", record_text(layout, "schedule"));
    const json_t *stages = record_at(layout, "stage_layers"), *layers;
    size_t i;
    json_array_foreach(stages, i, layers)
        fprintf(out, "%s%lld", i ? "," : ", layers ", (long long)json_integer_value(layers));
    if (record_at(layout, "order")) fprintf(out, ", order %s", record_text(layout, "order"));
    if (record_at(layout, "zero")) fprintf(out, ", ZeRO %lld", record_whole(layout, "zero"));
    if (record_at(layout, "reproducible"))
        fprintf(out, ", reproducible up to %lld", record_whole(layout, "reproducible"));
}

void report_communication(FILE *out, const json_t *result, double step, const char *flight, const char *exposed) {
    const char *axis, *between = "messages    ";
    json_t *of;
    json_object_foreach((json_t *)(uintptr_t)record_at(result, "communication"), axis, of) {
        const double total = record_real(of, "total_s"), waited = record_real(of, "exposed_s");
        fprintf(out, "%s%s ", between, axis);
        if (!isnan(total)) fprintf(out, "%.4g s%s, ", total, flight);
        fprintf(out, "%.4g s %s (%.1f%%)", waited, exposed, 100 * waited / step);
        between = "; ";
    }
}
