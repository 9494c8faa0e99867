/* SPDX-License-Identifier: Apache-2.0
 *
 * Refuses what cannot be true of any run, as it must be a typing error. */
#include <math.h>
#include <string.h>

#include "fit/published.h"
#include "plan/ledger.h"

/* A row's rate and time may differ by this much, as both are rounded. */
static const double AGREE = 0.1;
/* Conventions of FLOP/s differ: recomputation adds a third, attention's whole square up to a factor of 2. */
static const double FLOP_LEAST = 0.5, FLOP_MOST = 3;

/* Embedding and head, which may take a stage each. */
enum { ENDS = 2 };

static int check_experts(const double x[FIT_NUMBERS], struct base_error *e) {
    const double ranks = x[FIT_TP] * x[FIT_CP] * x[FIT_DP], etp = isnan(x[FIT_ETP]) ? 1 : x[FIT_ETP];
    if (isnan(x[FIT_EXPERTS])) {
        if (x[FIT_EP] == 1) return BASE_OK;
        return base_fail(e, BASE_USAGE, "ep %g, but experts is blank: give the experts of a layer", x[FIT_EP]);
    }
    if (isnan(x[FIT_ACTIVE]))
        return base_fail(e, BASE_USAGE, "experts_per_token is blank: give the experts that a token passes");
    if (fmod(x[FIT_EXPERTS], x[FIT_EP]) != 0)
        return base_fail(e, BASE_USAGE, "ep %g does not divide experts %g; correct one of them", x[FIT_EP],
                         x[FIT_EXPERTS]);
    if (fmod(ranks, x[FIT_EP] * etp) != 0)
        return base_fail(e, BASE_USAGE, "ep %g x etp %g does not divide the %g ranks of a pipeline stage; correct one",
                         x[FIT_EP], etp, ranks);
    return BASE_OK;
}

int fit_published_check_layout(const double x[FIT_NUMBERS], bool placed, bool slots, struct base_error *e) {
    const double world = x[FIT_TP] * x[FIT_PP] * x[FIT_DP] * x[FIT_CP];
    if (placed && world != x[FIT_ACCELERATORS])
        return base_fail(e, BASE_USAGE, "tp x pp x dp x cp is %g, n_accelerators %g; correct one of them", world,
                         x[FIT_ACCELERATORS]);
    if (fmod(x[FIT_HEADS], x[FIT_TP]) != 0)
        return base_fail(e, BASE_USAGE, "tp %g does not divide heads %g; correct one of them", x[FIT_TP], x[FIT_HEADS]);
    if (isnan(x[FIT_HEAD_DIM]) && fmod(x[FIT_HIDDEN], x[FIT_HEADS]) != 0)
        return base_fail(e, BASE_USAGE, "heads %g does not divide hidden %g; correct one of them", x[FIT_HEADS],
                         x[FIT_HIDDEN]);
    if (x[FIT_KV_HEADS] > x[FIT_HEADS])
        return base_fail(e, BASE_USAGE, "kv_heads %g are more than heads %g; correct it, or leave it blank if equal",
                         x[FIT_KV_HEADS], x[FIT_HEADS]);
    if (x[FIT_PP] > x[FIT_LAYERS] + (slots ? ENDS : 0))
        return base_fail(e, BASE_USAGE, "pp %g is more than layers %g%s; correct one of them", x[FIT_PP], x[FIT_LAYERS],
                         slots ? ", embedding and head as stages of their own" : ", and pipeline_slots is False");
    if (x[FIT_GLOBAL_BATCH] < x[FIT_DP])
        return base_fail(e, BASE_USAGE,
                         "global_batch %g is less than dp %g, so a rank would have no sequence; give the sequences "
                         "of all ranks",
                         x[FIT_GLOBAL_BATCH], x[FIT_DP]);
    return check_experts(x, e);
}

int fit_published_check_time(const double x[FIT_NUMBERS], const struct fit_run *run, struct base_error *e) {
    const double peak = cost_job_peak(&run->job);
    if (peak == 0)
        return base_fail(e, BASE_USAGE, "the accelerator's data sheet has no %s",
                         run->job.traits.precision == COST_FP4 ? "fp4" : "fp8");
    const double tokens_s = x[FIT_GLOBAL_BATCH] * x[FIT_SEQ] / (x[FIT_TOKENS] * x[FIT_ACCELERATORS]);
    if (fabs(tokens_s / x[FIT_TIME] - 1) > AGREE)
        return base_fail(e, BASE_USAGE,
                         "iteration_s %g, but tokens_per_s_per_accel %g makes it %g: leave the wrong one blank",
                         x[FIT_TIME], x[FIT_TOKENS], tokens_s);
    const struct plan_flop flop = plan_flop_count(&run->job.model, &run->job.batch, PLAN_RECOMPUTE_NONE);
    const double rate = flop.model / (x[FIT_ACCELERATORS] * run->measured_s);
    if (rate > peak)
        return base_fail(e, BASE_USAGE,
                         "iteration_s %.4g is %.0f TFLOP/s an accelerator, above the dense peak of %.0f; give "
                         "it in seconds, and global_batch in sequences",
                         run->measured_s, rate / 1e12, peak / 1e12);
    if (x[FIT_TFLOPS] * 1e12 > peak)
        return base_fail(e, BASE_USAGE,
                         "tflops_per_accel %g is above the dense peak of %.0f; is it for several accelerators, or "
                         "of a sparse peak?",
                         x[FIT_TFLOPS], peak / 1e12);
    if (x[FIT_TFLOPS] * 1e12 > FLOP_MOST * rate || x[FIT_TFLOPS] * 1e12 < FLOP_LEAST * rate)
        return base_fail(e, BASE_USAGE,
                         "tflops_per_accel %g, but iteration_s %.4g makes it %.1f, which no convention explains: "
                         "leave the wrong one blank",
                         x[FIT_TFLOPS], run->measured_s, rate / 1e12);
    return BASE_OK;
}

double fit_published_flop_s(const double x[FIT_NUMBERS], const struct cost_job *job, const char *convention,
                            bool causal) {
    const bool full = !strcmp(convention, "megatron-full-recompute");
    const struct plan_flop flop =
        plan_flop_count(&job->model, &job->batch, full ? PLAN_RECOMPUTE_FULL : job->layout.recompute);
    /* recomputed FLOP are hardware less model FLOP */
    const double recomputed = full || !strcmp(convention, "hardware") ? flop.hardware - flop.model : 0;
    return ((causal ? flop.model : flop.model_square) + recomputed) / (x[FIT_TFLOPS] * 1e12 * x[FIT_ACCELERATORS]);
}
