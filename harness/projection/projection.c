/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches the layout, prices its step, then finds the interval and the label. The interval's ends take the machine's
 * facts at their slow and fast ends. */
#include "projection/projection.h"

#include <math.h>

enum { BATCH_TOKENS = 1 << 22 };
static const struct cost_ablation whole;

void projection_question_default(const struct model_config *config, struct projection_question *q) {
    const int64_t positions = config->positions >= MODEL_ENDLESS ? 2048 : config->positions;
    *q = (struct projection_question){
        .config = config,
        .dtype = MACHINE_DTYPES,
        .framework = COST_MEGATRON_CORE,
        .fused = PLAN_FREE,
        .choice = plan_layout_free(),
        .seq = positions < 8192 ? positions : 8192,
    };
    q->global_batch = BATCH_TOKENS / q->seq;
}

int projection_question_sequence(struct projection_question *q, int64_t seq, struct base_error *e) {
    if (seq > q->config->positions)
        return base_fail(e, BASE_USAGE, "--seq %lld: %s has only %lld positions; give --seq %lld or less",
                         (long long)seq, q->config->name, (long long)q->config->positions,
                         (long long)q->config->positions);
    q->seq = seq, q->global_batch = seq < BATCH_TOKENS ? BATCH_TOKENS / seq : 1;
    return BASE_OK;
}

double projection_round_accelerators(const struct machine *m, double most) {
    const double node = m->node.accelerators.value, nodes = most / node, power = exp2(floor(log2(nodes)));
    if (nodes < 2) return most < node ? most : node;
    return node * (1.5 * power <= nodes ? 1.5 * power : power);
}

static int count_accelerators(const struct machine *m, const struct projection_question *q, double *accelerators,
                              struct base_error *e) {
    const double all = m->accelerators.value, node = m->node.accelerators.value;
    if (q->accelerators == 0 && !(all > 0))
        return base_fail(e, BASE_USAGE, "--machine %s: its number of accelerators is unknown; give --accelerators N",
                         m->name);
    *accelerators = q->accelerators > 0 ? q->accelerators : projection_round_accelerators(m, all);
    if (all > 0 && *accelerators > m->accelerators.high)
        return base_fail(e, BASE_USAGE, "--accelerators %.0f: %s has only %.0f; give fewer, or --set accelerators=%.0f",
                         *accelerators, m->name, m->accelerators.high, *accelerators);
    if (*accelerators > node && fmod(*accelerators, node) != 0)
        return base_fail(e, BASE_USAGE, "--accelerators %.0f: a node of %s has %.0f; give whole nodes, as %.0f or %.0f",
                         *accelerators, m->name, node, floor(*accelerators / node) * node,
                         ceil(*accelerators / node) * node);
    return BASE_OK;
}

static void traits(const struct projection_question *q, enum machine_dtype dtype, const struct machine_class *class,
                   struct cost_traits *x) {
    const struct cost_job job = {.model.family = q->config->family, .layout = {.dp = 0, .sequence_parallel = true}};
    cost_traits_default(&job, q->framework, x);
    const bool narrow = dtype == MACHINE_BF16 || dtype == MACHINE_FP16;
    x->flash = q->fused == PLAN_FREE ? x->flash && class->fused_attention.value != 0 : q->fused;
    x->blocking = q->blocking, x->slots = q->slots, x->tied = q->config->tied;
    x->eager = x->eager || q->eager;
    x->overlap_dp = x->overlap_dp && !q->blocking;
    x->fp32 = !narrow;
    x->weight_bytes = narrow ? 2 : 4;
    x->grad_bytes = q->grad_bytes > 0 ? q->grad_bytes : x->weight_bytes;
    x->sum_bytes = x->deepspeed && dtype == MACHINE_BF16 ? 4 : 0;
}

static int ask_of(const struct machine *m, const struct projection_question *q, enum machine_dtype dtype,
                  double accelerators, struct cost_ask *ask, const char **unlike, struct base_error *e) {
    *ask = (struct cost_ask){.config = q->config, .choice = q->choice, .seq = q->seq, .global_batch = q->global_batch};
    int code =
        cost_platform_fill(m, dtype, accelerators / m->node.accelerators.value, COST_MIDDLE, &ask->platform, unlike, e);
    if (code) return code;
    traits(q, dtype, ask->platform.class, &ask->traits);
    ask->ranks = (int)(accelerators * ask->platform.node_accelerators / m->node.accelerators.value);
    return BASE_OK;
}

static double nodes_of(const struct projection *p) {
    return p->accelerators / p->machine->node.accelerators.value;
}

