/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures the points of a scaling curve within one allocation: on groups of its units, one after the other, in a
 * random order, while the other ranks sleep.
 *
 * The room sweep/ promises which points can run and why others cannot (points.h), their order (order.h), groups of
 * units (units.h), what each point must have in common with the base (check.h), and what the curve costs (cost.h). A
 * run's record reaches the caller before the next run starts. It needs comm/, train/, guard/ and records/. It does not
 * know flags, how a point is trained, nor what the curve says. */
#ifndef TOISE_SWEEP_SWEEP_H
#define TOISE_SWEEP_SWEEP_H

#include "sweep/check.h"
#include "sweep/order.h"
#include "sweep/units.h"

struct sweep {
    const struct sweep_points *points;
    const struct sweep_order *order;
    const struct sweep_units *units;
    enum record_scaling_mode mode;
    enum record_scaling_unit unit;
    double budget_s; /* no run starts that may end later than so many seconds after the first; INFINITY: none */
    /* Trains a point on all ranks of `group`, and checks it against sweep->base. Rank 0 of the group returns the
     * record, with the status FAILED if a check failed. Collective over the group. An error ends the sweep. */
    int (*train)(void *context, struct comm *group, const struct sweep_run *run, json_t **record, struct base_error *e);
    /* The world's rank 0 takes each record, to keep it at once. It owns the record. */
    int (*take)(void *context, const struct sweep_run *run, json_t *record, struct base_error *e);
    /* On the world's rank 0, before the first run of the points that are predicted. */
    int (*predict)(void *context, struct base_error *e);
    void *context;
    /* Set by sweep_run. */
    struct sweep_base base;
    int done;      /* runs */
    char why[192]; /* what ended the sweep early; "": nothing */
};

/* Runs them all. Ends early after a signal (guard/stop.h), when the budget is spent, and when the base FAILED, since
 * nothing can then be checked: `why` says it, and the code is BASE_OK. Collective. Close it also after an error. */
int sweep_run(struct sweep *sweep, struct comm *world, struct base_error *e);
void sweep_close(struct sweep *sweep);

/* The object `scaling` of a run. */
struct record_scaling sweep_scaling(const struct sweep *sweep, const struct sweep_run *run);

#endif
