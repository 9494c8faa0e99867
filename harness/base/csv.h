/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of comma separated values (RFC 4180) with a header line: quoted fields may hold commas, line ends and doubled
 * quotes. Read whole; lines are counted for messages. */
#ifndef TOISE_BASE_CSV_H
#define TOISE_BASE_CSV_H

#include "base/error.h"

struct base_csv {
    char *text;   /* the file, cut into fields in place */
    char **cells; /* [rows + 1][columns], the header first; blanks around a field are kept out, "" is a blank cell */
    int *lines;   /* [rows + 1]: where each begins, from 1 */
    int rows, columns;
    const char *path; /* as given; the caller's */
};

/* BASE_USAGE with file and line: unreadable, no header, a column twice, a row of another width, an open quote. */
int base_csv_read(struct base_csv *csv, const char *path, struct base_error *e);
void base_csv_free(struct base_csv *csv);
/* -1: there is no such column. */
int base_csv_column(const struct base_csv *csv, const char *name);
/* Cell of row 0 .. rows-1; "" where the column is -1. */
const char *base_csv_cell(const struct base_csv *csv, int row, int column);
/* The cell as a number; *value is left alone when it is blank. BASE_USAGE with file, line and column: no number, or
 * outside [low, high]. */
int base_csv_number(const struct base_csv *csv, int row, int column, double low, double high, double *value,
                    struct base_error *e);

#endif
