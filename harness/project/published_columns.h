/* SPDX-License-Identifier: Apache-2.0
 *
 * The cells of a table of runs; for published.c. Errors of a row are worded without its place. */
#ifndef TOISE_PROJECT_PUBLISHED_COLUMNS_H
#define TOISE_PROJECT_PUBLISHED_COLUMNS_H

#include "project/published.h"

/* BASE_USAGE with file and line: a column that is unknown, or missing. */
int project_columns_check(const struct base_csv *csv, struct base_error *e);
/* Booleans as spreadsheets write them become True and False: TRUE, and in French and German. */
void project_columns_normalise(struct project_runs *r);

/* Words of tier and complete; of all columns. BASE_USAGE: none of those a cell may hold. */
int project_columns_kind(const struct project_runs *r, int row, struct base_error *e);
int project_columns_words(const struct project_runs *r, int row, struct base_error *e);
/* NAN where unknown. BASE_USAGE: no number, out of range, or a part of something whole. */
int project_columns_numbers(const struct project_runs *r, int row, double x[PROJECT_NUMBERS], struct base_error *e);
/* BASE_USAGE: a size is blank, or time and rates are. */
int project_columns_known(const double x[PROJECT_NUMBERS], struct base_error *e);
/* What columns state overrules what words came to. */
void project_columns_overrule(const struct project_runs *r, int row, const double x[PROJECT_NUMBERS],
                              struct project_practice *p);

#endif
