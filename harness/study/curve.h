/* SPDX-License-Identifier: Apache-2.0
 *
 * A published series beside its prediction: harness/catalog/curves says which runs of the table it is. The prediction
 * is by parameters fitted without any run of the series' sources, since a curve that was fitted on proves little. */
#ifndef TOISE_STUDY_CURVE_H
#define TOISE_STUDY_CURVE_H

#include "study/validate.h"

/* What is drawn; all follow from the time of an iteration, so that published and predicted are counted alike. */
enum study_curve_figure {
    STUDY_CURVE_FLOPS,  /* model TFLOP/s per accelerator: causal attention as half the square, no recomputation */
    STUDY_CURVE_TOKENS, /* tokens/s per accelerator */
    STUDY_CURVE_TIME,   /* seconds of an iteration */
    STUDY_CURVE_FIGURES
};

enum { STUDY_CURVE_COLUMNS = 4, STUDY_CURVE_CELLS = 256, STUDY_CURVE_TEXT = 48, STUDY_CURVE_NAME = 96 };

struct study_curve_point {
    int run, group; /* of runs.run; of the file's groups, in whose order the points stand */
    double x;       /* where the axis has several columns, the point's place from 1 */
    char name[STUDY_CURVE_NAME];
};

struct study_curve {
    json_t *file;
    char path[RECORD_CATALOG_PATH], table[RECORD_CATALOG_PATH];
    const char *columns[STUDY_CURVE_COLUMNS]; /* of the table, that make x */
    int column_count;
    enum study_curve_figure figure;
    struct fit_runs runs;
    struct study_curve_point *points; /* [count] */
    int count, groups;
    char cells[STUDY_CURVE_CELLS][STUDY_CURVE_TEXT]; /* what the file states of its runs, which the table leaves out */
    int cell_count;
    struct fit_row *fit;                /* [runs.count] weight > 0: fitted on */
    struct fit_row *drawn;              /* [runs.count] weight > 0: of the series */
    struct fit_prediction *predictions; /* [runs.count] of the series' runs */
    struct fit_prediction *rates;       /* the same by one rate for each type of accelerator */
    struct fit_result fitted;
};

/* `name`: of the catalogue, or a path. BASE_USAGE names file and field: no such curve (and which there are), unknown or
 * missing keys, a run that the table has not or that nothing can predict, a column that is none, a source that is none.
 */
int study_curve_read(struct study_curve *c, const char *name, struct base_error *e);
/* Fits without the series' sources, and predicts. */
int study_curve_predict(struct study_curve *c, const struct study_validate_watch *watch, struct base_error *e);
/* A record of kind "curve". */
json_t *study_curve_record(const struct study_curve *c);
/* Frees also what an error left. */
void study_curve_close(struct study_curve *c);

#endif
