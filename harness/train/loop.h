/* SPDX-License-Identifier: Apache-2.0
 *
 * One run's state, which its phases share. For this room. */
#ifndef TOISE_TRAIN_LOOP_H
#define TOISE_TRAIN_LOOP_H

#include "checkpoint/background.h"
#include "train/train.h"

enum { TRAIN_STEPS_MOST = 100000, TRAIN_PEAKS_MOST = 4096, TRAIN_PROBES_MOST = 4096 };

/* Sample arrays are allocated before the first window; what checkpoints cost is added as they are saved. */
struct train_loop {
    const struct train_options *o;
    const struct plan *plan;
    struct comm *world;
    const struct base_cpus *cpus; /* this rank's threads */
    struct train_result *r;
    struct parallel_engine engine;
    const struct data_source *source;
    struct measure_peak peak;
    struct measure_watch watch;
    int64_t saved;                           /* the step of the last checkpoint, also of one that is being written */
    struct checkpoint_background background; /* zeros unless checkpoints are written while training goes on */
    bool written;                            /* after the last step no rank was writing */
    int pairs;                 /* of steps that choose the overlap, within a warm-up of a fixed number of steps */
    int look;                  /* number of timed steps at the next check of the interval */
    int asked;                 /* to stop, by this rank: as train_result.stopped */
    struct base_error unsaved; /* why a checkpoint could not be saved; code 0: none failed */
    /* interference before and after the last step, and the windows at its end; ended 0: another window ran since */
    struct measure_interference before, after;
    double ended, ended_s[TRAIN_WINDOWS];
    double busy_s[PLAN_TALKING], waited_s[PLAN_TALKING]; /* sums over the timed steps */
    double balance;                                      /* the last step's */
    struct measure_interference met;                     /* over the timed steps */
    double own_loss;                                     /* this rank's part of the first step's loss */
    double timed_s, since_peak;   /* seconds of timed steps; seconds of steps since a peak window */
    double first, last, reported; /* clock: start and end of the timed part; last progress line */
};

/* Warm-up, timed steps, peak and probe windows; sets what the result has of them. Ends early if a rank is asked to
 * stop. Collective. */
void train_loop_run(struct train_loop *l);
/* Whether a rank was asked to stop, which all then know. Collective. */
bool train_loop_stopped(struct train_loop *l);
/* Saves a checkpoint if one is due after this step, and ends what is written in the background. Collective. */
void train_save(struct train_loop *l);
/* After the last step: ends what is being written; keep: saves that step, too, unless it is saved. Collective. */
void train_save_last(struct train_loop *l, bool keep);

#endif
