/* SPDX-License-Identifier: Apache-2.0
 *
 * Layout sweeps: runs of one source that differ only in their layout. Choosing a layout needs their order more than
 * their times. */
#ifndef TOISE_FIT_RANKING_H
#define TOISE_FIT_RANKING_H

#include "fit/fit.h"

enum { FIT_SWEEP_LEAST = 4 }; /* layouts */

struct fit_sweep {
    const struct fit_run *run; /* the fastest published layout */
    int layouts, rank;         /* rank: its place in the predicted order, from 1 */
    double regret,
        regret_of_three;    /* relative time lost by the layout predicted best; by the best of the predicted three */
    int pairs, pairs_right; /* published times differ by more than 3%; the prediction orders them alike */
};

/* Finds the sweeps among the rows of weight > 0. A sweep has the same source, model, accelerators, precision, batch,
 * sequence and recomputation. It has at least FIT_SWEEP_LEAST layouts (tp, pp, cp, ep, vp, dp, micro-batch, ZeRO), and
 * their times differ by at least 3%. Repeats of a layout count as their median. step_s: [runs->count]. Fills at most
 * `most`, in the order of the table. Returns how many there are; -1: out of memory. */
int fit_sweeps(const struct fit_runs *runs, const struct fit_row *rows, const double *step_s, struct fit_sweep *sweeps,
               int most);

#endif
