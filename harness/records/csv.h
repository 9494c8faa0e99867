/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables with a header line. The separator is a comma (RFC 4180), a semicolon or a tab, as spreadsheets of other
 * languages write it. The header shows which, or a line "sep=;" above it states it. Quoted fields may hold separators,
 * line ends and doubled quotes. The whole file is read; lines are counted for messages. A row of separators alone is
 * empty. A row whose width differs from the header's has a fault, but the other rows are still read. */
#ifndef TOISE_RECORDS_CSV_H
#define TOISE_RECORDS_CSV_H

#include "base/error.h"

struct record_csv {
    char *text;    /* the file, cut into fields in place */
    char **cells;  /* [rows + 1][columns], the header first; trimmed, "" for a blank cell */
    int *lines;    /* [rows + 1]: the line on which each row begins, from 1 */
    char **faults; /* [rows + 1]: why the row cannot be used; NULL: it can */
    int rows, columns;
    char separator;
    char decimal;     /* the table's decimal mark, which settles ambiguous figures like "1.234"; 0: unknown */
    const char *path; /* as given; owned by the caller */
};

/* BASE_USAGE with file and line. Causes: unreadable, UTF-16, no header, two kinds of separators in the header, a column
 * without a name or twice, an unclosed quote. */
int record_csv_read(struct record_csv *csv, const char *path, struct base_error *e);
void record_csv_free(struct record_csv *csv);
/* The column's index; -1: no such column. */
int record_csv_column(const struct record_csv *csv, const char *name);
/* The cell of row 0 .. rows-1; "" if column is -1. */
const char *record_csv_cell(const struct record_csv *csv, int row, int column);
/* Reads the cell as a number; leaves *value alone if the cell is blank. Accepts groups of thousands (1 234, 1'234,
 * 1.234.567) and decimal commas if they are unambiguous. csv->decimal decides about "1.234" and "1,234". BASE_USAGE
 * with file, line and column: not a number, ambiguous, or outside [low, high]. */
int record_csv_number(const struct record_csv *csv, int row, int column, double low, double high, double *value,
                      struct base_error *e);
/* For csv.c: sets csv->decimal. */
void record_csv_decide(struct record_csv *csv);

#endif
