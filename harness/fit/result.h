/* SPDX-License-Identifier: Apache-2.0
 *
 * The result of a fit, kept in the catalogue's parameters.json: parameters, intervals, rates of the baseline, and the
 * runs that they were fitted on. */
#ifndef TOISE_FIT_RESULT_H
#define TOISE_FIT_RESULT_H

#include <jansson.h>

#include "fit/score.h"
#include "records/catalog.h"

struct fit_result {
    struct cost_parameters parameters;
    struct fit_intervals intervals;
    double naive_share[FIT_RATES]; /* shares of the peak (fit_naive_rate); NAN: no runs */
    char path[RECORD_CATALOG_PATH], date[32];
    json_t *runs; /* {source: [id, ...]}: the fitted runs */
};

/* path NULL: the catalogue's. BASE_USAGE names file, field and fix: an unreadable file, a parameter that is missing,
 * unknown or not positive, or quantiles out of order. Free *f also after an error. */
int fit_result_read(const char *path, struct fit_result *f, struct base_error *e);
void fit_result_free(struct fit_result *f);

/* Collects the result of a fit on the rows of weight > 0: parameters, intervals, rates, runs. fold and source
 * ([runs->count]) are the seconds predicted without each run's tenth and without its source. */
int fit_result_make(const struct fit_runs *runs, const struct fit_row *rows, const struct cost_parameters *parameters,
                    const double *fold, const double *source, struct fit_result *f, struct base_error *e);
/* The path of the catalogue's file, even if it does not exist. */
int fit_result_place(char path[RECORD_CATALOG_PATH], struct base_error *e);
/* Writes a file for fit_result_read. `scores` are added for people to read. BASE_BROKEN: it cannot be written. */
int fit_result_write(const char *path, const struct fit_result *f, const json_t *scores, struct base_error *e);

/* Whether the parameters were fitted on this run, so that its error is in-sample. */
bool fit_result_on(const struct fit_result *f, const struct fit_run *run);

#endif
