/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run is worth: the first thing that speaks against it, the gate before all else. */
#include <math.h>
#include <stdio.h>

#include "run/train.h"

double run_utilisation(const struct run_train_result *r, double model_flop) {
    return model_flop / r->mean.mean / r->peak_flop_per_s;
}

bool run_measurable(const struct base_interval *i) {
    return i->confidence >= RUN_CONFIDENCE && i->low > 0;
}

static double timed_s(const struct run_train_result *r) {
    return r->mean.mean * r->timed;
}

bool run_burst(const struct run_train_result *r, double model_flop) {
    const double period = r->quota_period_s, all = timed_s(r);
    if (period <= 0) return false;
    const double mfu = run_utilisation(r, model_flop);
    return all < RUN_QUOTA_LEAST * period || (mfu > 1 && mfu <= 1 + period / all);
}

static void fail(struct run_train_result *r, enum run_status status, const char *format, double a, double b) {
    if (r->status != RUN_PASSED) return;
    r->status = status;
    snprintf(r->why, sizeof r->why, format, a, b);
}

/* Names the check that failed worst. */
static void fail_gate(struct run_train_result *r) {
    int worst = 0;
    for (int i = 1; i < RUN_CHECKS; i++)
        if (!(r->gate.residual[i] <= r->gate.residual[worst]) && !isnan(r->gate.residual[i])) worst = i;
    r->status = RUN_FAILED;
    snprintf(r->why, sizeof r->why, "the gate's check of %s: residual %.4g, threshold %g%s%s",
             run_check_text((enum run_check)worst), r->gate.residual[worst], RUN_THRESHOLD,
             r->gate.where[worst][0] ? ": " : "", r->gate.where[worst]);
}

void run_verdict(struct run_train_result *r, const struct run_train_options *o, double model_flop) {
    r->status = RUN_PASSED;
    if (!run_gate_passed(&r->gate)) fail_gate(r);
    if (!r->timed) return;
    if (r->covered < 0.98) fail(r, RUN_FAILED, "windows cover %.3f of the wall time, under 0.98", r->covered, 0);
    if (run_burst(r, model_flop))
        fail(r, RUN_INCONCLUSIVE,
             "the timed steps last %.3g s, too short for a CPU quota with a period of %g s: more --steps", timed_s(r),
             r->quota_period_s);
    const double mfu = run_utilisation(r, model_flop);
    if (mfu > 1 && r->status != RUN_INCONCLUSIVE)
        fail(r, RUN_FAILED, "MFU %.3f: nothing beats the measured peak, so the peak is wrong", mfu, 0);
    if (!o->gate) fail(r, RUN_INCONCLUSIVE, "nothing says that the answer is right (--no-gate)", 0, 0);
    const double half = (r->step.high - r->step.low) / 2 / r->step.median;
    if (!o->steps && r->step.confidence < RUN_CONFIDENCE)
        fail(r, RUN_INCONCLUSIVE, "timed steps within --budget: %g, too few for a %g%% interval", r->timed,
             100 * RUN_CONFIDENCE);
    if (!o->steps && half > o->width)
        fail(r, RUN_INCONCLUSIVE, "the median's interval is +-%.2f%% where %.2f%% was asked", 100 * half,
             100 * o->width);
}
