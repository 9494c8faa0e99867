/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict on a case's variants: fractions of the roofline (Williams et al. 2009), and PASSED or the first reason
 * against it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/kernel_bench.h"

/* The least seconds of a call that the roofs allow. */
static double least_s(const struct bench_kernel_set *set) {
    const double compute = set->flop > 0 ? set->flop / set->peak : 0, memory = set->bytes / set->bandwidth;
    return fmax(compute, memory);
}

static int disturbed(const struct bench_kernel_result *r) {
    int count = 0;
    for (int i = 0; i < r->timed.samples.count; i++)
        count += (r->timed.samples.marks[i] & (MEASURE_MARK_STEAL | MEASURE_MARK_LOAD)) != 0;
    return count;
}

/* Whether a rate above the roof is within the burst that a quota allows in the time of all samples. */
static bool burst(const struct bench_kernel_result *r, double period_s) {
    const double seconds = period_s > 0 ? measure_quota_window(period_s) * r->timed.samples.count : 0;
    return period_s > 0 && r->fraction > 1 && r->fraction <= 1 + period_s / seconds;
}

static void judge(struct bench_kernel_result *r, const struct bench_kernel_options *o, double quota_period_s) {
    const double half = (r->timed.call.high - r->timed.call.low) / 2 / r->timed.call.median;
    r->status = RECORD_PASSED;
    r->why[0] = 0;
    if (!(r->residual <= CHECK_THRESHOLD)) {
        r->status = RECORD_FAILED;
        snprintf(r->why, sizeof r->why, "wrong result: residual %.4g, threshold %g", r->residual, CHECK_THRESHOLD);
    } else if (burst(r, quota_period_s)) {
        r->status = RECORD_INCONCLUSIVE;
        snprintf(r->why, sizeof r->why, "%.3f of the measured roof: a burst of the CPU quota; raise --seconds",
                 r->fraction);
    } else if (r->fraction > 1 && !r->loaded) {
        r->status = RECORD_FAILED;
        snprintf(r->why, sizeof r->why, "%.3f of the measured roof: a rate above it, so the roof is wrong",
                 r->fraction);
    } else if (r->timed.call.confidence < MEASURE_CONFIDENCE) {
        r->status = RECORD_INCONCLUSIVE;
        snprintf(r->why, sizeof r->why, "%d samples are too few for a %g%% interval: raise --seconds",
                 r->timed.samples.count, 100 * MEASURE_CONFIDENCE);
    } else if (half > o->width) {
        r->status = RECORD_INCONCLUSIVE;
        snprintf(r->why, sizeof r->why,
                 "the %s's interval is +-%.1f%%, wider than the +-%.1f%% asked for; others took CPU time in %d of %d "
                 "samples",
                 quota_period_s > 0 ? "mean" : "median", 100 * half, 100 * o->width, disturbed(r),
                 r->timed.samples.count);
    }
}

void bench_kernel_verdict(struct bench_kernel_set *set, const struct bench_kernel_options *o) {
    const struct bench_kernel_result *openblas = NULL;
    set->bound = set->flop > 0 && set->flop / set->peak >= set->bytes / set->bandwidth ? BENCH_BOUND_COMPUTE
                                                                                       : BENCH_BOUND_MEMORY;
    for (int i = 0; i < set->count; i++) {
        struct bench_kernel_result *r = &set->results[i];
        r->fraction = r->timed.samples.count ? least_s(set) / r->timed.call.median : NAN;
        judge(r, o, set->quota_period_s);
        if (!strcmp(r->variant, "openblas") && r->status != RECORD_FAILED) openblas = r;
    }
    for (int i = 0; i < set->count; i++) {
        struct bench_kernel_result *r = &set->results[i];
        r->ratio_to_openblas =
            openblas && r->status != RECORD_FAILED ? openblas->timed.call.median / r->timed.call.median : NAN;
    }
}
