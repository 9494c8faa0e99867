/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the file into memory. One pass then ends each field with a NUL and records where it begins. */
#include "records/csv.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

/* State of the pass. It reads at `at` and writes at `to`, which falls behind since doubled quotes shrink. */
struct reader {
    struct record_csv *csv;
    char *at, *to;
    int line, room, used;   /* used: cells so far; room: capacity */
    char blanks[3], end[4]; /* trimmed around a field; characters that end one */
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
    return base_fail(r->e, BASE_USAGE, "%s:%d: this quote is never closed", r->csv->path, began);
}

/* A formatted copy; NULL: out of memory. */
static char *format_copy(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

static bool is_in(char c, const char *set) {
    return c && strchr(set, c);
}

/* Skips what follows a closing quote. Anything but blanks there is a fault. */
static void skip_after_quote(struct reader *r, char **fault) {
    while (is_in(*r->at, r->blanks)) r->at++;
    if (!*r->at || is_in(*r->at, r->end)) return;
    if (!*fault)
        *fault =
            format_copy("\"%.*s\" follows a closing quote; quote the whole field", (int)strcspn(r->at, r->end), r->at);
    r->at += strcspn(r->at, r->end);
}

/* Reads one field; *last: it ends the row. */
static int field(struct reader *r, bool *last, char **fault) {
    char *begin;
    int code = BASE_OK;
    while (is_in(*r->at, r->blanks)) r->at++;
    begin = r->to = r->at;
    if (*r->at == '"') {
        code = quoted(r);
        if (!code) skip_after_quote(r, fault);
    } else {
        r->at += strcspn(r->at, r->end);
        r->to = r->at;
        while (r->to > begin && is_in(r->to[-1], r->blanks)) r->to--;
    }
    *last = *r->at != r->csv->separator;
    if (*r->at == '\r' && r->at[1] == '\n') r->at++;
    if (is_in(*r->at, "\r\n")) r->line++;
    if (*r->at) r->at++;
    *r->to = '\0';
    return code ? code : keep(r, begin);
}

/* Number of fields up to the last one that is not blank. */
static int width_of(char *const *cells, int count) {
    while (count > 0 && !cells[count - 1][strspn(cells[count - 1], " \t,;")]) count--;
    return count;
}

/* Makes the row as wide as the header. A row of another width has a fault. */
static int fit_row(struct reader *r, int before, char **fault) {
    static char blank[] = "";
    const struct record_csv *c = r->csv;
    const int width = r->used - before;
    int code = BASE_OK;
    if (!*fault && width < c->columns) *fault = format_copy("%d fields, but the header has %d", width, c->columns);
    if (!*fault && width > c->columns && width_of(c->cells + before, width) > c->columns)
        *fault = format_copy("%d fields, but the header has %d; quote fields that contain a %s", width, c->columns,
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
    if (!code) code = fit_row(r, before, &fault);
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

/* Reads a spreadsheet's line "sep=;", quoted or not. False: there is none. */
static bool read_separator_line(struct reader *r) {
    const char *at = r->at + (*r->at == '"');
    if (strncasecmp(at, "sep=", 4) || !at[4] || is_in(at[4], "\r\n")) return false;
    r->csv->separator = at[4];
    r->at += strcspn(r->at, "\r\n");
    return true;
}

/* Finds the separator: the one that the first line has outside quotes. */
static int find_separator(struct reader *r) {
    struct record_csv *c = r->csv;
    int commas = 0, semicolons = 0, tabs = 0;
    bool quote = false;
    if (read_separator_line(r)) {
        if (!is_in(c->separator, ",;\t|"))
            return base_fail(r->e, BASE_USAGE, "%s:1: sep=%c: use a comma, a semicolon, a tab or a |", c->path,
                             c->separator);
        return BASE_OK;
    }
    const char *at = r->at + strspn(r->at, "\r\n\t ,;");
    for (; *at && (quote || !is_in(*at, "\r\n")); at++) {
        if (*at == '"') quote = !quote;
        if (quote) continue;
        commas += *at == ',', semicolons += *at == ';', tabs += *at == '\t';
    }
    if (commas && semicolons)
        return base_fail(
            r->e, BASE_USAGE,
            "%s: the header line has commas and semicolons; use one of them, or put a line sep=; or sep=, above it",
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
    if (c->rows < 0)
        return base_fail(e, BASE_USAGE, "%s: the file is empty; its first line must name the columns", c->path);
    if (c->faults[0]) return base_fail(e, BASE_USAGE, "%s:%d: %s", c->path, c->lines[0], c->faults[0]);
    for (int i = 0; i < c->columns; i++) {
        if (!*c->cells[i])
            return base_fail(e, BASE_USAGE, "%s:%d: column %d has no name; name it or remove it", c->path, c->lines[0],
                             i + 1);
        if (is_figure(c->cells[i]))
            return base_fail(e, BASE_USAGE,
                             "%s:%d: column %d is named \"%.20s\"; put a line of column names above the rows", c->path,
                             c->lines[0], i + 1, c->cells[i]);
        if (record_csv_column(c, c->cells[i]) != i)
            return base_fail(e, BASE_USAGE, "%s:%d: column \"%s\" appears twice", c->path, c->lines[0], c->cells[i]);
    }
    return BASE_OK;
}

/* Skips the byte-order mark; refuses what is not UTF-8 text. */
static int open_text(struct record_csv *csv, size_t size, char **text, struct base_error *e) {
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8's byte-order mark, which spreadsheets write */
    *text = csv->text;
    if (!strncmp(*text, "\xff\xfe", 2) || !strncmp(*text, "\xfe\xff", 2))
        return base_fail(e, BASE_USAGE, "%s: is UTF-16 (\"Unicode text\" of spreadsheets); save it as CSV in UTF-8",
                         csv->path);
    if (memchr(*text, '\0', size))
        return base_fail(e, BASE_USAGE, "%s: is not a text file; save the table as CSV in UTF-8", csv->path);
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
    if (!code) code = find_separator(&r);
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
