/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads faults. A table says which fields each has; words are cut from a copy of the text. */
#include "inject/fault.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *const kinds[INJECT_KINDS] = {"slow", "memory", "link", "bitflip", "hang"};

enum type { WHOLE, REAL, TEXT };
enum { ALL = (1 << INJECT_KINDS) - 1, TIMED = 1 << INJECT_SLOW | 1 << INJECT_MEMORY | 1 << INJECT_LINK };

static const struct field {
    const char *name;
    enum type type;
    size_t at;
    double min, max;
    unsigned of;    /* bit k: of kind k */
    unsigned needs; /* bit k: kind k needs it */
} fields[] = {
    {"rank", WHOLE, offsetof(struct inject_fault, rank), 0, 1e9, ALL, 0},
    {"node", WHOLE, offsetof(struct inject_fault, node), 0, 1e9, ALL, 0},
    {"peer", WHOLE, offsetof(struct inject_fault, peer), 0, 1e9, 1 << INJECT_LINK, 0},
    {"factor", REAL, offsetof(struct inject_fault, factor), 1, 1e6, TIMED, TIMED},
    {"step", WHOLE, offsetof(struct inject_fault, step), 0, 1e9, 1 << INJECT_BITFLIP | 1 << INJECT_HANG,
     1 << INJECT_BITFLIP},
    {"times", WHOLE, offsetof(struct inject_fault, times), 0, 1e9, 1 << INJECT_BITFLIP, 0},
    {"seconds", REAL, offsetof(struct inject_fault, seconds), 0, 1e9, 1 << INJECT_HANG, 0},
    {"signal", WHOLE, offsetof(struct inject_fault, signal), 1, 64, 1 << INJECT_HANG, 0},
    {"phase", TEXT, offsetof(struct inject_fault, phase), 0, 0, 1 << INJECT_HANG, 0},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static bool set_value(struct inject_fault *f, const struct field *field, const char *value) {
    char *end, *at = (char *)f + field->at;
    if (field->type == TEXT) {
        const bool fits = *value && strlen(value) < INJECT_PHASE;
        if (fits) memcpy(at, value, strlen(value) + 1);
        return fits;
    }
    const double x = strtod(value, &end);
    const bool good = end != value && !*end && x >= field->min && x <= field->max;
    if (!good || (field->type == WHOLE && x != floor(x))) return false;
    if (field->type == WHOLE)
        *(int *)(void *)at = (int)x;
    else
        *(double *)(void *)at = x;
    return true;
}

static void list_fields(enum inject_kind kind, char *text, size_t size) {
    text[0] = '\0';
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].of & 1u << kind) base_text_append(text, size, fields[i].name);
}

/* "name=value" */
static int read_field(struct inject_fault *f, char *word, unsigned *given, struct base_error *e) {
    char all[128];
    char *value = strchr(word, '=');
    const int length = value ? (int)(value - word) : (int)strlen(word);
    list_fields(f->kind, all, sizeof all);
    for (int i = 0; i < FIELDS; i++) {
        const bool named = strlen(fields[i].name) == (size_t)length && !strncmp(word, fields[i].name, (size_t)length);
        if (!named || !value || !(fields[i].of & 1u << f->kind)) continue;
        if (*given & 1u << i) return base_fail(e, BASE_USAGE, "--inject: %s= is given twice", fields[i].name);
        *given |= 1u << i;
        if (set_value(f, &fields[i], value + 1)) return BASE_OK;
        if (fields[i].type == TEXT)
            return base_fail(e, BASE_USAGE, "--inject: phase=\"%.40s\" takes 1 to %d characters", value + 1,
                             INJECT_PHASE - 1);
        return base_fail(e, BASE_USAGE, "--inject: %s=\"%.40s\" is not a %snumber from %g to %g", fields[i].name,
                         value + 1, fields[i].type == WHOLE ? "whole " : "", fields[i].min, fields[i].max);
    }
    return base_fail(e, BASE_USAGE, "--inject: \"%.40s\" is no field of %s, which takes NAME=VALUE of %s", word,
                     kinds[f->kind], all);
}

static int check(const struct inject_fault *f, unsigned given, int ranks, int nodes, struct base_error *e) {
    const char *kind = kinds[f->kind];
    if ((f->rank >= 0) == (f->node >= 0))
        return base_fail(e, BASE_USAGE, "--inject: %s needs either rank=N or node=N", kind);
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].needs & 1u << f->kind && !(given & 1u << i))
            return base_fail(e, BASE_USAGE, "--inject: %s needs %s=", kind, fields[i].name);
    if (f->kind == INJECT_HANG && f->step < 0 && !f->phase[0])
        return base_fail(e, BASE_USAGE, "--inject: hang needs step=N or phase=NAME");
    const bool by_rank = f->rank >= 0;
    const int most = by_rank ? ranks : nodes, one = by_rank ? f->rank : f->node,
              highest = one > f->peer ? one : f->peer;
    if (highest < most && one != f->peer) return BASE_OK;
    if (one == f->peer) return base_fail(e, BASE_USAGE, "--inject: link joins %d with itself", one);
    return base_fail(e, BASE_USAGE, "--inject: %s %d does not exist: this run has %s 0 to %d",
                     by_rank ? "rank" : "node", highest, by_rank ? "ranks" : "nodes", most - 1);
}

/* "kind:name=value,name=value" */
static int read_fault(struct inject_fault *f, char *text, int ranks, int nodes, struct base_error *e) {
    char *rest = strchr(text, ':'), *word;
    unsigned given = 0;
    int code = BASE_OK;
    if (rest) *rest++ = '\0';
    const int kind = base_text_find(text, kinds, INJECT_KINDS);
    if (kind < 0)
        return base_fail(e, BASE_USAGE, "--inject: \"%.40s\" is no fault; take slow, memory, link, bitflip or hang",
                         text);
    *f = (struct inject_fault){.kind = (enum inject_kind)kind,
                               .rank = -1,
                               .node = -1,
                               .peer = -1,
                               .step = -1,
                               .times = 1,
                               .factor = 1,
                               .seconds = INFINITY};
    while (!code && (word = strsep(&rest, ","))) code = read_field(f, word, &given, e);
    return code ? code : check(f, given, ranks, nodes, e);
}

int inject_read(const char *text, int ranks, int nodes, struct inject_fault *faults, int *count, struct base_error *e) {
    char copy[512], *rest = copy, *one;
    int code = BASE_OK;
    *count = 0;
    if (strlen(text) >= sizeof copy)
        return base_fail(e, BASE_USAGE, "--inject: %zu characters; take at most %zu", strlen(text), sizeof copy - 1);
    memcpy(copy, text, strlen(text) + 1);
    while (!code && (one = strsep(&rest, "+"))) {
        if (*count == INJECT_MOST) return base_fail(e, BASE_USAGE, "--inject: more than %d faults", INJECT_MOST);
        code = read_fault(&faults[(*count)++], one, ranks, nodes, e);
    }
    return code;
}
