/* SPDX-License-Identifier: Apache-2.0
 *
 * Times of messages on a measured machine by its all-reduces, and how much of them overlaps backward. */
#include <math.h>
#include <string.h>

#include "config/params.h"
#include "projection/kriging.h"
#include "projection/measured_ops.h"

static const double BEYOND_MOST = 0.1;  /* share of all messages' time: the gathered rows take less */
static const double UNKNOWN_SIZE = 0.2; /* sd of log(time) at an untimed size where only one or two were timed */

/* Records that price a message. */
struct timed {
    const struct machine_message *at[PROJECTION_KRIGING_MOST];
    int count;
    bool same_ranks; /* all on as many ranks as asked for */
};

/* Records on as many threads, and on as many ranks if there are any. The latest of a size wins. */
static struct timed find(const struct machine *m, int ranks, int threads) {
    struct timed k = {.count = 0};
    for (int i = 0; i < m->message_count; i++)
        k.same_ranks = k.same_ranks || (m->messages[i].threads == threads && m->messages[i].ranks == ranks);
    for (int i = m->message_count; i-- > 0 && k.count < PROJECTION_KRIGING_MOST;) {
        const struct machine_message *one = &m->messages[i];
        bool use = one->threads == threads && (!k.same_ranks || one->ranks == ranks);
        for (int j = 0; j < k.count; j++) use = use && !(k.at[j]->bytes == one->bytes && k.at[j]->ranks == one->ranks);
        if (use) k.at[k.count++] = one;
    }
    return k;
}

/* A ring's steps, each of alpha seconds, and the bytes that a link carries, each of beta seconds. */
static void ring(int ranks, double bytes, double *steps, double *carried) {
    *steps = 2.0 * (ranks - 1);
    *carried = *steps / ranks * bytes;
}

/* Least squares of relative errors. Neither result is negative. */
static void fit(const struct timed *k, double *alpha, double *beta) {
    double uu = 0, uv = 0, vv = 0, u1 = 0, v1 = 0;
    for (int i = 0; i < k->count; i++) {
        double u, v;
        ring(k->at[i]->ranks, k->at[i]->bytes, &u, &v);
        u /= k->at[i]->time_s, v /= k->at[i]->time_s;
        uu += u * u, uv += u * v, vv += v * v, u1 += u, v1 += v;
    }
    const double det = uu * vv - uv * uv;
    *alpha = det > 1e-12 * uu * vv ? (u1 * vv - v1 * uv) / det : 0;
    *beta = det > 1e-12 * uu * vv ? (v1 * uu - u1 * uv) / det : v1 / vv;
    if (*alpha < 0) *alpha = 0, *beta = v1 / vv;
    if (*beta < 0) *beta = 0, *alpha = u1 / uu;
}

static double by_fit(int ranks, double bytes, double alpha, double beta) {
    double steps, carried;
    ring(ranks, bytes, &steps, &carried);
    return alpha * steps + beta * carried;
}

static const struct machine_message *nearest(const struct timed *k, double bytes, bool with_hidden) {
    const struct machine_message *best = NULL;
    for (int i = 0; i < k->count; i++) {
        if (with_hidden && isnan(k->at[i]->hidden)) continue;
        if (!best || fabs(log(k->at[i]->bytes / bytes)) < fabs(log(best->bytes / bytes))) best = k->at[i];
    }
    return best;
}

int projection_measured_message(const struct machine *m, int ranks, int threads, double bytes,
                                struct projection_message_price *price, struct base_error *e) {
    const struct timed k = find(m, ranks, threads);
    double x[PROJECTION_KRIGING_MOST][PROJECTION_AXES] = {{0}}, y[PROJECTION_KRIGING_MOST], alpha, beta;
    double least = INFINITY, most = 0;
    if (!k.count)
        return base_fail(
            e, BASE_USAGE,
            "%s: no all-reduce of ranks of %d thread%s was timed; run mpirun -n %d toise comm --threads %d --out %s%s",
            m->path, threads, threads == 1 ? "" : "s", ranks, threads, m->path, projection_measured_unsure(m));
    fit(&k, &alpha, &beta);
    for (int i = 0; i < k.count; i++) {
        x[i][0] = log(k.at[i]->bytes);
        x[i][1] = log(k.at[i]->ranks);
        y[i] = log(k.at[i]->time_s / by_fit(k.at[i]->ranks, k.at[i]->bytes, alpha, beta));
        least = fmin(least, k.at[i]->bytes), most = fmax(most, k.at[i]->bytes);
    }
    const double q[PROJECTION_AXES] = {log(bytes), log(ranks)};
    struct projection_estimate residual; /* of log(time) to the fit */
    const int code = projection_krige(x, y, k.count, q, UNKNOWN_SIZE, &residual, e);
    if (code) return code;
    const struct machine_message *hidden = nearest(&k, bytes, true);
    *price = (struct projection_message_price){
        .seconds = by_fit(ranks, bytes, alpha, beta) * exp(residual.value),
        .sd = hypot(residual.sd, nearest(&k, bytes, false)->spread / 2), /* spread: half of a 95% interval */
        .hidden = hidden ? fmin(1, fmax(-1, hidden->hidden)) : 0,
        .extrapolated = !k.same_ranks || bytes < least || bytes > most};
    return BASE_OK;
}

