/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict on a run: PASSED, or the first reason against it. The gate comes first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guard/stop.h"
#include "train/train.h"

static const double UNCOVERED_MOST_S = 0.1;

const char *train_stopped_text(int stopped) {
    return stopped == TRAIN_STOPPED_JOURNAL ? "a journal that cannot be written"
           : stopped == TRAIN_STOPPED_SAVE  ? "a checkpoint that cannot be saved"
                                            : guard_stop_name(stopped);
}

double train_utilisation(const struct train_result *r, double hardware_flop) {
    return hardware_flop / r->mean.mean / r->peak_flop_per_s;
}

double train_half_width(const struct train_result *r) {
    return r->timed < 2 ? INFINITY : (r->mean.high - r->mean.low) / 2 / r->mean.mean;
}

static double timed_s(const struct train_result *r) {
    return r->mean.mean * r->timed;
}

bool train_burst(const struct train_result *r, double hardware_flop) {
    const double period = r->quota_period_s, all = timed_s(r);
    if (period <= 0) return false;
    const double hfu = train_utilisation(r, hardware_flop);
    return all < TRAIN_QUOTA_LEAST * period || (hfu > 1 && hfu <= 1 + period / all);
}

static void fail(struct train_result *r, enum record_status status, const char *format, double a, double b) {
    if (r->status != RECORD_PASSED) return;
    r->status = status;
    snprintf(r->why, sizeof r->why, format, a, b);
}

/* Names the check that failed by most. */
static void fail_gate(struct train_result *r) {
    int worst = 0;
    for (int i = 1; i < CHECK_COUNT; i++)
        if (!(r->gate.residual[i] <= r->gate.residual[worst]) && !isnan(r->gate.residual[i])) worst = i;
    r->status = RECORD_FAILED;
    snprintf(r->why, sizeof r->why, "the gate's check of %s: residual %.4g, threshold %g%s%s",
             check_text((enum check)worst), r->gate.residual[worst], CHECK_THRESHOLD,
             r->gate.where[worst][0] ? ": " : "", r->gate.where[worst]);
}

/* A run that was stopped is judged by the same rules, but it has not done the steps it was asked for. */
static void judge_stop(struct train_result *r, const struct train_options *o) {
    char before[sizeof r->why];
    const char *by = train_stopped_text(r->stopped);
    if (!r->stopped) return;
    if (r->status == RECORD_PASSED && (!r->timed || r->timed < o->steps)) {
        r->status = RECORD_INCONCLUSIVE;
        snprintf(r->why, sizeof r->why,
                 o->steps && r->timed ? "stopped by %s after %d of %d timed steps"
                                      : "stopped by %s before a timed step",
                 by, r->timed, o->steps);
        return;
    }
    if (r->status == RECORD_PASSED) return;
    memcpy(before, r->why, sizeof before);
    snprintf(r->why, sizeof r->why, "stopped by %s; %.200s", by, before);
}

/* A rate counts steps in windows, so time in no window contradicts it. A rank that waits for a core between two windows
 * loses a few of the scheduler's slices: on a short run that is a large share, and proves nothing. */
static void check_covered(struct train_result *r) {
    if (r->covered >= 0.98) return;
    if (r->uncovered_s >= UNCOVERED_MOST_S)
        fail(r, RECORD_FAILED, "windows cover %.3f of the wall time, under 0.98", r->covered, 0);
    else
        fail(r, RECORD_INCONCLUSIVE,
             "windows cover %.3f of the wall time, under 0.98, but a rank that waited %.2g s for a core would do that: "
             "raise --steps",
             r->covered, r->uncovered_s);
}

static void judge(struct train_result *r, const struct train_options *o, double hardware_flop) {
    r->status = RECORD_PASSED;
    if (!gate_passed(&r->gate)) fail_gate(r);
    if (!r->timed) return;
    if (train_burst(r, hardware_flop))
        fail(r, RECORD_INCONCLUSIVE,
             "the timed steps last %.3g s, too short for a CPU quota with a period of %g s: more --steps", timed_s(r),
             r->quota_period_s);
    const double hfu = train_utilisation(r, hardware_flop);
    if (hfu > 1 && r->status != RECORD_INCONCLUSIVE && !o->loaded)
        fail(r, RECORD_FAILED, "MFU %.3f: a rate above the measured peak, so the peak is wrong", hfu, 0);
    check_covered(r);
    if (!o->gate) fail(r, RECORD_INCONCLUSIVE, "the answer was not checked (--no-gate)", 0, 0);
    const double half = train_half_width(r);
    r->too_wide = r->status == RECORD_PASSED && !o->one_of_many && half > o->ci;
    if (r->too_wide && isfinite(half))
        fail(r, RECORD_INCONCLUSIVE,
             "within this launch the mean step is known to +-%.3g%%, not to the +-%.3g%% asked for: raise --steps, "
             "--budget or --ci",
             100 * half, 100 * o->ci);
    if (r->too_wide) fail(r, RECORD_INCONCLUSIVE, "one timed step has no interval: raise --steps or --budget", 0, 0);
}

void train_verdict(struct train_result *r, const struct train_options *o, double hardware_flop) {
    judge(r, o, hardware_flop);
    judge_stop(r, o);
}
