/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of published training runs, one a row, as jobs to price and the time that each took. Columns: the README of
 * harness/catalog/runs. */
#ifndef TOISE_FIT_PUBLISHED_H
#define TOISE_FIT_PUBLISHED_H

#include "fit/published_sheets.h"
#include "records/csv.h"

struct fit_run {
    const char *id, *source, *model; /* of the table */
    int line, tier;                  /* tier 0: "never", the source contradicts itself */
    bool complete;                   /* shape, batch, layout and a rate or time are all there */
    const char *why;                 /* why it cannot be used, with column and value; NULL: the rest holds */
    char *own;                       /* the text of `why`, where it is the row's own */
    const char *unlike;              /* why no fitted run speaks for its accelerator; NULL: one does */
    struct cost_job job;
    double measured_s; /* of an iteration: as published, else from tokens/s, else from FLOP/s as the source counts */
};

struct fit_runs {
    struct record_csv csv;
    struct fit_sheets sheets;
    struct fit_run *run;
    int count;
};

/* BASE_USAGE names file, line, column and fix: no table, or a column that is unknown or missing. A row that cannot be
 * used says `why`: another count of fields than the header's; a cell that is no number, out of range or none of its
 * words; a layout that does not multiply to the accelerators or cuts heads; times and rates that contradict each other
 * or the peak; an accelerator that the catalogue does not price. */
int fit_runs_read(const char *path, struct fit_runs *runs, struct base_error *e);
void fit_runs_free(struct fit_runs *runs);

/* Of any run that is not used: also its tier, or that it is incomplete. */
const char *fit_run_why(const struct fit_run *run);

/* States a cell that a run's source left blank, after which the run counts as complete; then the run is to be read
 * again. `value` must live as long as runs. BASE_USAGE: no such column, or the cell says something else. */
int fit_runs_state(struct fit_runs *runs, int index, const char *column, char *value, struct base_error *e);
int fit_runs_read_again(struct fit_runs *runs, int index, struct base_error *e);

/* The numbers of a row, NAN where unknown; for fit/. */
enum fit_number {
    FIT_LAYERS,
    FIT_HIDDEN,
    FIT_FFN,
    FIT_HEADS,
    FIT_KV_HEADS,
    FIT_VOCAB,
    FIT_SEQ,
    FIT_GLOBAL_BATCH,
    FIT_MICRO_BATCH,
    FIT_TP,
    FIT_PP,
    FIT_VP,
    FIT_DP,
    FIT_CP,
    FIT_ZERO,
    FIT_NODE_ACCELERATORS,
    FIT_ACCELERATORS,
    FIT_TIME,
    FIT_TOKENS,
    FIT_TFLOPS,
    FIT_GRAD_BYTES,
    FIT_ZERO_GROUP,
    FIT_NUMBERS
};
/* Contradictions of a row's layout, and of what it measured with the job: BASE_USAGE, worded without its place.
 * `slots`: embedding and head may be stages of their own. */
int fit_published_check_layout(const double x[FIT_NUMBERS], bool placed, bool slots, struct base_error *e);
int fit_published_check_time(const double x[FIT_NUMBERS], const struct fit_run *run, struct base_error *e);
/* Seconds of the TFLOP/s in the source's own convention: model, hardware, megatron-full-recompute. */
double fit_published_flop_s(const double x[FIT_NUMBERS], const struct cost_job *job, const char *convention);

/* For fit/: what the row's words say. BASE_USAGE, worded without its place: the job cannot represent it. */
struct fit_words {
    const char *source, *model, *notes, *accelerator, *interconnect, *precision, *flash, *recompute, *framework,
        *experts;
};
int fit_words_platform(const struct fit_words *words, const struct fit_sheets *sheets, double node_accelerators,
                       struct cost_platform *platform, const char **unlike, struct base_error *e);
int fit_words_traits(const struct fit_words *words, struct cost_job *job, struct base_error *e);

#endif
