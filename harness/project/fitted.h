/* SPDX-License-Identifier: Apache-2.0
 *
 * The result of a fit as a file of the catalogue, parameters.json: parameters, intervals, the rival's rates, and the
 * runs that they come from. */
#ifndef TOISE_PROJECT_FITTED_H
#define TOISE_PROJECT_FITTED_H

#include <jansson.h>

#include "base/catalog.h"
#include "project/score.h"

struct project_fitted {
    struct project_parameters parameters;
    struct project_intervals intervals;
    double naive_share[PROJECT_OTHER_DEVICE + 1]; /* of peak, by device; NAN: no runs */
    char path[BASE_CATALOG_PATH], date[32];
    json_t *runs; /* {source: [id, ...]}: what was fitted on */
};

/* path: NULL is the catalogue's. BASE_USAGE names file, field and fix: unreadable, a parameter that is missing, unknown
 * or not positive, quantiles out of order. Free it in any case. */
int project_fitted_read(const char *path, struct project_fitted *f, struct base_error *e);
void project_fitted_free(struct project_fitted *f);

/* Fits on the rows of weight > 0: parameters, intervals by `residuals` (of those rows, in their order), rates, runs. */
int project_fitted_make(const struct project_runs *runs, const struct project_fit_row *rows,
                        const struct project_parameters *parameters, const double *fold, const double *source,
                        struct project_fitted *f, struct base_error *e);
/* The path of the catalogue's file, there or not. */
int project_fitted_place(char path[BASE_CATALOG_PATH], struct base_error *e);
/* Writes a file that project_fitted_read takes; `scores` go with it, for people. BASE_BROKEN. */
int project_fitted_write(const char *path, const struct project_fitted *f, const json_t *scores, struct base_error *e);

/* Whether the parameters were fitted on this run: then its error is in-sample. */
bool project_fitted_on(const struct project_fitted *f, const struct project_run *run);

#endif
