/* SPDX-License-Identifier: Apache-2.0
 *
 * Layout sweeps: runs of one source that differ in their layout alone. Who chooses a layout needs their order more than
 * their times. */
#ifndef TOISE_PROJECT_RANKING_H
#define TOISE_PROJECT_RANKING_H

#include "project/fit.h"

enum { PROJECT_SWEEP_LEAST = 4 }; /* layouts */

struct project_sweep {
    const struct project_run *run; /* of the fastest published layout */
    int layouts, rank;             /* rank: of that layout by the prediction, from 1 */
    double regret,
        regret_of_three;    /* time lost by the layout predicted best; by the best of the three predicted best */
    int pairs, pairs_right; /* that differ by more than 3% as published; ordered alike */
};

/* Sweeps of the rows of weight > 0: same source, model, accelerators, batch, sequence and recomputation, at least
 * PROJECT_SWEEP_LEAST layouts (tp, pp, vp, dp, micro-batch, ZeRO), whose times differ by at least 3%; repeats of a
 * layout count as their median. step_s: [runs->count]. Fills at most `most`, in the order of the table, and returns how
 * many there are; -1: out of memory. */
int project_sweeps(const struct project_runs *runs, const struct project_fit_row *rows, const double *step_s,
                   struct project_sweep *sweeps, int most);

#endif
