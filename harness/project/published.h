/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of published training runs, one a row, as jobs to price and the time that each took. Columns: the README of
 * harness/catalog/runs. */
#ifndef TOISE_PROJECT_PUBLISHED_H
#define TOISE_PROJECT_PUBLISHED_H

#include "base/csv.h"
#include "project/published_sheets.h"

struct project_run {
    const char *id, *source, *model; /* of the table */
    int line, tier;                  /* tier 0: "never", the source contradicts itself */
    bool complete;                   /* shape, batch, layout and a rate or time are all there */
    const char *why;                 /* why it cannot be used, with column and value; NULL: the rest holds */
    char *own;                       /* the text of `why`, where it is the row's own */
    const char *unlike;              /* why no fitted run speaks for its accelerator; NULL: one does */
    struct project_job job;
    double measured_s; /* of an iteration: as published, else from tokens/s, else from FLOP/s as the source counts */
};

struct project_runs {
    struct base_csv csv;
    struct project_sheets sheets;
    struct project_run *run;
    int count;
};

/* BASE_USAGE names file, line, column and fix: no table, or a column that is unknown or missing. A row that cannot be
 * used says `why`: another count of fields than the header's; a cell that is no number, out of range or none of its
 * words; a layout that does not multiply to the accelerators or cuts heads; times and rates that contradict each other
 * or the peak; an accelerator that no family of fitted ones has. */
int project_runs_read(const char *path, struct project_runs *runs, struct base_error *e);
void project_runs_free(struct project_runs *runs);

/* Of any run that is not used: also its tier, or that it is incomplete. */
const char *project_run_why(const struct project_run *run);

/* States a cell that a run's source left blank, after which the run counts as complete; then the run is to be read
 * again. `value` must live as long as runs. BASE_USAGE: no such column, or the cell says something else. */
int project_runs_state(struct project_runs *runs, int index, const char *column, char *value, struct base_error *e);
int project_runs_read_again(struct project_runs *runs, int index, struct base_error *e);

/* The numbers of a row, NAN where unknown; for project/. */
enum project_number {
    PROJECT_LAYERS,
    PROJECT_HIDDEN,
    PROJECT_FFN,
    PROJECT_HEADS,
    PROJECT_KV_HEADS,
    PROJECT_VOCAB,
    PROJECT_SEQ,
    PROJECT_GLOBAL_BATCH,
    PROJECT_MICRO_BATCH,
    PROJECT_TP,
    PROJECT_PP,
    PROJECT_VP,
    PROJECT_DP,
    PROJECT_CP,
    PROJECT_ZERO,
    PROJECT_NODE_ACCELERATORS,
    PROJECT_ACCELERATORS,
    PROJECT_TIME,
    PROJECT_TOKENS,
    PROJECT_TFLOPS,
    PROJECT_GRAD_BYTES,
    PROJECT_ZERO_GROUP,
    PROJECT_NUMBERS
};
/* Contradictions of a row's layout, and of what it measured with the job: BASE_USAGE, worded without its place.
 * `slots`: embedding and head may be stages of their own. */
int project_published_check_layout(const double x[PROJECT_NUMBERS], bool placed, bool slots, struct base_error *e);
int project_published_check_time(const double x[PROJECT_NUMBERS], const struct project_run *run, struct base_error *e);
/* Seconds of the TFLOP/s in the source's own convention: model, hardware, megatron-full-recompute. */
double project_published_flop_s(const double x[PROJECT_NUMBERS], const struct project_job *job, const char *convention);

/* For project/: what the row's words say. BASE_USAGE, worded without its place: the job cannot represent it. */
struct project_words {
    const char *source, *model, *notes, *accelerator, *interconnect, *precision, *flash, *recompute, *framework,
        *experts;
};
int project_words_platform(const struct project_words *words, const struct project_sheets *sheets,
                           double node_accelerators, struct project_platform *platform, const char **unlike,
                           struct base_error *e);
int project_words_practice(const struct project_words *words, struct project_job *job, struct base_error *e);

#endif
