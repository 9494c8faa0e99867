/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares projections of published runs with their times. It predicts by given or fitted parameters, by fits that did
 * not see the run, and by a baseline without a cost model. The room study/ promises records of kinds "validate" and
 * "curve". It needs fit/, plan/ and records/; it does not know flags or pages, and prints nothing. Callers get its
 * progress through a callback. */
#ifndef TOISE_STUDY_VALIDATE_H
#define TOISE_STUDY_VALIDATE_H

#include "fit/result.h"
#include "records/set.h"

enum study_validate_by {
    STUDY_BY_PARAMETERS, /* the file's parameters, or those just fitted; in-sample for their own runs */
    STUDY_BY_TENTHS,     /* fitted without the run's fold (10-fold cross-validation) */
    STUDY_BY_SOURCES,    /* fitted without the run's source */
    STUDY_BY_DEVICES,    /* fitted without any run on its accelerator */
    STUDY_BY_LATER,      /* of software of 2026-04 on, fitted without all such runs */
    STUDY_BY_RATE,       /* a single rate per type of accelerator: the file's, or fitted without the run's source */
    STUDY_BYS
};

/* Goals of the scores, as shares, not percent. NAN: no goal. A missed goal makes the record FAILED. */
struct study_validate_goals {
    double mean, median, unused; /* at most: errors of each tier, share of rows that no job represents */
    double coverage;             /* at least */
};

struct study_validate {
    const char *table;
    struct fit_runs runs;
    struct fit_row *rows; /* [runs.count]; weight > 0: complete, tier 1 or 2, and represented by a job */
    struct fit_result fitted;
    bool fit;                             /* the parameters were fitted on these rows */
    double cost;                          /* of the fit */
    struct fit_prediction *by[STUDY_BYS]; /* [runs.count] each; NULL: not made */
    json_t *ablations;                    /* NULL: not made */
};

/* Reports progress. */
struct study_validate_watch {
    void (*phase)(void *context, const char *what);
    void *context;
};

/* Reads the table and predicts by the parameters of a file (NULL: the catalogue's). */
int study_validate_read(struct study_validate *v, const char *table, const char *parameters, struct base_error *e);
/* Reads the table and fits on it. Also predicts each run by fits without its fold (10-fold cross-validation) and
 * without its source. */
int study_validate_fit(struct study_validate *v, const char *table, const struct study_validate_watch *watch,
                       struct base_error *e);
/* Refits without each part of the model. Needs study_validate_fit first. */
int study_validate_ablate(struct study_validate *v, const struct study_validate_watch *watch, struct base_error *e);
/* Also call it after an error. */
void study_validate_close(struct study_validate *v);

/* {n, mean, median, max, bias, coverage, half_width, interval_score} of the rows of a tier (0: all) and source (NULL:
 * all). */
json_t *study_validate_score(const struct study_validate *v, enum study_validate_by by, int tier, const char *source);
/* The scores of each tier and of both, by every predictor. */
json_t *study_validate_tiers(const struct study_validate *v);
/* A record of kind "validate"; FAILED if a goal was missed. */
json_t *study_validate_record(const struct study_validate *v, const struct study_validate_goals *goals);

#endif
