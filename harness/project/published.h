/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of published training runs, one a row, as jobs to price and the time that each took. Columns: the README of
 * harness/catalog/runs. */
#ifndef TOISE_PROJECT_PUBLISHED_H
#define TOISE_PROJECT_PUBLISHED_H

#include "base/csv.h"
#include "project/job.h"

struct project_run {
    const char *id, *source, *model; /* of the table */
    int line, tier;                  /* tier 0: "never", the source contradicts itself */
    bool complete;                   /* shape, batch, layout and a rate or time are all there */
    const char *why;                 /* why no job can represent it; NULL: the rest holds */
    struct project_job job;
    double measured_s; /* of an iteration: as published, else from tokens/s */
};

struct project_runs {
    struct base_csv csv;
    struct project_run *run;
    int count;
};

/* BASE_USAGE names file, line, column and fix: a column that is unknown or missing, a cell that is no number or out of
 * range, a layout that does not multiply to the accelerators or cuts heads, two rates that contradict each other. */
int project_runs_read(const char *path, struct project_runs *runs, struct base_error *e);
void project_runs_free(struct project_runs *runs);

/* For project/: what the row's words say. Both return NULL, or why the job cannot represent it. */
struct project_words {
    const char *source, *model, *notes, *accelerator, *interconnect, *precision, *flash, *recompute;
};
const char *project_words_platform(const struct project_words *words, double node_accelerators,
                                   struct project_platform *platform);
const char *project_words_practice(const struct project_words *words, struct project_job *job);

#endif
