/* SPDX-License-Identifier: Apache-2.0
 *
 * The order in which the points of a curve run. A repeat runs every point once, in an order of its own, so that drift
 * of the machine does not look like scaling. Each repeat draws a unit, and its runs take blocks of neighbours that have
 * it: points are compared with the base on a node that they share, and a slow node is not in every repeat's small
 * points. All of it follows from the seed. */
#ifndef TOISE_SWEEP_ORDER_H
#define TOISE_SWEEP_ORDER_H

#include "sweep/points.h"

struct sweep_run {
    int point;         /* index into the points */
    int repeat, order; /* from 1; the place within the repeat */
    int first;         /* it runs on the units first .. first + n - 1 */
};

struct sweep_order {
    struct sweep_run *runs;
    int count;
    /* The base runs first, as the others are checked against it. The first repeat then runs the smaller points. Before
     * run `ahead` no larger one has run, so they can be predicted. The larger ones end the repeat. Later repeats are in
     * any order. */
    int ahead;
    int larger; /* how many points are predicted; the last ones */
};

/* At least one point runs; repeats >= 1. Close it also after an error. */
int sweep_order_make(struct sweep_order *order, const struct sweep_points *points, int units, int repeats,
                     uint64_t seed, struct base_error *e);
void sweep_order_close(struct sweep_order *order);

#endif
