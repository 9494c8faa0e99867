/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures a scaling curve in this allocation: trains its points (sweep/sweep.h), keeps every record at once, predicts
 * the points that have not run, and makes the curve of all (scale/scale.h). */
#ifndef TOISE_CLI_SWEEP_H
#define TOISE_CLI_SWEEP_H

#include "cli/launch.h"
#include "cli/trainer.h"
#include "records/load.h"
#include "sweep/sweep.h"

struct cli_sweep {
    struct cli_trainer *trainer;
    const struct cli_workload *workload;
    const struct cli_output *output;
    const struct cli_launch *launch;
    const char *svg;                /* NULL: no drawing */
    const struct record_list *more; /* records of --comm, on rank 0 */
    struct plan_request request;    /* of every point, but for its ranks and its batch */
    struct train_options options;
    const struct sweep_request *asked;
    const struct sweep_points *points;
    const struct sweep_order *order;
    const struct sweep_units *units;
    double budget_s; /* INFINITY: none */
};

/* Runs it all. Rank 0 prints a line for each run, then the curve, or with --json their records. BASE_NO: a point
 * FAILED. BASE_INCONCLUSIVE: it ended early, or is not known well enough. Collective. */
int cli_sweep_run(const struct cli_sweep *sweep, struct comm *world, struct base_error *e);
/* Emits a curve and prints its page. Returns its exit code. On one rank. */
int cli_sweep_show(const struct cli_output *output, const char *svg, const json_t *curve, struct base_error *e);

#endif
