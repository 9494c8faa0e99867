/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts whose names differ in their last number alone share brackets. */
#define _GNU_SOURCE
#include "inventory/hosts.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name as start, number and end; digits 0: it has no number that fits. */
struct name {
    const char *text, *end;
    int start, digits; /* characters */
    long number;
};

static struct name split(const char *text) {
    struct name n = {.text = text, .end = text, .start = (int)strlen(text)};
    int last = n.start;
    while (last > 0 && !isdigit((unsigned char)text[last - 1])) last--;
    int first = last;
    while (first > 0 && isdigit((unsigned char)text[first - 1])) first--;
    if (last == first || last - first > 9) return n.end = text + n.start, n;
    n.start = first;
    n.digits = last - first;
    n.number = strtol(text + first, NULL, 10);
    n.end = text + last;
    return n;
}

/* Whether the names differ in their number alone, which leading zeros are part of. */
static bool share(const struct name *a, const struct name *b) {
    const bool zeros = a->text[a->start] == '0' || b->text[b->start] == '0';
    return a->digits && b->digits && a->start == b->start && !strncmp(a->text, b->text, (size_t)a->start) &&
           !strcmp(a->end, b->end) && (!zeros || a->digits == b->digits);
}

/* Where the range from names[from] ends: consecutive numbers. */
static int range_end(const struct name *names, int from, int to) {
    while (from + 1 < to && names[from + 1].number == names[from].number + 1) from++;
    return from;
}

/* names[from..to) share all but their numbers. */
static void print(FILE *out, const struct name *names, int from, int to) {
    if (from) fputc(',', out);
    if (to - from == 1) {
        fputs(names[from].text, out);
        return;
    }
    fprintf(out, "%.*s[", names[from].start, names[from].text);
    for (int i = from; i < to; i++) {
        const int last = range_end(names, i, to);
        fprintf(out, "%s%.*s", i > from ? "," : "", names[i].digits, names[i].text + names[i].start);
        if (last > i) fprintf(out, "-%.*s", names[last].digits, names[last].text + names[last].start);
        i = last;
    }
    fprintf(out, "]%s", names[from].end);
}

static int order(const void *a, const void *b) {
    return strverscmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

char *inventory_hosts(const json_t *hosts) {
    const size_t count = json_array_size(hosts);
    struct name *names = calloc(count + 1, sizeof *names);
    char *text = NULL;
    size_t size;
    FILE *out = names ? open_memstream(&text, &size) : NULL;
    int n = 0;
    for (size_t i = 0; out && i < count; i++) {
        const char *host = json_string_value(json_array_get(hosts, i));
        names[i] = split(host && host[0] ? host : "?");
    }
    if (out) qsort(names, count, sizeof *names, order);
    for (size_t i = 0; out && i < count; i++)
        if (!n || strcmp(names[n - 1].text, names[i].text) != 0) names[n++] = names[i];
    for (int i = 0, to; i < n; i = to) {
        for (to = i + 1; to < n && share(&names[i], &names[to]);) to++;
        print(out, names, i, to);
    }
    if (out) fclose(out);
    free(names);
    return text;
}

enum { NAMES_MOST = 1000000 };

/* Adds START first..last END, each number with at least `digits` digits. */
static bool add_range(json_t *names, const char *text, int start, const char *end, int rest, long first, long last,
                      int digits) {
    char name[256];
    if (first > last || last - first >= NAMES_MOST - (long)json_array_size(names)) return false;
    for (long n = first; n <= last; n++) {
        const int length = snprintf(name, sizeof name, "%.*s%0*ld%.*s", start, text, digits, n, rest, end);
        if (length >= (int)sizeof name || json_array_append_new(names, json_string(name))) return false;
    }
    return true;
}

/* A number of at most nine digits; *at moves behind it. */
static bool read_number(const char **at, long *number, int *digits) {
    char *end;
    *digits = (int)strspn(*at, "0123456789");
    *number = strtol(*at, &end, 10);
    *at += *digits;
    return *digits > 0 && *digits <= 9;
}

/* START[1-3,7]END, `length` characters of text, whose '[' is at `start`. */
static bool expand_brackets(json_t *names, const char *text, int start, int length) {
    const char *close = memchr(text, ']', (size_t)length), *at = text + start + 1;
    if (!close || close < at) return false;
    const int rest = (int)(text + length - close - 1);
    if (memchr(close + 1, '[', (size_t)rest) || memchr(close + 1, ']', (size_t)rest)) return false;
    for (bool more = true; more;) {
        long first, last;
        int digits, ignored;
        if (!read_number(&at, &first, &digits)) return false;
        last = first;
        if (*at == '-' && (at++, !read_number(&at, &last, &ignored))) return false;
        if (!add_range(names, text, start, close + 1, rest, first, last, digits)) return false;
        more = *at == ',';
        if (more) at++;
    }
    return at == close;
}

/* The length of the first name: up to a comma outside of brackets. */
static int name_length(const char *text) {
    int at = 0;
    for (bool inside = false; text[at] && (inside || text[at] != ','); at++)
        inside = text[at] == '[' || (inside && text[at] != ']');
    return at;
}

json_t *inventory_hosts_expand(const char *text) {
    json_t *names = json_array();
    bool good = true;
    for (const char *at = text; good;) {
        const int length = name_length(at), start = (int)strcspn(at, "[");
        if (start < length)
            good = expand_brackets(names, at, start, length);
        else
            good = length > 0 && !memchr(at, ']', (size_t)length) && json_array_size(names) < NAMES_MOST &&
                   !json_array_append_new(names, json_stringn(at, (size_t)length));
        at += length;
        if (!*at) break;
        at++;
    }
    if (good) return names;
    json_decref(names);
    return NULL;
}
