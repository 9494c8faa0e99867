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
