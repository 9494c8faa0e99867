/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the cells of a table of runs, for published.c. Errors of a row name no file and line. */
#ifndef TOISE_FIT_PUBLISHED_COLUMNS_H
#define TOISE_FIT_PUBLISHED_COLUMNS_H

#include "fit/published.h"

/* BASE_USAGE with file and line: an unknown or missing column. */
int fit_columns_check(const struct record_csv *csv, struct base_error *e);
/* Turns spreadsheets' booleans into True and False: TRUE, and the French and German words. */
void fit_columns_normalise(struct fit_runs *r);

/* Check the words of tier and complete; of all columns. BASE_USAGE: an unknown word. */
int fit_columns_kind(const struct fit_runs *r, int row, struct base_error *e);
int fit_columns_words(const struct fit_runs *r, int row, struct base_error *e);
/* Unknown numbers are NAN. BASE_USAGE: not a number, out of range, or not whole. */
int fit_columns_numbers(const struct fit_runs *r, int row, double x[FIT_NUMBERS], struct base_error *e);
/* BASE_USAGE: a size is blank, or the time and all rates are. */
int fit_columns_known(const double x[FIT_NUMBERS], struct base_error *e);
/* Traits that columns state override those that follow from words. */
void fit_columns_overrule(const struct fit_runs *r, int row, const double x[FIT_NUMBERS], struct cost_traits *p);

#endif
