/* SPDX-License-Identifier: Apache-2.0
 *
 * The result of a fit as a file of the catalogue, parameters.json: parameters, intervals, the rival's rates, and the
 * runs that they come from. */
#ifndef TOISE_FIT_RESULT_H
#define TOISE_FIT_RESULT_H

#include <jansson.h>

#include "fit/score.h"
#include "records/catalog.h"

struct fit_result {
    struct cost_parameters parameters;
    struct fit_intervals intervals;
    double naive_share[MACHINE_CLASSES]; /* of peak, by device class; NAN: no runs */
    char path[RECORD_CATALOG_PATH], date[32];
    json_t *runs; /* {source: [id, ...]}: what was fitted on */
};

/* path: NULL is the catalogue's. BASE_USAGE names file, field and fix: unreadable, a parameter that is missing, unknown
 * or not positive, quantiles out of order. Free it in any case. */
int fit_result_read(const char *path, struct fit_result *f, struct base_error *e);
void fit_result_free(struct fit_result *f);

/* Fits on the rows of weight > 0: parameters, intervals by `residuals` (of those rows, in their order), rates, runs. */
int fit_result_make(const struct fit_runs *runs, const struct fit_row *rows, const struct cost_parameters *parameters,
                    const double *fold, const double *source, struct fit_result *f, struct base_error *e);
/* The path of the catalogue's file, there or not. */
int fit_result_place(char path[RECORD_CATALOG_PATH], struct base_error *e);
/* Writes a file that fit_result_read takes; `scores` go with it, for people. BASE_BROKEN. */
int fit_result_write(const char *path, const struct fit_result *f, const json_t *scores, struct base_error *e);

/* Whether the parameters were fitted on this run: then its error is in-sample. */
bool fit_result_on(const struct fit_result *f, const struct fit_run *run);

#endif
