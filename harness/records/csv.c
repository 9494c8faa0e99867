/* SPDX-License-Identifier: Apache-2.0
 *
 * The file in memory, then one pass that ends each field with a NUL and keeps where it began. */
#include "records/csv.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

/* The pass: `at` reads, `to` writes behind it, since a doubled quote shrinks. */
struct reader {
    struct record_csv *csv;
    char *at, *to;
    int line, room, used;   /* of cells */
    char blanks[3], end[4]; /* kept out around a field; what ends one */
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

/* A copy of the text; NULL without memory. */
static char *worded(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

static bool among(char c, const char *set) {
    return c && strchr(set, c);
}

/* What stands behind a closing quote is no part of the field: a fault. */
static void pass_by(struct reader *r, char **fault) {
    while (among(*r->at, r->blanks)) r->at++;
    if (!*r->at || among(*r->at, r->end)) return;
    if (!*fault)
        *fault = worded("\"%.*s\" follows a closing quote; quote the whole field", (int)strcspn(r->at, r->end), r->at);
    r->at += strcspn(r->at, r->end);
}

/* One field; *last: the row ends after it. */
static int field(struct reader *r, bool *last, char **fault) {
    char *begin;
    int code = BASE_OK;
    while (among(*r->at, r->blanks)) r->at++;
    begin = r->to = r->at;
    if (*r->at == '"') {
        code = quoted(r);
        if (!code) pass_by(r, fault);
    } else {
        r->at += strcspn(r->at, r->end);
        r->to = r->at;
        while (r->to > begin && among(r->to[-1], r->blanks)) r->to--;
    }
    *last = *r->at != r->csv->separator;
    if (*r->at == '\r' && r->at[1] == '\n') r->at++;
    if (among(*r->at, "\r\n")) r->line++;
    if (*r->at) r->at++;
    *r->to = '\0';
    return code ? code : keep(r, begin);
}

/* Fields up to the last that is not blank. */
static int width_of(char *const *cells, int count) {
    while (count > 0 && !cells[count - 1][strspn(cells[count - 1], " \t,;")]) count--;
    return count;
}

/* The row's fields are as many as the header's, or it has a fault. */
static int fit(struct reader *r, int before, char **fault) {
    static char blank[] = "";
    const struct record_csv *c = r->csv;
    const int width = r->used - before;
    int code = BASE_OK;
    if (!*fault && width < c->columns) *fault = worded("%d fields where the header has %d", width, c->columns);
    if (!*fault && width > c->columns && width_of(c->cells + before, width) > c->columns)
        *fault = worded("%d fields where the header has %d; quote a field that holds a %s", width, c->columns,
                        c->separator == '\t'  ? "tab"
                        : c->separator == ';' ? "semicolon"
                                              : "comma");
    while (r->used - before < c->columns && !code) code = keep(r, blank);
    r->used = before + c->columns;
    return code;
}

static int row(struct reader *r) {
    struct record_csv *c = r->csv;
    const int line = r->line, before = r->used;
    char *fault = NULL;
    int code = BASE_OK;
    for (bool last = false; !last && !code;) code = field(r, &last, &fault);
    const int width = code ? 0 : width_of(c->cells + before, r->used - before);
    if (!code && width == 0 && !fault) { /* an empty line */
        r->used = before;
        return BASE_OK;
    }
    if (c->rows < 0) {
        c->columns = width;
        r->used = before + width;
    }
    if (!code) code = fit(r, before, &fault);
    int *lines = code ? NULL : realloc(c->lines, (size_t)(c->rows + 2) * sizeof *lines);
    if (lines) c->lines = lines;
    char **faults = lines ? realloc(c->faults, (size_t)(c->rows + 2) * sizeof *faults) : NULL;
    if (!faults) {
        free(fault);
        return code ? code : base_fail(r->e, BASE_BROKEN, "out of memory for %s", c->path);
    }
    c->faults = faults;
    lines[++c->rows] = line;
    faults[c->rows] = fault;
    return BASE_OK;
}

/* A line "sep=;" of spreadsheets; quoted too. false: there is none. */
static bool stated(struct reader *r) {
    const char *at = r->at + (*r->at == '"');
    if (strncasecmp(at, "sep=", 4) || !at[4] || among(at[4], "\r\n")) return false;
    r->csv->separator = at[4];
    r->at += strcspn(r->at, "\r\n");
    return true;
}

/* The separator that the first line has outside of quotes. */
static int separate(struct reader *r) {
    struct record_csv *c = r->csv;
    int commas = 0, semicolons = 0, tabs = 0;
    bool quote = false;
    if (stated(r)) {
        if (!among(c->separator, ",;\t|"))
            return base_fail(r->e, BASE_USAGE, "%s:1: sep=%c: take a comma, a semicolon, a tab or a |", c->path,
                             c->separator);
        return BASE_OK;
    }
    const char *at = r->at + strspn(r->at, "\r\n\t ,;");
    for (; *at && (quote || !among(*at, "\r\n")); at++) {
        if (*at == '"') quote = !quote;
        if (quote) continue;
        commas += *at == ',', semicolons += *at == ';', tabs += *at == '\t';
    }
    if (commas && semicolons)
        return base_fail(
            r->e, BASE_USAGE,
            "%s: the line of column names has commas and semicolons; separate by one of them, or put a line "
            "sep=; or sep=, above it",
            c->path);
    c->separator = semicolons ? ';' : tabs && !commas ? '\t' : ',';
    return BASE_OK;
}

static bool is_figure(const char *text) {
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

static int check_header(const struct record_csv *c, struct base_error *e) {
    if (c->rows < 0) return base_fail(e, BASE_USAGE, "%s: empty; the first line names the columns", c->path);
    if (c->faults[0]) return base_fail(e, BASE_USAGE, "%s:%d: %s", c->path, c->lines[0], c->faults[0]);
    for (int i = 0; i < c->columns; i++) {
        if (!*c->cells[i])
            return base_fail(e, BASE_USAGE, "%s:%d: column %d has no name; give it one, or leave the column out",
                             c->path, c->lines[0], i + 1);
        if (is_figure(c->cells[i]))
            return base_fail(
                e, BASE_USAGE,
                "%s:%d: column %d is called \"%.20s\"; put a line with the names of the columns above the rows",
                c->path, c->lines[0], i + 1, c->cells[i]);
        if (record_csv_column(c, c->cells[i]) != i)
            return base_fail(e, BASE_USAGE, "%s:%d: column \"%s\" stands there twice", c->path, c->lines[0],
                             c->cells[i]);
    }
    return BASE_OK;
}

/* The text behind its mark; what is no text is refused. */
static int open_text(struct record_csv *csv, size_t size, char **text, struct base_error *e) {
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as spreadsheets write it */
    *text = csv->text;
    if (!strncmp(*text, "\xff\xfe", 2) || !strncmp(*text, "\xfe\xff", 2))
        return base_fail(e, BASE_USAGE, "%s: UTF-16, as spreadsheets' \"Unicode text\"; save it as CSV in UTF-8",
                         csv->path);
    if (memchr(*text, '\0', size))
        return base_fail(e, BASE_USAGE, "%s: not a text file; save a table as CSV in UTF-8", csv->path);
    if (!strncmp(*text, mark, sizeof mark - 1)) *text += sizeof mark - 1;
    return BASE_OK;
}

int record_csv_read(struct record_csv *csv, const char *path, struct base_error *e) {
    *csv = (struct record_csv){.path = path, .rows = -1};
    size_t size;
    int code = base_file_read(path, &csv->text, &size, e);
    if (code) return code;
    struct reader r = {.csv = csv, .line = 1, .e = e};
    code = open_text(csv, size, &r.at, e);
    if (!code) code = separate(&r);
    snprintf(r.blanks, sizeof r.blanks, csv->separator == '\t' ? " " : " \t");
    snprintf(r.end, sizeof r.end, "%c\r\n", csv->separator);
    while (!code && *r.at) code = row(&r);
    if (!code) code = check_header(csv, e);
    if (!code) record_csv_decide(csv);
    if (code) record_csv_free(csv);
    return code;
}

void record_csv_free(struct record_csv *csv) {
    for (int i = 0; csv->faults && i <= csv->rows; i++) free(csv->faults[i]);
    free(csv->text);
    free(csv->faults);
    free(csv->cells);
    free(csv->lines);
    *csv = (struct record_csv){0};
}

int record_csv_column(const struct record_csv *csv, const char *name) {
    for (int i = 0; i < csv->columns; i++)
        if (!strcmp(csv->cells[i], name)) return i;
    return -1;
}

const char *record_csv_cell(const struct record_csv *csv, int row, int column) {
    return column < 0 ? "" : csv->cells[(size_t)(row + 1) * (size_t)csv->columns + (size_t)column];
}
