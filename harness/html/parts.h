/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sections of the page share. Only html/ includes it. */
#ifndef TOISE_HTML_PARTS_H
#define TOISE_HTML_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#include "html/html.h"

enum { HTML_ROWS = 200 }; /* of a table; more are counted, not shown */

struct html_page {
    FILE *out;
    const struct html_input *input;
    bool plain;   /* no gnuplot */
    int drawings; /* so far: their elements need names of their own */
};

/* Text as HTML: special characters are escaped, control characters become "?". */
void html_text(FILE *out, const char *text);
/* Starts a section, which appears in the list at the top; sections are not nested. */
void html_section(struct html_page *page, const char *id, const char *title);
void html_section_end(struct html_page *page);

/* A table. `heads`: names of the columns, separated by '|'; those that start with '#' are of numbers. */
void html_table(struct html_page *page, const char *caption, const char *heads);
/* After the last row. left_out: rows that are not shown. */
void html_table_end(struct html_page *page, long left_out);
void html_row(struct html_page *page);
/* A cell of the row. The text is escaped; a number that is NAN is a dash. record: index of the record to link to; -1:
 * none. */
void html_cell(struct html_page *page, const char *text);
void html_number(struct html_page *page, long record, double x, const char *format) __attribute__((nonnull(4)));
void html_linked(struct html_page *page, long record, const char *text);
/* "[low, high]"; a dash if either is NAN. */
void html_interval(struct html_page *page, double low, double high, const char *format) __attribute__((nonnull(4)));
/* A JSON value: a text without its quotes, "unknown" for null. Not a cell. */
void html_value(struct html_page *page, const json_t *value);
/* A status as a coloured word. */
void html_status(struct html_page *page, const char *status);

/* The record at an index. */
const json_t *html_at(const struct html_page *page, long record);
/* Index of the record with this hash; -1: none. */
long html_record(const struct html_page *page, const char *sha256);
/* The next record of a kind from `from` on; -1: none. */
long html_next(const struct html_page *page, const char *kind, long from);

/* A drawing: a gnuplot script is written to the file that html_drawing returns; NULL: no drawings, so write none. The
 * file must be given to html_drawing_end, which draws it. `alt` says in a sentence what it shows. */
FILE *html_drawing(struct html_page *page, int height);
void html_drawing_end(struct html_page *page, FILE *script, const char *alt, const char *caption);

/* Records of a kind as points of a drawing, a line or colour for each key. More keys than HTML_SERIES are left out, and
 * the caption says so. */
enum { HTML_SERIES = 12, HTML_CAPTION = 256 };
struct html_point {
    char key[256], title[128];
    double x, y;
};
typedef bool html_point_of(const json_t *record, struct html_point *); /* false: the record has no point */
struct html_series {
    const char *kind;
    html_point_of *point_of;
    struct html_point first[HTML_SERIES]; /* the first point of each key */
    int count;
    bool left_out; /* there are more keys */
};
/* Returns the number of keys. */
int html_series_find(const struct html_page *page, const char *kind, html_point_of *point_of, struct html_series *s);
/* The points as gnuplot's data blocks, to be written before html_series_plot: the start of its plot command. `with` as
 * in "points". */
void html_series_data(const struct html_page *page, const struct html_series *s, FILE *script);
void html_series_plot(const struct html_series *s, const char *with, FILE *script);
/* The caption, with a sentence about keys left out. */
const char *html_series_caption(const struct html_series *s, const char *caption, char text[HTML_CAPTION]);

/* The sections. Each prints nothing if no record has what it shows. */
void html_headline(struct html_page *page);
void html_steps(struct html_page *page);
void html_kernels(struct html_page *page);
void html_collectives(struct html_page *page);
void html_comparison(struct html_page *page);
void html_scale(struct html_page *page);
void html_acceptance(struct html_page *page);
void html_nodes(struct html_page *page);
void html_machines(struct html_page *page);
void html_records(struct html_page *page);

#endif
