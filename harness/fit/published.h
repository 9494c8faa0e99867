/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a table of published training runs. A row becomes a job to price and the published time of its iteration.
 * harness/catalog/runs/README.md describes the columns. */
#ifndef TOISE_FIT_PUBLISHED_H
#define TOISE_FIT_PUBLISHED_H

#include "fit/published_sheets.h"
#include "records/csv.h"

struct fit_run {
    const char *id, *source, *model; /* from the table */
    int line, tier;                  /* tier 0: "never", the source contradicts itself */
    const char *date;                /* of its software, as "2026-04"; "": unknown */
    const char *accelerator;         /* the name by which its data sheet was found */
    bool judged;                     /* of tier 3, but its kind is stated: it is fitted and scored */
    char cluster[96];                /* its source, and of a release that patches another the other's */
    bool complete;                   /* shape, batch, layout and a rate or time are stated */
    const char *why;                 /* why it cannot be used, with column and value; NULL: job and time are valid */
    char *own;                       /* owns the text of `why`; NULL: none */
    const char *unlike;              /* why no fitted run represents its accelerator; NULL: one does */
    struct cost_job job;
    double measured_s; /* of an iteration: published, or from tokens/s, or from FLOP/s as its source counts them */
};

struct fit_runs {
    struct record_csv csv;
    struct fit_sheets sheets;
    struct fit_run *run;
    int count;
};

/* BASE_USAGE names file, line, column and fix: no table, or an unknown or missing column. A row that cannot be used has
 * its reason in `why`: a number of fields other than the header's; a cell that is not a number, out of range or an
 * unknown word; a layout that does not multiply to the accelerators or that splits heads; times and rates that
 * contradict each other or the peak; an accelerator that the catalogue does not price. */
int fit_runs_read(const char *path, struct fit_runs *runs, struct base_error *e);
void fit_runs_free(struct fit_runs *runs);

/* Whether it should be used: it is complete, and of tier 1 or 2 or of a stated kind. */
bool fit_run_due(const struct fit_run *run);
/* Why a run is not used: `why`, its tier, or that it is incomplete. "": it can be used. */
const char *fit_run_why(const struct fit_run *run);

/* Fills a cell that the run's source left blank. The run then counts as complete; call fit_runs_read_again for it.
 * `value` must live as long as runs. BASE_USAGE: no such column, or the cell has another value. */
int fit_runs_state(struct fit_runs *runs, int index, const char *column, char *value, struct base_error *e);
int fit_runs_read_again(struct fit_runs *runs, int index, struct base_error *e);

/* The numbers of a row; NAN: unknown. Used only inside fit/. */
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
    FIT_EP,
    FIT_ETP,
    FIT_EXPERTS,
    FIT_ACTIVE,
    FIT_EXPERT_FFN,
    FIT_SHARED,
    FIT_DENSE_LAYERS,
    FIT_HEAD_DIM,
    FIT_NODE_ACCELERATORS,
    FIT_ACCELERATORS,
    FIT_TIME,
    FIT_TOKENS,
    FIT_TFLOPS,
    FIT_GRAD_BYTES,
    FIT_ZERO_GROUP,
    FIT_NUMBERS
};
/* BASE_USAGE: a row's layout contradicts itself, or its figures contradict the job. The text names no file and line.
 * `slots`: embedding and head may be stages of their own. */
int fit_published_check_layout(const double x[FIT_NUMBERS], bool placed, bool slots, struct base_error *e);
int fit_published_check_time(const double x[FIT_NUMBERS], const struct fit_run *run, struct base_error *e);
/* Seconds from TFLOP/s by the source's convention: model, hardware, megatron-full-recompute. They count attention's
 * whole square, or its causal half, as sources of 2025 on do. */
double fit_published_flop_s(const double x[FIT_NUMBERS], const struct cost_job *job, const char *convention,
                            bool causal);

/* The words of a row. Used only inside fit/. BASE_USAGE: the job cannot represent it; the text names no file and line.
 */
struct fit_words {
    const char *source, *model, *notes, *accelerator, *interconnect, *precision, *flash, *recompute, *framework,
        *recipe, *dispatcher, *graphs, *balanced;
};
int fit_words_platform(const struct fit_words *words, const struct fit_sheets *sheets, double node_accelerators,
                       struct cost_platform *platform, const char **unlike, struct base_error *e);
int fit_words_traits(const struct fit_words *words, struct cost_job *job, struct base_error *e);

#endif
