/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as people and spreadsheets of several languages write them: 1234.5, 1,234.5, 1.234,5, 1 234,5, 1'234.5. An
 * ambiguous number is refused, unless the rest of the table settles it. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "records/csv.h"

enum { LONGEST = 64, ROOM = LONGEST + 16 };

/* A number split into digits and marks. */
struct figure {
    char plain[ROOM];   /* in strtod's form, the last mark read as decimal */
    char without[ROOM]; /* the same, the last mark read as grouping */
    bool either;        /* ambiguous: its one mark may group thousands or begin decimals */
    char mark;          /* the ambiguous mark or the decimal mark; 0: a whole number */
    bool number;
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of a mark that can only group digits: blanks of any width in UTF-8 or Latin-1, and apostrophes. 0: none. */
static int grouping(const char *at) {
    static const char *const marks[] = {" ", "'", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89", "\xe2\x80\x99", "\xa0"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (!strncmp(at, marks[i], strlen(marks[i]))) return (int)strlen(marks[i]);
    return 0;
}

/* Copies the number up to its exponent to `digits`, with each mark as one of ".,'". Returns the rest; NULL: not a
 * number. */
static const char *take_apart(const char *text, char digits[LONGEST]) {
    int n = 0;
    while (*text && *text != 'e' && *text != 'E') {
        const int skip = grouping(text);
        if (!skip && !is_digit(*text) && *text != '.' && *text != ',') return NULL;
        if (n == LONGEST - 1) return NULL;
        digits[n++] = skip ? '\'' : *text;
        text += skip ? skip : 1;
    }
    digits[n] = '\0';
    return text;
}

static int count(const char *text, char c) {
    int n = 0;
    for (; *text; text++) n += *text == c;
    return n;
}

/* Whether `mark` separates groups of three digits up to `end`, after a first group of one to three. */
static bool groups(const char *digits, const char *end, char mark) {
    int run = 0;
    bool first = true;
    for (const char *at = digits; at <= end; at++) {
        if (at < end && is_digit(*at)) {
            run++;
            continue;
        }
        if (at < end && *at != mark) return false;
        if (first ? run < 1 || run > 3 : run != 3) return false;
        first = false, run = 0;
    }
    return true;
}

/* Finds the decimal mark (0: none) and the grouping mark. False: the digits are not written as a number. */
static bool marks(const char *digits, char *decimal, char *group, bool *either) {
    const int points = count(digits, '.'), commas = count(digits, ','), others = count(digits, '\'');
    const char *point = strrchr(digits, '.'), *comma = strrchr(digits, ',');
    const char last = points && commas ? (point > comma ? '.' : ',') : points ? '.' : ',';
    const int lasts = last == '.' ? points : commas, rest = points + commas - lasts;
    *decimal = *group = 0, *either = false;
    if (others) *group = '\'';
    if (rest) *group = last == '.' ? ',' : '.';
    if (others && rest) return false;
    if (lasts > 1) { /* can only be grouping: 1.234.567 */
        *group = last;
        return !others && !rest && groups(digits, digits + strlen(digits), last);
    }
    if (lasts == 1) *decimal = last;
    const char *end = lasts == 1 ? strchr(digits, last) : digits + strlen(digits);
    if (*group) return groups(digits, end, *group);
    *either = lasts == 1 && *digits != '0' && groups(digits, digits + strlen(digits), last);
    return true;
}

static struct figure figure_of(const char *text) {
    struct figure f = {.number = false};
    char digits[LONGEST], decimal, group;
    const char *sign = *text == '-' ? "-" : "", *rest;
    if (*text == '-' || *text == '+') text++;
    rest = take_apart(text, digits);
    if (!rest || !digits[strcspn(digits, "0123456789")] || strlen(rest) > 8) return f;
    if (!marks(digits, &decimal, &group, &f.either)) return f;
    if (*rest) f.either = false; /* no one groups digits before an exponent */
    size_t n = strlen(strcpy(f.plain, sign)), m = strlen(strcpy(f.without, sign));
    for (const char *at = digits; *at; at++) {
        if (is_digit(*at)) f.plain[n++] = f.without[m++] = *at;
        if (*at == decimal) f.plain[n++] = '.';
    }
    strcpy(f.plain + n, rest), strcpy(f.without + m, rest);
    char *end;
    const double x = strtod(f.plain, &end);
    f.mark = decimal;
    f.number = !*end && isfinite(x);
    return f;
}

void record_csv_decide(struct record_csv *csv) {
    bool points = false, commas = false;
    for (int i = csv->columns; i < (csv->rows + 1) * csv->columns; i++) {
        const struct figure f = figure_of(csv->cells[i]);
        if (!f.number || f.either) continue;
        points |= f.mark == '.', commas |= f.mark == ',';
    }
    if (csv->separator == ',')
        csv->decimal = '.';
    else if (points != commas)
        csv->decimal = points ? '.' : ',';
    else
        csv->decimal = csv->separator == ';' && !points ? ',' : 0;
}

int record_csv_number(const struct record_csv *csv, int row, int column, double low, double high, double *value,
                      struct base_error *e) {
    const char *text = record_csv_cell(csv, row, column);
    if (!*text) return BASE_OK;
    const struct figure f = figure_of(text);
    const char *name = csv->cells[column];
    const int line = csv->lines[row + 1];
    if (!f.number) return base_fail(e, BASE_USAGE, "%s:%d: %s \"%.40s\" is not a number", csv->path, line, name, text);
    if (f.either && f.mark != csv->decimal)
        return base_fail(e, BASE_USAGE, "%s:%d: %s \"%.40s\" could mean %s or %s; write %s or %s0", csv->path, line,
                         name, text, f.without, f.plain, f.without, f.plain);
    const double x = strtod(f.plain, NULL);
    if (x < low || x > high)
        return base_fail(e, BASE_USAGE, "%s:%d: %s %s is out of range; take %g to %g", csv->path, line, name, text, low,
                         high);
    *value = x;
    return BASE_OK;
}
