/* SPDX-License-Identifier: Apache-2.0
 *
 * How wrong projections of published runs are: predictions by given or fitted parameters, by parameters that did not
 * see the run, and by a rival that knows no model. */
#ifndef TOISE_STUDY_VALIDATE_H
#define TOISE_STUDY_VALIDATE_H

#include "fit/result.h"
#include "records/set.h"

enum study_validate_by {
    STUDY_BY_PARAMETERS, /* of the file, or those just fitted: in-sample for the runs that they were fitted on */
    STUDY_BY_TENTHS,     /* fitted without the run's tenth of the table */
    STUDY_BY_SOURCES,    /* fitted without the run's source */
    STUDY_BY_RATE,       /* one rate for each type of accelerator: the file's, or fitted without the run's source */
    STUDY_BYS
};

/* What scores must keep to, else the answer is no; NAN: nothing asked. Shares, not percent. */
struct study_validate_goals {
    double mean, median, unused; /* at most: errors of each tier, rows that no job represents */
    double coverage;             /* at least */
};

struct study_validate {
    const char *table;
    struct fit_runs runs;
    struct fit_row *rows; /* [runs.count]; weight > 0: complete, of tier 1 or 2, and a job represents it */
    struct fit_result fitted;
    bool fit;                             /* the parameters come from these rows */
    double cost;                          /* of the fit */
    struct fit_prediction *by[STUDY_BYS]; /* [runs.count] each; NULL: not made */
    json_t *ablations;                    /* NULL: not made */
};

/* Says what goes on. */
struct study_validate_watch {
    void (*phase)(void *context, const char *what);
    void *context;
};

/* Reads the table, and predicts by the parameters of a file (NULL: the catalogue's). */
int study_validate_read(struct study_validate *v, const char *table, const char *parameters, struct base_error *e);
/* Reads the table, fits on it, and predicts each run with its tenth and with its source left out, too. */
int study_validate_fit(struct study_validate *v, const char *table, const struct study_validate_watch *watch,
                       struct base_error *e);
/* Fits anew without each part of the model; v must have been fitted. */
int study_validate_ablate(struct study_validate *v, const struct study_validate_watch *watch, struct base_error *e);
/* Frees also what an error left. */
void study_validate_close(struct study_validate *v);

/* Complete rows of tiers 1 and 2, which a score is due on. */
bool study_validate_due(const struct fit_run *run);
/* {n, mean, median, max, bias, coverage, half_width, interval_score} of rows of a tier, a source (0, NULL: of all). */
json_t *study_validate_score(const struct study_validate *v, enum study_validate_by by, int tier, const char *source);
/* Those of each tier and of both by everything that predicts. */
json_t *study_validate_tiers(const struct study_validate *v);
/* A record of kind "validate"; FAILED where a goal was missed. */
json_t *study_validate_record(const struct study_validate *v, const struct study_validate_goals *goals);

#endif
