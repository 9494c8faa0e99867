/* SPDX-License-Identifier: Apache-2.0
 *
 * How wrong projections of published runs are: predictions by given or fitted parameters, by parameters that did not
 * see the run, and by a rival that knows no model. */
#ifndef TOISE_RUN_VALIDATE_H
#define TOISE_RUN_VALIDATE_H

#include "project/fitted.h"
#include "run/train.h"

enum run_validate_by {
    RUN_BY_PARAMETERS, /* of the file, or those just fitted: in-sample for the runs that they were fitted on */
    RUN_BY_TENTHS,     /* fitted without the run's tenth of the table */
    RUN_BY_SOURCES,    /* fitted without the run's source */
    RUN_BY_RATE,       /* one rate for each type of accelerator: the file's, or fitted without the run's source */
    RUN_BYS
};

/* What scores must keep to, else the answer is no; NAN: nothing asked. Shares, not percent. */
struct run_validate_goals {
    double mean, median, unused; /* at most: errors of each tier, rows that no job represents */
    double coverage;             /* at least */
};

struct run_validate {
    const char *table;
    struct project_runs runs;
    struct project_fit_row *rows; /* [runs.count]; weight > 0: complete, of tier 1 or 2, and a job represents it */
    struct project_fitted fitted;
    bool fit;                               /* the parameters come from these rows */
    double cost;                            /* of the fit */
    struct project_prediction *by[RUN_BYS]; /* [runs.count] each; NULL: not made */
    json_t *ablations;                      /* NULL: not made */
};

/* Says what goes on. */
struct run_validate_watch {
    void (*phase)(void *context, const char *what);
    void *context;
};

/* Reads the table, and predicts by the parameters of a file (NULL: the catalogue's). */
int run_validate_read(struct run_validate *v, const char *table, const char *parameters, struct base_error *e);
/* Reads the table, fits on it, and predicts each run with its tenth and with its source left out, too. */
int run_validate_fit(struct run_validate *v, const char *table, const struct run_validate_watch *watch,
                     struct base_error *e);
/* Fits anew without each part of the model; v must have been fitted. */
int run_validate_ablate(struct run_validate *v, const struct run_validate_watch *watch, struct base_error *e);
/* Frees also what an error left. */
void run_validate_close(struct run_validate *v);

/* Complete rows of tiers 1 and 2, which a score is due on. */
bool run_validate_due(const struct project_run *run);
/* {n, mean, median, max, bias, coverage, half_width, interval_score} of rows of a tier, a source (0, NULL: of all). */
json_t *run_validate_score(const struct run_validate *v, enum run_validate_by by, int tier, const char *source);
/* Those of each tier and of both by everything that predicts. */
json_t *run_validate_tiers(const struct run_validate *v);
/* A record of kind "validate"; FAILED where a goal was missed. */
json_t *run_validate_record(const struct run_validate *v, const struct run_validate_goals *goals);

#endif
