/* SPDX-License-Identifier: Apache-2.0
 *
 * The units of an allocation, nodes or ranks, in the order of nodes, and groups of them. */
#ifndef TOISE_SWEEP_UNITS_H
#define TOISE_SWEEP_UNITS_H

#include "comm/comm.h"
#include "records/scaling.h"

struct sweep_units {
    int count, ranks; /* units, and ranks of each */
    int place;        /* of this rank, counted node by node; its unit is place / ranks */
    int *rank_at;     /* [count * ranks] the world's rank at each place */
};

/* Collective. Close it also after an error. BASE_USAGE on all ranks: nodes with different numbers of ranks. */
int sweep_units_open(struct sweep_units *units, struct comm *world, enum record_scaling_unit unit,
                     struct base_error *e);
void sweep_units_close(struct sweep_units *units);

/* Splits off the ranks of units first .. first + n - 1, in the order of their places. Other ranks get an empty group.
 * Collective over the world. */
int sweep_units_group(const struct sweep_units *units, struct comm *world, int first, int n, struct comm *group,
                      struct base_error *e);
/* The world's rank that is rank 0 of that group. */
static inline int sweep_units_leader(const struct sweep_units *units, int first) {
    return units->rank_at[first * units->ranks];
}

#endif
