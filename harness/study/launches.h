/* SPDX-License-Identifier: Apache-2.0
 *
 * Launches of the same work, summarised: each launch's rate, and their mean with an interval over launches.
 *
 * Launches are of one group if they did the same work in the same configuration and layout, with the same version of
 * toise, on the same machine, within one job. Launches without a shared job are one group, too.
 *
 * The unit is the launch. The mean is that of costs (seconds per unit of work), so the mean rate is harmonic. Its 95%
 * interval is Student's t of the launches' costs. It says nothing about other nodes, nor about other jobs if the
 * launches share one. */
#ifndef TOISE_STUDY_LAUNCHES_H
#define TOISE_STUDY_LAUNCHES_H

#include "records/load.h"

/* The kinds of records that have a rate, and the rate. */
struct study_launches_kind {
    const char *kind, *key, *unit; /* "train", "result.tokens_per_s_per_node", "tokens/s/node" */
};
/* NULL: the record has no rate even if it PASSED, or the run was injected. Which rate: of FAILED records as if they had
 * one. Imported figures count if higher is better; "" is their unit, which the record has. */
const struct study_launches_kind *study_launches_kind(const json_t *record);

/* Summarises every group of the records in the order of their first launch, as records of kind "launches". Skips other
 * kinds. The same launch is counted once. ci: the wanted relative half-width of the interval; NAN: none is wanted.
 * Returns an array. BASE_BROKEN: out of memory. */
int study_launches(const struct record_loaded *records, size_t count, double ci, json_t **summaries,
                   struct base_error *e);

/* The mean of n launches' costs (1 / rate), with its interval, and how far that is. Rates are above 0. */
struct study_launches_mean {
    double rate, low, high; /* low, high: NAN for one launch; high INFINITY: the interval of costs reaches 0 */
    double half_width;      /* of the costs, relative to their mean; NAN for one launch */
    long needed;            /* launches until half_width <= ci, judged by these; 0: unknown, or over a million */
};
struct study_launches_mean study_launches_mean(const double *rates, int n, double ci);

/* A launch's status, the better first. An unknown one is INCONCLUSIVE. A launch whose own interval is wide is as good
 * as any, since the interval over launches judges. */
enum study_launch_status {
    STUDY_LAUNCH_PASSED,
    STUDY_LAUNCH_UNVERIFIED,
    STUDY_LAUNCH_INCONCLUSIVE,
    STUDY_LAUNCH_FAILED,
    STUDY_LAUNCH_BROKEN
};
enum study_launch_status study_launch_status_of(const json_t *record);
const char *study_launch_status_name(enum study_launch_status status); /* "PASSED", ... */

/* The exit code for the worst status of the summaries, with the first that has it. */
int study_launches_code(const json_t *summaries, struct base_error *e);

#endif
