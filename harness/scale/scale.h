/* SPDX-License-Identifier: Apache-2.0
 *
 * A scaling curve made of training records: rate, speed-up and efficiency over nodes or ranks, laws fitted to them, and
 * predictions.
 *
 * The room scale/ promises points with intervals, the base with its absolute value, and no rate of a point whose
 * losses differ from the base's. Records that contradict the mode, or did other work, are refused. An efficiency above
 * 1 and points on different machines are flagged. Laws (laws.h) and the ledger's own model (ledger.h) have intervals;
 * what lies beyond the largest point is labelled extrapolated. It needs records/, train/'s gate, study/'s
 * statistics and inventory/'s lists of hosts. It does not know how the records came about, nor how a curve is shown.
 *
 * The unit of replication is the launch, or the repeat of a sweep. Rates are geometric means over them with Student's t
 * interval. Speed-up and efficiency are ratios to the base, the smallest point that PASSED. Where base and point ran
 * in the same repeats, differences within a repeat count, so drift cancels. */
#ifndef TOISE_SCALE_SCALE_H
#define TOISE_SCALE_SCALE_H

#include "records/load.h"
#include "records/scaling.h"

enum { SCALE_UNSET = -1, SCALE_AHEAD_MOST = 32 };

struct scale_options {
    int mode, unit;          /* enum record_scaling_...; SCALE_UNSET: as the records say */
    const json_t *skipped;   /* points that cannot run: array of {n, why, nearest: [n, ...]}; NULL: none */
    const char *why;         /* what ended the sweep early; NULL or "": nothing */
    int ahead;               /* points that are not measured yet, whose rates are predicted from the records */
    int n[SCALE_AHEAD_MOST]; /* the points ahead, in units */
};

/* Makes a record of kind "scale" from records of these kinds:
 * - "train": the runs. A record without the object `scaling` (a separate job) counts as the nodes or ranks of its
 *   layout. Imported ones, UNVERIFIED, count too.
 * - "comm" and "roofs": all-reduces, and how ranks of a node slow each other, for the ledger's own model.
 * - "scale": its predictions are scored, if they were made before the point ran.
 * Other kinds are left out and counted. records[i].path may be NULL, for a record that is in no file.
 * With points ahead the record holds predictions, and is INCONCLUSIVE until they ran: append it, run the points, then
 * call this again with all records. BASE_USAGE names record, field and values: there is no run; runs differ in what
 * they trained, in toise or in the machine; the batch contradicts the mode. */
int scale_curve(const struct record_loaded *records, size_t count, const struct scale_options *options, json_t **record,
                struct base_error *e);

#endif
