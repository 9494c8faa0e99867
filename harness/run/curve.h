/* SPDX-License-Identifier: Apache-2.0
 *
 * A published series beside its prediction: harness/catalog/curves says which runs of the table it is. The prediction
 * is by parameters fitted without any run of the series' sources, since a curve that was fitted on proves little. */
#ifndef TOISE_RUN_CURVE_H
#define TOISE_RUN_CURVE_H

#include "run/validate.h"

/* What is drawn; all follow from the time of an iteration, so that published and predicted are counted alike. */
enum run_curve_figure {
    RUN_CURVE_FLOPS,  /* model TFLOP/s per accelerator: causal attention as half the square, no recomputation */
    RUN_CURVE_TOKENS, /* tokens/s per accelerator */
    RUN_CURVE_TIME,   /* seconds of an iteration */
    RUN_CURVE_FIGURES
};

enum { RUN_CURVE_COLUMNS = 4, RUN_CURVE_CELLS = 256, RUN_CURVE_TEXT = 48, RUN_CURVE_NAME = 96 };

struct run_curve_point {
    int run, group; /* of runs.run; of the file's groups, in whose order the points stand */
    double x;       /* where the axis has several columns, the point's place from 1 */
    char name[RUN_CURVE_NAME];
};

struct run_curve {
    json_t *file;
    char path[BASE_CATALOG_PATH], table[BASE_CATALOG_PATH];
    const char *columns[RUN_CURVE_COLUMNS]; /* of the table, that make x */
    int column_count;
    enum run_curve_figure figure;
    struct project_runs runs;
    struct run_curve_point *points; /* [count] */
    int count, groups;
    char cells[RUN_CURVE_CELLS][RUN_CURVE_TEXT]; /* what the file states of its runs, which the table leaves out */
    int cell_count;
    struct project_fit_row *fit;            /* [runs.count] weight > 0: fitted on */
    struct project_fit_row *drawn;          /* [runs.count] weight > 0: of the series */
    struct project_prediction *predictions; /* [runs.count] of the series' runs */
    struct project_prediction *rates;       /* the same by one rate for each type of accelerator */
    struct project_fitted fitted;
};

/* `name`: of the catalogue, or a path. BASE_USAGE names file and field: no such curve (and which there are), unknown or
 * missing keys, a run that the table has not or that nothing can predict, a column that is none, a source that is none.
 */
int run_curve_read(struct run_curve *c, const char *name, struct base_error *e);
/* Fits without the series' sources, and predicts. */
int run_curve_predict(struct run_curve *c, const struct run_validate_watch *watch, struct base_error *e);
/* A record of kind "curve". */
json_t *run_curve_record(const struct run_curve *c);
/* Frees also what an error left. */
void run_curve_close(struct run_curve *c);

#endif
