/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of values with a header line, separated by commas (RFC 4180), or as spreadsheets of other languages write it,
 * by semicolons or tabs: by the one that the header has, or as a line "sep=;" above it says. Quoted fields may hold
 * separators, line ends and doubled quotes. Read whole; lines are counted for messages. A row of separators alone is
 * empty; one of another width than the header has a fault, and the others are read. */
#ifndef TOISE_RECORDS_CSV_H
#define TOISE_RECORDS_CSV_H

#include "base/error.h"

struct record_csv {
    char *text;    /* the file, cut into fields in place */
    char **cells;  /* [rows + 1][columns], the header first; blanks around a field are kept out, "" is a blank cell */
    int *lines;    /* [rows + 1]: where each begins, from 1 */
    char **faults; /* [rows + 1]: why a row cannot be used; NULL: it can */
    int rows, columns;
    char separator;
    char decimal;     /* the mark of "1.234" where it could be 1234, by the other figures; 0: they do not tell */
    const char *path; /* as given; the caller's */
};

/* BASE_USAGE with file and line: unreadable, UTF-16, no header, two kinds of separators in it, a column twice or
 * without a name, an open quote. */
int record_csv_read(struct record_csv *csv, const char *path, struct base_error *e);
void record_csv_free(struct record_csv *csv);
/* -1: there is no such column. */
int record_csv_column(const struct record_csv *csv, const char *name);
/* Cell of row 0 .. rows-1; "" where the column is -1. */
const char *record_csv_cell(const struct record_csv *csv, int row, int column);
/* The cell as a number; *value is left alone when it is blank. Groups of thousands (1 234, 1'234, 1.234.567) and
 * decimal commas are read where they can be nothing else; "1.234" and "1,234" by csv->decimal. BASE_USAGE with file,
 * line and column: no number, one that may be either, or outside [low, high]. */
int record_csv_number(const struct record_csv *csv, int row, int column, double low, double high, double *value,
                      struct base_error *e);
/* For csv.c: fills csv->decimal. */
void record_csv_decide(struct record_csv *csv);

#endif
