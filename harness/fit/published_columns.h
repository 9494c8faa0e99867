/* SPDX-License-Identifier: Apache-2.0
 *
 * The cells of a table of runs; for published.c. Errors of a row are worded without its place. */
#ifndef TOISE_FIT_PUBLISHED_COLUMNS_H
#define TOISE_FIT_PUBLISHED_COLUMNS_H

#include "fit/published.h"

/* BASE_USAGE with file and line: a column that is unknown, or missing. */
int fit_columns_check(const struct record_csv *csv, struct base_error *e);
/* Booleans as spreadsheets write them become True and False: TRUE, and in French and German. */
void fit_columns_normalise(struct fit_runs *r);

/* Words of tier and complete; of all columns. BASE_USAGE: none of those a cell may hold. */
int fit_columns_kind(const struct fit_runs *r, int row, struct base_error *e);
int fit_columns_words(const struct fit_runs *r, int row, struct base_error *e);
/* NAN where unknown. BASE_USAGE: no number, out of range, or a part of something whole. */
int fit_columns_numbers(const struct fit_runs *r, int row, double x[FIT_NUMBERS], struct base_error *e);
/* BASE_USAGE: a size is blank, or time and rates are. */
int fit_columns_known(const double x[FIT_NUMBERS], struct base_error *e);
/* What columns state overrules what words came to. */
void fit_columns_overrule(const struct fit_runs *r, int row, const double x[FIT_NUMBERS], struct cost_traits *p);

#endif