int projection_measured_like(const struct machine *m, const char *op, int ranks, int threads, double bytes,
                             struct projection_message_price *price, struct base_error *e) {
    const bool half = strcmp(op, "all_reduce") != 0 && strcmp(op, "send") != 0;
    return projection_measured_message(m, ranks, threads, half ? bytes / 2 : bytes, price, e);
}

/* A micro-batch's backward, then the update. Times are seconds from the start of each. */
struct timeline {
    const struct machine *m;
    const struct plan *plan;
    const struct projection_passes *passes;
    double weight_bytes, layer_bytes, expert_bytes; /* of all weights, of a layer's, and of its experts' */
    double cost_s;                                  /* by how much messages slowed this backward so far */
    double idle;                                    /* when the last sum so far has ended */
    int64_t turn;                                   /* of the sum before; -1: none */
    bool besides;                                   /* it was of experts, or of a tied head */
    double updated, gathered; /* weights that are updated; when the last gather of them has ended */
    struct projection_overlap *o;
    double error_s, beyond_s;
    struct base_error *e;
    int code;
};

static double backward_of(const struct timeline *t) {
    return (double)t->plan->part.layers * t->passes->layer_s + t->passes->embedding_s;
}

/* Messages may go on for cover_s after backward has ended. */
static void end_backward(struct timeline *t, double cover_s) {
    t->o->exposed_s += fmax(0, t->idle - backward_of(t) - t->cost_s - cover_s);
    t->o->cost_s += t->cost_s;
    t->idle = t->cost_s = 0;
}

/* Weights of ZeRO 1 and 2: a range leaves once it is updated, while the rest is. Of stage 3: a layer's, while the one
 * before is computed; others before their use, covered by nothing. */
static void gather(struct timeline *t, const struct plan_message *m, const struct projection_message_price *p) {
    if (t->plan->request.layout.zero == 3) {
        const double pass = fmin(t->passes->forward_s, t->passes->layer_s);
        const bool layer = m->bytes == t->layer_bytes || m->bytes == t->expert_bytes;
        const double covered = layer ? fmin(p->seconds, pass) : 0;
        t->o->exposed_s += m->count * (p->seconds - covered);
        t->o->cost_s += m->count * (1 - p->hidden) * covered;
        return;
    }
    t->updated += t->passes->update_s * m->bytes / t->weight_bytes;
    const double start = fmax(t->updated, t->gathered);
    t->gathered = start + p->seconds;
    t->o->cost_s += (1 - p->hidden) * fmin(p->seconds, fmax(0, t->passes->update_s - start));
}

/* A sum of gradients: it starts when they are final and the one before has ended. */
static void sum(struct timeline *t, const struct plan_message *m, const struct projection_message_price *p) {
    const int64_t layers = t->plan->part.layers;
    /* of the next micro-batch; a layer's experts come before its other parameters */
    const bool again = t->plan->request.layout.zero > 1 && (m->turn < t->turn || (m->turn == t->turn && !t->besides));
    /* messages that are not the only ones of their turn */
    t->besides = !strncmp(m->name, "expert ", 7) || !strcmp(m->name, PLAN_TIED_HEAD);
    if (again) end_backward(t, (double)layers * t->passes->forward_s);
    t->turn = m->turn;
    const double all = backward_of(t), ready = m->turn <= layers ? (double)m->turn * t->passes->layer_s : all;
    const double start = fmax(ready + t->cost_s, t->idle);
    const double overlapped = fmin(p->seconds, fmax(0, all + t->cost_s - start));
    t->idle = start + p->seconds;
    t->cost_s += (1 - p->hidden) * overlapped;
}

static void send(void *context, const struct plan_message *m) {
    struct timeline *t = context;
    const struct plan_request *r = &t->plan->request;
    struct projection_message_price p;
    const bool apart = !strcmp(m->group, "edp");
    const int ranks = apart ? plan_layout_expert_replicas(&r->layout) : plan_layout_replicas(&r->layout);
    if (t->code || (!apart && strcmp(m->group, "dp") != 0)) return;
    t->code = projection_measured_like(t->m, m->op, ranks, r->threads, m->bytes, &p, t->e);
    if (t->code) return;
    t->o->message_s += m->count * p.seconds;
    if (p.extrapolated) t->beyond_s += m->count * p.seconds;
    t->error_s += m->count * p.seconds * p.sd; /* errors add: all messages are slower, or all are faster */
    (m->turn > t->plan->part.layers + 1 ? gather : sum)(t, m, &p);
}

int projection_measured_overlap(const struct machine *m, const struct plan *plan,
                                const struct projection_passes *passes, struct projection_overlap *overlap,
                                struct base_error *e) {
    struct model_params params;
    const double size = (double)kernel_dtype_bytes(plan->request.dtype);
    *overlap = (struct projection_overlap){0};
    model_params_size(&params, &plan->part);
    struct timeline t = {.m = m,
                         .plan = plan,
                         .passes = passes,
                         .weight_bytes = size * (double)params.total,
                         .layer_bytes = size * (double)params.layer_size,
                         .expert_bytes = size * (double)params.expert_size,
                         .turn = -1,
                         .o = overlap,
                         .e = e};
    plan_messages(plan, &params, send, &t);
    if (t.code) return t.code;
    end_backward(&t, 0);
    overlap->exposed_s += fmax(0, t.gathered - passes->update_s);
    overlap->extrapolated = t.beyond_s > BEYOND_MOST * overlap->message_s;
    overlap->sd = overlap->message_s > 0 ? t.error_s / overlap->message_s : 0;
    return BASE_OK;
}
