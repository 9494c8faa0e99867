/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of a scaling curve that an allocation can measure, and why others cannot run. */
#ifndef TOISE_SWEEP_POINTS_H
#define TOISE_SWEEP_POINTS_H

#include <stdint.h>

#include "base/error.h"
#include "records/scaling.h"

struct sweep_request {
    enum record_scaling_mode mode;
    enum record_scaling_unit unit;
    int64_t batch;       /* sequences of a step: of all ranks if strong, of one unit if weak */
    int64_t micro_batch; /* that a rank computes at once; 0: not fixed */
    int units, ranks;    /* units of the allocation; ranks of one */
};

struct sweep_point {
    int n, ranks; /* units, and ranks of all of them */
    int64_t global_batch;
    char skipped[192]; /* why it cannot run; "": it can */
    int below, above;  /* of a skipped point: the nearest counts that divide; 0: none */
};

enum { SWEEP_POINTS_MOST = 32 };
struct sweep_points {
    int count; /* ascending n */
    struct sweep_point at[SWEEP_POINTS_MOST];
};

/* n[count]: the counts to measure, in any order; count 0: 1, 2, 4, ... and all units. BASE_USAGE: a count that is given
 * twice or exceeds the allocation; a batch of which no point can run. */
int sweep_points_make(struct sweep_points *points, const struct sweep_request *request, const int *n, int count,
                      struct base_error *e);
/* Reads "1,2,4" into n[SWEEP_POINTS_MOST]. BASE_USAGE: not such a list; `flag` names it. */
int sweep_points_read(const char *list, const char *flag, int *n, int *count, struct base_error *e);
/* The largest number that divides the sequences of a rank at every point that runs: what their micro-batch may be. */
int64_t sweep_points_share(const struct sweep_points *points);
/* How many run, and the index of the one with the fewest units, to which the others are compared. */
int sweep_points_running(const struct sweep_points *points);
int sweep_points_base(const struct sweep_points *points);
/* Those that cannot run: [{n, why, nearest: [n, ...]}]. */
json_t *sweep_points_skipped(const struct sweep_points *points);
/* "node", "nodes", "rank", "ranks" */
const char *sweep_unit_text(enum record_scaling_unit unit, int n);

#endif
