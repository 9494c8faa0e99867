/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's own model of a curve: what a step's parts take at n units, from the base's measured phases and from this
 * machine's records of toise comm and roofs. Nothing is fitted to the other points, so it predicts them.
 *
 * step(n) = compute(n) + exposed(n) + imbalance(n)
 *
 * - compute: batch, forward, head and backward of the base go with a rank's tokens; zeroing, clipping and the update
 *   stay. Ranks that share a node slow each other as toise comm or roofs measured: matmuls by one share, passes by
 *   another; between 1 rank and those measured it is linear.
 * - exposed: the gradients' all-reduces take M = messages 2 (r - 1) alpha + bytes 2 (r - 1) / r beta seconds (links.h).
 *   All but the last one can overlap the last micro-batch's backward, W seconds. A share h of what overlaps is hidden.
 *   So exposed = M - h min(M (1 - 1 / messages), W).
 * - imbalance: all wait for the slowest of n units. If the base's step has the relative standard deviation s, the
 *   slowest of n takes s z(n) longer; z(n) is the expected largest of n normal numbers, the quantile of
 *   (n - 0.375) / (n + 0.25) (Blom 1958). Units' noise counts as independent.
 *
 * Without records of toise comm, alpha and beta are fitted to the points' own steps, from three points with peers on.
 */
#ifndef TOISE_SCALE_LEDGER_H
#define TOISE_SCALE_LEDGER_H

#include "scale/links.h"
#include "scale/model.h"

struct scale_ledger {
    struct scale_links links;
    double work_s, backward_s; /* per token of a rank; backward is a part of work */
    double fixed_s;            /* per step */
    double communication_s;    /* of the base's step: its own peers */
    double noise;              /* relative standard deviation of the base's steps */
    int samples;               /* that show it */
    double micro_batch;        /* of the base */
    double messages, bytes;    /* of a rank's step with peers */
    double base_sd;            /* of the logarithm of the base's step: its mean over runs */
    double base_df;
    bool from_points; /* alpha and beta are the points' own */
};

/* Makes the model of the curve. BASE_BROKEN: out of memory. `ledger` must outlive the model. */
int scale_ledger_fit(const struct scale_curve *c, struct scale_ledger *ledger, struct scale_model *m,
                     struct base_error *e);

/* The parts of a step at n units, in seconds, by the model's value. */
struct scale_parts {
    double compute_s, exposed_s, imbalance_s;
};
struct scale_parts scale_ledger_parts(const struct scale_model *m, double n);

/* What it takes for granted, as texts. */
json_t *scale_ledger_assumed(const struct scale_model *m);

#endif
