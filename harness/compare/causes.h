/* SPDX-License-Identifier: Apache-2.0
 *
 * Why is one side slower? Settings that differ are candidates. One is named only if the figures that changed agree with
 * it: another BLAS moves matmuls but not toise's own peak loop, small pages slow passes over memory, and so on. */
#ifndef TOISE_COMPARE_CAUSES_H
#define TOISE_COMPARE_CAUSES_H

#include <jansson.h>

#include "base/error.h"

/* Launches of one work on both sides. */
struct compare_evidence {
    const json_t *const *base, *const *new; /* their records */
    int n, m;
    double log; /* of the ratio of rates, new over base */
};

/* What a launch's time is made of. */
enum compare_figure { COMPARE_PEAK, COMPARE_MATMUL, COMPARE_PASSES, COMPARE_COMMUNICATION, COMPARE_FIGURES };
struct compare_change {
    double log, low, high, p; /* of the ratio of speeds; NAN: unknown. low and high are ratios */
};

const char *compare_figure_name(enum compare_figure figure); /* "peak", "matmul", "passes", "communication" */
/* The speed of the multiply-add loop, of matmuls with attention, of passes over memory, and of messages. BASE_BROKEN:
 * out of memory. */
int compare_changes(const struct compare_evidence *x, struct compare_change changes[COMPARE_FIGURES],
                    struct base_error *e);
/* The mean share of CPU time that was lost to `what` while timing: "steal_s", "other_s" or "throttled_s". 0: unknown.
 */
double compare_lost(const json_t *const *records, int n, const char *what);

/* The likely causes, the strongest kind only: [{cause, key, base, new, agrees: [figures]}]. `key`, `base` and `new` are
 * absent if it is a disturbance. */
json_t *compare_causes(const struct compare_evidence *x, const struct compare_change changes[COMPARE_FIGURES]);

#endif
