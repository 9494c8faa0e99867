/* SPDX-License-Identifier: Apache-2.0
 *
 * Prices every operation of the ledger, adds the messages, and sums up: phases, interval, label. */
#include "projection/measured_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/stats.h"

static const double UNKNOWN_DRIFT = 0.05; /* sd of a logarithm where fewer than three records have it */
/* Prior for launches: sd of log(time) from launch to launch, which counts as PRIOR_LAUNCHES of them. Kernels on virtual
 * machines of two cores, launched minutes apart, had 0.04 to 0.07. */
static const double PRIOR_LAUNCH_SD = 0.06;
enum { PRIOR_LAUNCHES = 3 };
static const double Z90 = 1.6448536269514722; /* normal distribution, two-sided 90% */
static const double BEYOND_MOST = 0.05;       /* share of an interpolated step that may be extrapolated */

const char *projection_basis_name(enum projection_basis basis) {
    static const char *const names[PROJECTION_BASES] = {"timed", "between", "beyond", "bytes"};
    return names[basis];
}

/* Geometric mean of the measured peak or bandwidth over records on as many threads; *sd is of the logarithm. */
static double measured_peak(const struct projection_pricing *p, bool bandwidth, double *sd) {
    double sum = 0, squares = 0;
    int n = 0;
    for (int i = 0; i < p->m->point_count; i++) {
        const struct machine_point *one = &p->m->points[i];
        const bool fits = one->threads == p->plan->request.threads &&
                          (bandwidth || one->dtype == projection_type_of(p->plan->shape.dtype));
        const double x = log(bandwidth ? one->bandwidth_byte_per_s : one->peak_flop_per_s);
        if (!fits || !isfinite(x)) continue;
        sum += x, squares += x * x, n++;
    }
    const double mean = sum / n;
    *sd = n > 2 ? sqrt(fmax(0, (squares - sum * mean) / (n - 1))) : UNKNOWN_DRIFT;
    return exp(mean);
}

/* How far the launch that trains may be from the recorded ones, as an sd of log(time). A launch's offset is its mean,
 * over shapes, of log(time / the shape's median). The prediction interval for one more launch is Student's. The sd
 * returned is that of the normal distribution with the same 90% interval. */
static double launch_drift(const struct projection_pricing *p) {
    double offset[MACHINE_REPEATS], mean = 0, squares = 0;
    int launches = 0;
    for (int r = 0; r < MACHINE_REPEATS; r++) {
        double shapes = 0;
        int n = 0;
        for (int i = 0; i < p->m->point_count; i++) {
            const struct machine_point *one = &p->m->points[i];
            if (one->threads != p->plan->request.threads || one->repeat_count < 2 || one->repeat_count <= r) continue;
            shapes += log(one->repeats[r] / one->call_s), n++;
        }
        if (n) offset[launches++] = shapes / n;
    }
    for (int r = 0; r < launches; r++) mean += offset[r] / launches;
    for (int r = 0; r < launches; r++) squares += (offset[r] - mean) * (offset[r] - mean);
    const int n = launches > 1 ? launches : 1, freedom = PRIOR_LAUNCHES + n - 1;
    const double variance = (PRIOR_LAUNCHES * PRIOR_LAUNCH_SD * PRIOR_LAUNCH_SD + squares) / freedom;
    return base_stats_student(0.95, freedom) / Z90 * sqrt(variance * (1 + 1.0 / n));
}

static void find_contention(struct projection_pricing *p) {
    const struct plan_request *r = &p->plan->request;
    p->r->matmul = p->r->pass = 1;
    for (int i = 0; i < p->m->contention_count; i++) { /* the latest record wins */
        const struct machine_contention *one = &p->m->contentions[i];
        if (one->threads != r->threads || one->ranks != plan_layout_world(&r->layout)) continue;
        p->r->matmul = fmin(1, one->matmul);
        p->r->pass = fmin(1, one->pass);
    }
}

static int price_messages(struct projection_pricing *p) {
    const struct plan *plan = p->plan;
    struct projection_measured *r = p->r;
    struct projection_overlap o;
    const double forward = projection_priced_seconds(r, PLAN_PHASE_FORWARD, NULL),
                 backward = projection_priced_seconds(r, PLAN_PHASE_BACKWARD, NULL);
    double embedding = 0;
    if (plan_layout_replicas(&plan->request.layout) == 1) return BASE_OK;
    for (int i = 0; i < r->count; i++)
        if (r->ops[i].phase == PLAN_PHASE_BACKWARD && !strcmp(r->ops[i].op, "embedding_backward"))
            embedding += r->ops[i].call_s;
    const double micro = (double)plan->accumulation, layers = (double)plan->part.layers;
    struct projection_passes passes = {(backward / micro - embedding) / layers, embedding, forward / micro / layers,
                                       projection_priced_seconds(r, PLAN_PHASE_UPDATE, NULL)};
    if (model_is_late(&plan->shape, 0)) /* the embedding's gradient is ready before any layer's */
        passes.layer_s = projection_priced_weights(r) / micro / layers, passes.embedding_s = 0;
    int code = projection_measured_overlap(p->m, plan, &passes, &o, p->e);
    if (code) return code;
    r->message_s = o.message_s, r->cost_s = o.cost_s, r->exposed_s = o.exposed_s;
    r->axis_s[PLAN_DP] = o.message_s, r->axis_exposed_s[PLAN_DP] = o.cost_s + o.exposed_s;
    const enum projection_basis basis = o.extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED;
    code = projection_price_add(p, (struct projection_priced){"all-reduce contention", "all_reduce", "",
                                                              PLAN_PHASE_BACKWARD, 1, o.cost_s, o.sd, basis,
                                                              p->m->message_count});
    if (code) return code;
    return projection_price_add(p, (struct projection_priced){"exposed all-reduce", "all_reduce", "",
                                                              PLAN_PHASE_COMMUNICATION, 1, o.exposed_s, o.sd, basis,
                                                              p->m->message_count});
}

