/* SPDX-License-Identifier: Apache-2.0
 *
 * From the ledger to priced operations. */
#include "projection/measured_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double UNKNOWN_DRIFT = 0.05;
/* What launches are apart where few were made: sd of the logarithm of launches of kernels on virtual machines of two
 * cores (0.04 to 0.07, minutes apart), which counts as PRIOR launches beside those that were made. */
static const double UNKNOWN_APART = 0.06;
enum { PRIOR = 3 };
static const double Z90 = 1.6448536269514722; /* of a normal distribution, two-sided 90% */
static const double FEW = 0.05;               /* share of a step that may be beyond what was timed */

const char *projection_basis_name(enum projection_basis basis) {
    static const char *const names[PROJECTION_BASES] = {"timed", "between", "beyond", "bytes"};
    return names[basis];
}

/* Geometric mean, and the logarithm's standard deviation, over the points of these threads that have it. */
static double middle(const struct projection_pricing *p, bool bandwidth, double *sd) {
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

/* Two-sided 90% of Student's t, to 0.3% from 3 degrees of freedom on (Abramowitz and Stegun 1964, 26.7.5). */
static double student90(double freedom) {
    const double z = Z90, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

/* How far the launch that trains may be from the median of those that timed, whole launches as they are: sd of the
 * normal distribution as wide, in its 90%, as Student's over the launches, which were apart by the mean, over shapes,
 * of the logarithm of their times to the shape's median. */
static double apart(const struct projection_pricing *p) {
    double mean[MACHINE_REPEATS], sum = 0, squares = 0;
    int launches = 0;
    for (int r = 0; r < MACHINE_REPEATS; r++) {
        double shapes = 0;
        int n = 0;
        for (int i = 0; i < p->m->point_count; i++) {
            const struct machine_point *one = &p->m->points[i];
            if (one->threads != p->plan->request.threads || one->repeat_count < 2 || one->repeat_count <= r) continue;
            shapes += log(one->repeats[r] / one->call_s), n++;
        }
        if (n) mean[launches++] = shapes / n;
    }
    for (int r = 0; r < launches; r++) sum += mean[r] / launches;
    for (int r = 0; r < launches; r++) squares += (mean[r] - sum) * (mean[r] - sum);
    const int seen = launches > 1 ? launches : 1, freedom = PRIOR + seen - 1;
    const double variance = (PRIOR * UNKNOWN_APART * UNKNOWN_APART + squares) / freedom;
    return student90(freedom) / Z90 * sqrt(variance * (1 + 1.0 / seen));
}

static void find_contention(struct projection_pricing *p) {
    const struct plan_request *r = &p->plan->request;
    p->r->matmul = p->r->pass = 1;
    for (int i = 0; i < p->m->contention_count; i++) { /* the last one counts */
        const struct machine_contention *one = &p->m->contentions[i];
        if (one->threads != r->threads || one->ranks != r->layout.dp) continue;
        p->r->matmul = fmin(1, one->matmul);
        p->r->pass = fmin(1, one->pass);
    }
}

static int price_messages(struct projection_pricing *p) {
    const struct plan *plan = p->plan;
    struct projection_measured *r = p->r;
    struct projection_overlap o;
    double backward = 0, embedding = 0;
    if (plan->request.layout.dp == 1) return BASE_OK;
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *one = &r->ops[i];
        if (one->phase != PLAN_PHASE_BACKWARD) continue;
        backward += one->count * one->call_s;
        if (!strcmp(one->op, "embedding_backward")) embedding += one->call_s;
    }
    const double micro = (double)plan->accumulation, layers = (double)plan->request.config.layers;
    int code = projection_measured_overlap(p->m, plan, (backward / micro - embedding) / layers, embedding, &o, p->e);
    if (code) return code;
    r->message_s = o.message_s, r->cost_s = o.cost_s, r->exposed_s = o.exposed_s;
    const enum projection_basis basis = o.extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED;
    code = projection_price_add(p, (struct projection_priced){"sums beside backward", "all_reduce", "",
                                                              PLAN_PHASE_BACKWARD, 1, o.cost_s, o.sd, basis,
                                                              p->m->message_count});
    if (code) return code;
    return projection_price_add(p, (struct projection_priced){"sums after backward", "all_reduce", "",
                                                              PLAN_PHASE_COMMUNICATION, 1, o.exposed_s, o.sd, basis,
                                                              p->m->message_count});
}

/* Errors of one fit go together, those of different fits do not, nor do those of shapes that were timed: what these
 * have in common is the machine's drift. */
static double variance(const struct projection_measured *r) {
    double sum = 0;
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *one = &r->ops[i];
        const double own = one->count * one->call_s / r->step_s * one->sd;
        double together = 0;
        for (int k = 0; k < r->count && one->basis != PROJECTION_TIMED; k++) {
            const struct projection_priced *other = &r->ops[k];
            if (other->basis != PROJECTION_TIMED && !strcmp(other->op, one->op) && !strcmp(other->trans, one->trans))
                together += other->count * other->call_s / r->step_s * other->sd;
        }
        sum += own * (one->basis == PROJECTION_TIMED ? own : together);
    }
    return sum;
}

