/* SPDX-License-Identifier: Apache-2.0
 *
 * The file in memory, then one pass that ends each field with a NUL and keeps where it began. */
#include "base/csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* The pass: `at` reads, `to` writes behind it, since a doubled quote shrinks. */
struct reader {
    struct base_csv *csv;
    char *at, *to;
    int line, room, used; /* of cells */
    struct base_error *e;
};

static int keep(struct reader *r, char *field) {
    if (r->used == r->room) {
        r->room = r->room ? 2 * r->room : 1024;
        char **more = realloc(r->csv->cells, (size_t)r->room * sizeof *more);
        if (!more) return base_fail(r->e, BASE_BROKEN, "out of memory for %s", r->csv->path);
        r->csv->cells = more;
    }
    r->csv->cells[r->used++] = field;
    return BASE_OK;
}

static int quoted(struct reader *r) {
    const int began = r->line;
    for (r->at++; *r->at; r->at++) {
        if (*r->at == '\n') r->line++;
        if (*r->at != '"')
            *r->to++ = *r->at;
        else if (*++r->at == '"')
            *r->to++ = '"';
        else
            return BASE_OK;
    }
    return base_fail(r->e, BASE_USAGE, "%s:%d: a quote that never closes", r->csv->path, began);
}

/* One field; *last: the row ends after it. */
static int field(struct reader *r, bool *last) {
    char *begin;
    int code = BASE_OK;
    while (*r->at == ' ' || *r->at == '\t') r->at++;
    begin = r->to = r->at;
    if (*r->at == '"') {
        code = quoted(r);
        while (*r->at == ' ' || *r->at == '\t') r->at++;
        if (!code && *r->at && !strchr(",\r\n", *r->at))
            code = base_fail(r->e, BASE_USAGE, "%s:%d: \"%.12s\" follows a closing quote; quote the whole field",
                             r->csv->path, r->line, r->at);
    } else {
        while (*r->at && !strchr(",\r\n", *r->at)) r->at++;
        r->to = r->at;
        while (r->to > begin && strchr(" \t", r->to[-1])) r->to--;
    }
    *last = *r->at != ',';
    if (*r->at == '\r' && r->at[1] == '\n') r->at++;
    if (*r->at == '\n') r->line++;
    if (*r->at) r->at++;
    *r->to = '\0';
    return code ? code : keep(r, begin);
}

static int row(struct reader *r) {
    struct base_csv *c = r->csv;
    const int line = r->line, before = r->used;
    int code = BASE_OK;
    for (bool last = false; !last && !code;) code = field(r, &last);
    const int width = r->used - before;
    if (code) return code;
    if (width == 1 && !*c->cells[before]) { /* an empty line */
        r->used = before;
        return BASE_OK;
    }
    if (c->rows >= 0 && width != c->columns)
        return base_fail(r->e, BASE_USAGE, "%s:%d: %d fields where the header has %d", c->path, line, width,
                         c->columns);
    c->columns = width;
    int *lines = realloc(c->lines, (size_t)(c->rows + 2) * sizeof *lines);
    if (!lines) return base_fail(r->e, BASE_BROKEN, "out of memory for %s", c->path);
    c->lines = lines;
    lines[++c->rows] = line;
    return BASE_OK;
}

static int check_header(const struct base_csv *c, struct base_error *e) {
    if (c->rows < 0) return base_fail(e, BASE_USAGE, "%s: empty; the first line names the columns", c->path);
    for (int i = 0; i < c->columns; i++)
        if (base_csv_column(c, c->cells[i]) != i)
            return base_fail(e, BASE_USAGE, "%s:%d: column \"%s\" stands there twice", c->path, c->lines[0],
                             c->cells[i]);
    return BASE_OK;
}

int base_csv_read(struct base_csv *csv, const char *path, struct base_error *e) {
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as spreadsheets write it */
    *csv = (struct base_csv){.path = path, .rows = -1};
    size_t size;
    int code = base_file_read(path, &csv->text, &size, e);
    if (!code && memchr(csv->text, '\0', size)) {
        base_csv_free(csv);
        code = base_fail(e, BASE_USAGE, "%s: not a text file", path);
    }
    if (code) return code;
    struct reader r = {.csv = csv, .at = csv->text, .line = 1, .e = e};
    if (!strncmp(r.at, mark, sizeof mark - 1)) r.at += sizeof mark - 1;
    while (*r.at && !code) code = row(&r);
    if (!code) code = check_header(csv, e);
    if (code) base_csv_free(csv);
    return code;
}

void base_csv_free(struct base_csv *csv) {
    free(csv->text);
    free(csv->cells);
    free(csv->lines);
    *csv = (struct base_csv){0};
}

int base_csv_column(const struct base_csv *csv, const char *name) {
    for (int i = 0; i < csv->columns; i++)
        if (!strcmp(csv->cells[i], name)) return i;
    return -1;
}

const char *base_csv_cell(const struct base_csv *csv, int row, int column) {
    return column < 0 ? "" : csv->cells[(size_t)(row + 1) * (size_t)csv->columns + (size_t)column];
}

int base_csv_number(const struct base_csv *csv, int row, int column, double low, double high, double *value,
                    struct base_error *e) {
    const char *text = base_csv_cell(csv, row, column);
    char *end;
    if (!*text) return BASE_OK;
    const double x = strtod(text, &end);
    const char *name = csv->cells[column];
    if (end == text || *end || !isfinite(x))
        return base_fail(e, BASE_USAGE, "%s:%d: %s \"%.40s\" is not a number", csv->path, csv->lines[row + 1], name,
                         text);
    if (x < low || x > high)
        return base_fail(e, BASE_USAGE, "%s:%d: %s %s is out of range; take %g to %g", csv->path, csv->lines[row + 1],
                         name, text, low, high);
    *value = x;
    return BASE_OK;
}