/* Relative variance of the step without drift. Errors of one interpolation are fully correlated: all its operations are
 * slower, or all faster. Different interpolations and timed shapes are independent. */
static double relative_variance(const struct projection_measured *r) {
    double sum = 0;
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *one = &r->ops[i];
        const double own = one->count * one->call_s / r->step_s * one->sd;
        double correlated = 0;
        for (int k = 0; k < r->count && one->basis != PROJECTION_TIMED; k++) {
            const struct projection_priced *other = &r->ops[k];
            if (other->basis != PROJECTION_TIMED && !strcmp(other->op, one->op) && !strcmp(other->trans, one->trans))
                correlated += other->count * other->call_s / r->step_s * other->sd;
        }
        sum += own * (one->basis == PROJECTION_TIMED ? own : correlated);
    }
    return sum;
}

static enum projection_op_kind kind_of(const char *op) {
    if (!strcmp(op, "gemm")) return PROJECTION_MATMULS;
    if (projection_is_attention(op)) return PROJECTION_ATTENTIONS;
    if (!strcmp(op, "schedule")) return PROJECTION_STAGES;
    return strcmp(op, "all_reduce") ? PROJECTION_PASSES : PROJECTION_MESSAGES;
}

static void sum_up(struct projection_pricing *p, double drift_peak, double drift_bandwidth) {
    struct projection_measured *r = p->r;
    double beyond = 0;
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *one = &r->ops[i];
        const double seconds = one->count * one->call_s;
        r->phase_s[one->phase] += seconds;
        r->step_s += seconds;
        r->by_kind_s[kind_of(one->op)] += seconds;
        if (one->basis >= PROJECTION_BEYOND) beyond += seconds;
    }
    r->compute_s = r->step_s - r->by_kind_s[PROJECTION_MESSAGES] - r->by_kind_s[PROJECTION_STAGES];
    const double dense = r->by_kind_s[PROJECTION_MATMULS] + r->by_kind_s[PROJECTION_ATTENTIONS];
    const double roofs = (dense * drift_peak + (r->step_s - dense) * drift_bandwidth) / r->step_s;
    r->drift = fmax(roofs, launch_drift(p));
    const double sd = sqrt(relative_variance(r) + r->drift * r->drift);
    r->low_s = r->step_s * exp(-Z90 * sd);
    r->high_s = r->step_s * exp(Z90 * sd);
    r->interpolated = beyond <= BEYOND_MOST * r->step_s;
    if (!r->interpolated)
        snprintf(r->why, sizeof r->why, "%.0f%% of the step are shapes or messages outside the timed range",
                 100 * beyond / r->step_s);
}

/* By how much an operation takes longer than the ledger's balanced loads say: all wait for the busiest rank's experts.
 * Of the passes that sort rows half are at the tokens' home. */
static double busiest(const struct plan *p, const struct plan_op *o) {
    const double times =
        model_route_busiest(&p->shape.route, p->part.experts, plan_layout_expert_ranks(&p->request.layout));
    const bool of_rows = p->part.experts > 0 && !strncmp(o->op, "swiglu", 6) && strncmp(o->name, "shared", 6);
    if (o->ragged || of_rows) return times;
    return strcmp(o->op, "rows_gather") ? 1 : (1 + times) / 2;
}

int projection_price_rank(struct projection_pricing *p) {
    const struct plan *plan = p->plan;
    const double tokens = (double)(plan->shape.batch * plan->shape.seq);
    int code = BASE_OK;
    for (int i = 0; i < plan->ledger.count && !code; i++) {
        const struct plan_op *o = &plan->ledger.ops[i];
        if (o->kind == PLAN_MESSAGE) continue;
        struct plan_op op = *o;
        op.count *= busiest(plan, o);
        code = o->kind == PLAN_PASS ? projection_price_pass(p, &op) : projection_price_dense(p, &op);
    }
    /* The batch is not in the ledger: 32 bytes a token for ids in and out and the loss's statistics. */
    if (!code) code = projection_price_bytes(p, "batch", PLAN_PHASE_BATCH, (double)plan->accumulation, tokens * 32);
    if (!code) code = projection_price_waits(p);
    return code ? code : price_messages(p);
}

int projection_measured_price(const struct machine *m, const struct plan *plan, struct projection_measured *result,
                              struct base_error *e) {
    struct projection_pricing p = {.m = m, .plan = plan, .r = result, .e = e};
    double drift_peak, drift_bandwidth;
    *result = (struct projection_measured){0};
    find_contention(&p);
    result->peak_flop_per_s = measured_peak(&p, false, &drift_peak);
    p.bandwidth = measured_peak(&p, true, &drift_bandwidth);
    if (!isfinite(p.bandwidth)) p.bandwidth = m->accelerator.memory_bytes_per_s.value;
    const int code = plan->request.layout.pp > 1 ? projection_price_stages(&p) : projection_price_rank(&p);
    if (!code) sum_up(&p, drift_peak, drift_bandwidth);
    return code;
}
