/* SPDX-License-Identifier: Apache-2.0
 *
 * A published scaling curve and its prediction. A file of harness/catalog/curves names the runs of the table that form
 * the curve. The prediction uses parameters fitted without any run of the curve's sources: a curve that was part of the
 * fit would prove little. */
#ifndef TOISE_STUDY_CURVE_H
#define TOISE_STUDY_CURVE_H

#include "study/validate.h"

/* The figure that is drawn. All follow from the time of an iteration, so published and predicted are counted alike. */
enum study_curve_figure {
    STUDY_CURVE_FLOPS,  /* model TFLOP/s per accelerator: causal attention as half the square, no recomputation */
    STUDY_CURVE_TOKENS, /* tokens/s per accelerator */
    STUDY_CURVE_TIME,   /* seconds of an iteration */
    STUDY_CURVE_FIGURES
};

enum { STUDY_CURVE_COLUMNS = 4, STUDY_CURVE_CELLS = 256, STUDY_CURVE_TEXT = 48, STUDY_CURVE_NAME = 96 };

struct study_curve_point {
    int run, group; /* indices into runs.run and the file's groups; points are in the order of groups */
    double x;       /* the point's place, from 1, if the axis has several columns */
    char name[STUDY_CURVE_NAME];
};

struct study_curve {
    json_t *file;
    char path[RECORD_CATALOG_PATH], table[RECORD_CATALOG_PATH];
    const char *columns[STUDY_CURVE_COLUMNS]; /* the table's columns that make x */
    int column_count;
    enum study_curve_figure figure;
    struct fit_runs runs;
    struct study_curve_point *points; /* [count] */
    int count, groups;
    char cells[STUDY_CURVE_CELLS][STUDY_CURVE_TEXT]; /* cells that the table leaves blank and the file states */
    int cell_count;
    struct fit_row *fit;                /* [runs.count] weight > 0: used in the fit */
    struct fit_row *drawn;              /* [runs.count] weight > 0: in the series */
    struct fit_prediction *predictions; /* [runs.count] set for the series' runs */
    struct fit_prediction *rates;       /* the same, by a single rate per type of accelerator */
    struct fit_result fitted;
};

/* `name`: a curve of the catalogue, or a path. BASE_USAGE names file and field: an unknown curve (with a list of the
 * known ones), unknown or missing keys, a run that the table lacks or that cannot be predicted, an unknown column or
 * source. */
int study_curve_read(struct study_curve *c, const char *name, struct base_error *e);
/* Fits without the series' sources, and predicts. */
int study_curve_predict(struct study_curve *c, const struct study_validate_watch *watch, struct base_error *e);
/* A record of kind "curve". */
json_t *study_curve_record(const struct study_curve *c);
/* Also call it after an error. */
void study_curve_close(struct study_curve *c);

#endif