static enum projection_op_kind kind_of(const char *op) {
    if (!strcmp(op, "gemm")) return PROJECTION_MATMULS;
    if (projection_is_attention(op)) return PROJECTION_ATTENTIONS;
    return strcmp(op, "all_reduce") ? PROJECTION_PASSES : PROJECTION_MESSAGES;
}

static void settle(struct projection_pricing *p, double drift_peak, double drift_bandwidth) {
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
    r->compute_s = r->step_s - r->cost_s - r->exposed_s;
    const double dense = r->by_kind_s[PROJECTION_MATMULS] + r->by_kind_s[PROJECTION_ATTENTIONS];
    const double roofs = (dense * drift_peak + (r->step_s - dense) * drift_bandwidth) / r->step_s;
    r->drift = fmax(roofs, apart(p));
    const double sd = sqrt(variance(r) + r->drift * r->drift);
    r->low_s = r->step_s * exp(-Z90 * sd);
    r->high_s = r->step_s * exp(Z90 * sd);
    r->interpolated = beyond <= FEW * r->step_s;
    if (!r->interpolated)
        snprintf(r->why, sizeof r->why, "%.0f%% of the step are shapes or messages beyond those timed",
                 100 * beyond / r->step_s);
}

int projection_measured_price(const struct machine *m, const struct plan *plan, struct projection_measured *result,
                              struct base_error *e) {
    struct projection_pricing p = {.m = m, .plan = plan, .r = result, .e = e};
    double drift_peak, drift_bandwidth;
    *result = (struct projection_measured){0};
    const double tokens = (double)(plan->shape.batch * plan->shape.seq);
    int code = BASE_OK;
    find_contention(&p);
    result->peak_flop_per_s = middle(&p, false, &drift_peak);
    p.bandwidth = middle(&p, true, &drift_bandwidth);
    if (!isfinite(p.bandwidth)) p.bandwidth = m->accelerator.memory_bytes_per_s.value;
    for (int i = 0; i < plan->ledger.count && !code; i++) {
        const struct plan_op *o = &plan->ledger.ops[i];
        if (o->kind == PLAN_MESSAGE) continue;
        code = o->kind == PLAN_PASS ? projection_price_pass(&p, o) : projection_price_dense(&p, o);
    }
    /* tokens in and out, and what the loss keeps of each: beside the ledger, and small */
    if (!code) code = projection_price_bytes(&p, "batch", PLAN_PHASE_BATCH, (double)plan->accumulation, tokens * 32);
    if (!code) code = price_messages(&p);
    if (!code) settle(&p, drift_peak, drift_bandwidth);
    return code;
}