/* One end of the interval, with the machine's facts at that end. */
static int bound(const struct fit_result *fitted, struct projection *p, enum cost_side side, struct base_error *e) {
    struct cost_job job = p->job;
    struct cost_step step;
    double low, high;
    int code = cost_platform_fill(p->machine, p->dtype, nodes_of(p), side, &job.platform, NULL, e);
    if (code) return code;
    cost_step(&job, &fitted->parameters, &whole, &step);
    fit_interval(&fitted->intervals, &job, step.total, &low, &high);
    *(side == COST_SLOW ? &p->high_s : &p->low_s) = side == COST_SLOW ? high : low;
    return BASE_OK;
}

/* Refuses a step that would run above the peak. */
static int check(const struct fit_result *fitted, const struct projection *p, struct base_error *e) {
    const struct projection_rates x = projection_rates(p);
    if (x.mfu > 0 && x.hfu > 0 && x.mfu <= 1 && x.hfu <= 1 && isfinite(p->low_s) && isfinite(p->high_s)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s with the parameters of %s: a step of %g s is impossible (MFU %.1f%%, HFU %.1f%%); correct "
                     "the parameters, or the peak and the shares in the machine's file",
                     p->machine->name, fitted->path, p->step.total, 100 * x.mfu, 100 * x.hfu);
}

static void label(const struct fit_result *fitted, const char *unlike, struct projection *p) {
    const struct machine *m = p->machine;
    p->label = COST_EXTRAPOLATED;
    p->why = unlike;
    if (!unlike && p->job.layout.schedule != PLAN_1F1B && p->job.layout.pp > 1)
        unlike = p->why = "no run with this pipeline schedule was fitted";
    if (!unlike && p->job.traits.fp32) unlike = p->why = "no run in 32-bit precision was fitted";
    if (m->announced || m->hypothetical) {
        p->label = COST_PROMISED;
        p->why = m->announced ? "the machine is announced" : "the machine is hypothetical";
    } else if (!unlike && fit_interpolates(&fitted->intervals, &p->job)) {
        p->label = COST_INTERPOLATED;
    } else if (!unlike) {
        double low, high;
        p->why = fit_interval(&fitted->intervals, &p->job, 1, &low, &high)
                     ? "larger than any fitted run with this accelerator, framework, network and kind"
                     : "no run with this accelerator, framework, network and kind was fitted";
    }
}

static int price(const struct fit_result *fitted, const struct projection_question *q, const char *unlike,
                 struct projection *p, struct base_error *e) {
    cost_step(&p->job, &fitted->parameters, &whole, &p->step);
    p->flop = plan_flop_count(&p->job.model, &p->job.batch, p->job.layout.recompute);
    p->memory = cost_search_memory(q->config, &p->job);
    p->memory_needed = cost_memory_needed(&p->memory);
    p->fits = p->memory_needed <= p->job.platform.memory_bytes;
    int code = bound(fitted, p, COST_SLOW, e);
    if (!code) code = bound(fitted, p, COST_FAST, e);
    if (!code) code = check(fitted, p, e);
    if (!code) label(fitted, unlike, p);
    return code;
}

int projection_make(const struct machine *m, const struct projection_question *q, const struct fit_result *fitted,
                    int most, struct projection *p, struct cost_search *search, struct base_error *e) {
    struct cost_ask ask;
    const char *unlike = NULL;
    *search = (struct cost_search){0};
    *p = (struct projection){.machine = m};
    p->dtype = q->dtype == MACHINE_DTYPES ? cost_platform_dtype(m) : q->dtype;
    int code = count_accelerators(m, q, &p->accelerators, e);
    if (!code) code = ask_of(m, q, p->dtype, p->accelerators, &ask, &unlike, e);
    struct base_error first = {0};
    if (!code) code = cost_search(&ask, &fitted->parameters, most, search, &first);
    const double fewer = p->accelerators * 2 / 3;
    if (code && q->accelerators == 0 && fewer > 0 &&
        fmod(fewer, m->node.accelerators.value) == 0) { /* 3 x 2^i may not divide a small model: try 2^(i+1) */
        cost_search_free(search);
        *search = (struct cost_search){0};
        p->accelerators = fewer;
        if (!ask_of(m, q, p->dtype, fewer, &ask, &unlike, NULL))
            code = cost_search(&ask, &fitted->parameters, most, search, NULL);
    }
    if (first.code && code && e) *e = first;
    if (code) return code;
    const struct cost_layout_price *x = search->count ? &search->best[0] : &search->least;
    cost_search_job(&ask, &x->layout, &p->job);
    return price(fitted, q, unlike, p, e);
}

struct projection_rates projection_rates(const struct projection *p) {
    const double time = p->step.total, peak = p->job.platform.peak_flop_per_s * p->job.accelerators * time;
    return (struct projection_rates){
        .tokens_per_s = (double)p->job.batch.global_batch * (double)p->job.batch.seq / time,
        .flop_per_s = p->flop.model / time / p->accelerators,
        .flop_per_s_square = p->flop.model_square / time / p->accelerators,
        .mfu = p->flop.model / peak,
        .hfu = p->flop.hardware / peak,
    };
}
