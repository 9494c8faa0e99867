/* SPDX-License-Identifier: Apache-2.0
 *
 * The mixture of experts of the FP64 reference: expert by expert, over the tokens that chose it. A row is t * active +
 * j for choice j of token t. */
#include <math.h>
#include <string.h>

#include "model/reference_ops.h"

/* An expert's weight, in the shared buffer, and its gradient. */
static const double *weight(const struct reference_run *s, enum model_role role, int64_t l, int64_t x, int64_t count) {
    const struct model_params *p = s->r->params;
    s->r->read(s->r->context, model_params_offset(p, role, l) + x * p->expert_each, count, s->weight);
    return s->weight;
}
static double *gradient(const struct reference_run *s, enum model_role role, int64_t l, int64_t x) {
    return s->grads + model_params_offset(s->r->params, role, l) + x * s->r->params->expert_each;
}

static void softmax(int64_t n, const double *x, double *p) {
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) max = fmax(max, x[i]);
    for (int64_t i = 0; i < n; i++) sum += p[i] = exp(x[i] - max);
    for (int64_t i = 0; i < n; i++) p[i] /= sum;
}

/* Whether x is among choice[n]. */
static bool chose(const double *choice, int64_t n, double x) {
    for (int64_t i = 0; i < n; i++)
        if (choice[i] == x) return true;
    return false;
}

/* The experts of a token: those that the caller gives, or by the rule, or those of the largest x[experts]. A number
 * that is none, or stands twice, surprises without bound. */
static void choose(const struct reference_run *s, int64_t l, int64_t t, const double *by, double *choice) {
    const struct model_route *route = &s->r->shape.route;
    const int32_t *given = s->r->choice ? s->r->choice + (l * s->t + t) * s->active : NULL;
    for (int64_t j = 0; j < s->active; j++) {
        int64_t best = -1;
        for (int64_t x = 0; x < s->c->experts; x++)
            if (!chose(choice, j, (double)x) && (best < 0 || by[x] > by[best])) best = x;
        const bool sound = given && given[j] >= 0 && given[j] < s->c->experts && !chose(choice, j, (double)given[j]);
        if (given && !sound && s->r->surprise) *s->r->surprise = INFINITY;
        if (sound) best = given[j];
        if (route->forced) best = model_route_forced(route, s->c->experts, s->active, l, t % s->r->shape.seq, j);
        choice[j] = (double)best;
    }
}

/* How far an expert that was not chosen exceeds one that was, relative to what logits may be: by[experts] are logits,
 * or sigmoids with biases, whose slope is 1/4 at most. */
static void note_surprise(const struct reference_run *s, const double *x, const double *by, const double *choice,
                          double norm) {
    double chosen = INFINITY, other = -INFINITY, size = 0;
    if (!s->r->surprise || s->r->shape.route.forced) return;
    for (int64_t i = 0; i < s->width; i++) size += x[i] * x[i];
    for (int64_t e = 0; e < s->c->experts; e++) {
        if (chose(choice, s->active, (double)e))
            chosen = fmin(chosen, by[e]);
        else
            other = fmax(other, by[e]);
    }
    const double gap = (s->c->family->sigmoid ? 4 : 1) * (other - chosen) / (sqrt(size) * norm);
    if (gap > *s->r->surprise) *s->r->surprise = gap;
}

/* probs[experts] of logits[experts]. by: what experts are chosen by, which may be the logits. */
static void score(const struct reference_run *s, const double *bias, const double *logits, double *probs, double *by) {
    if (!s->c->family->sigmoid) {
        softmax(s->c->experts, logits, probs);
        memcpy(by, logits, (size_t)s->c->experts * sizeof *by);
        return;
    }
    for (int64_t x = 0; x < s->c->experts; x++)
        probs[x] = model_reference_logistic(logits[x]), by[x] = probs[x] + bias[x];
}

static void route(const struct reference_run *s, int64_t l, const struct reference_layer *a) {
    const int64_t experts = s->c->experts, k = s->active;
    const double *w = weight(s, MODEL_ROUTER_WEIGHT, l, 0, experts * s->width);
    double norm = 0; /* the router's largest row */
    for (int64_t x = 0; x < experts; x++) {
        double square = 0;
        for (int64_t i = 0; i < s->width; i++) square += w[x * s->width + i] * w[x * s->width + i];
        norm = fmax(norm, sqrt(square));
    }
    kernel_reference_dgemm(false, true, s->t, experts, s->width, a->norm2, s->width, w, s->width, 0, a->scores,
                           experts);
    const double *bias = s->c->family->sigmoid ? weight(s, MODEL_ROUTER_BIAS, l, 0, experts) : NULL;
    for (int64_t t = 0; t < s->t; t++) {
        double *probs = a->probs + t * experts, *choice = a->choice + t * k, sum = 0;
        score(s, bias, a->scores + t * experts, probs, s->by);
        choose(s, l, t, s->by, choice);
        note_surprise(s, a->norm2 + t * s->width, s->by, choice, norm);
        for (int64_t j = 0; j < k; j++) sum += probs[(int64_t)choice[j]];
        for (int64_t j = 0; j < k; j++) a->mix[t * k + j] = s->c->expert_scale * probs[(int64_t)choice[j]] / sum;
    }
}

/* Rows of expert x of each sequence; [experts] of one. */
static double load(const struct reference_run *s, const struct reference_layer *a, int64_t sequence, int64_t x) {
    const int64_t rows = s->r->shape.seq * s->active;
    double n = 0;
    for (int64_t i = sequence * rows; i < (sequence + 1) * rows; i++) n += a->choice[i] == (double)x;
    return n;
}

static void note_balance(const struct reference_run *s, const struct reference_layer *a) {
    const double seq = (double)s->r->shape.seq, experts = (double)s->c->experts;
    if (!s->r->balance) return;
    for (int64_t b = 0; b < s->r->shape.batch; b++)
        for (int64_t x = 0; x < s->c->experts; x++) {
            double probs = 0;
            for (int64_t t = 0; t < s->r->shape.seq; t++)
                probs += a->probs[(b * s->r->shape.seq + t) * s->c->experts + x];
            *s->r->balance +=
                s->c->balance * experts * load(s, a, b, x) / seq * (probs / seq) / (double)s->r->shape.batch;
        }
}

/* Copies expert x's rows from from[tokens or rows, cols] to s->rows; returns how many. per: rows of a token in from. */
static int64_t take(const struct reference_run *s, const struct reference_layer *a, int64_t x, const double *from,
                    int64_t cols, int64_t per, double *to) {
    int64_t n = 0;
    for (int64_t i = 0; i < s->t * s->active; i++)
        if (a->choice[i] == (double)x)
            memcpy(to + n++ * cols, from + i / (s->active / per) * cols, (size_t)cols * sizeof *to);
    return n;
}

/* Rows of a split model are sums that only the last operation rounds. */
static void store_rows(const struct reference_run *s, double *x, int64_t n) {
    if (!model_is_split(&s->r->shape)) model_reference_store(s, x, n);
}

/* y = mid + what the shared experts give. */
static void shared(const struct reference_run *s, int64_t l, const struct reference_layer *a, double *y) {
    memcpy(y, a->mid, (size_t)(s->t * s->width) * sizeof *y);
    if (!s->shared) return;
    model_reference_linear(s, MODEL_SHARED_UP_WEIGHT, MODEL_NO_ROLE, l, s->width, s->shared_up, a->norm2, NULL,
                           a->shared_up);
    model_reference_activation(s, s->shared, a->shared_up, a->shared);
    const double *w = weight(s, MODEL_SHARED_DOWN_WEIGHT, l, 0, s->width * s->shared);
    kernel_reference_dgemm(false, true, s->t, s->width, s->shared, a->shared, s->shared, w, s->shared, 1, y, s->width);
    store_rows(s, y, s->t * s->width);
}

/* From dy to dx, to which it adds without rounding. */
static void shared_backward(const struct reference_run *s, int64_t l, const struct reference_layer *a, const double *dy,
                            double *dx) {
    const int64_t up = s->shared_up;
    if (!s->shared) return;
    model_reference_linear_backward(s, MODEL_SHARED_DOWN_WEIGHT, MODEL_NO_ROLE, l, s->shared, s->width, a->shared, dy,
                                    s->dshared);
    model_reference_activation_backward(s, s->shared, a->shared_up, s->dshared, s->dshared_up);
    kernel_reference_dgemm(true, false, up, s->width, s->t, s->dshared_up, up, a->norm2, s->width, 1,
                           gradient(s, MODEL_SHARED_UP_WEIGHT, l, 0), s->width);
    kernel_reference_dgemm(false, false, s->t, s->width, up, s->dshared_up, up,
                           weight(s, MODEL_SHARED_UP_WEIGHT, l, 0, up * s->width), s->width, 1, dx, s->width);
}

void model_reference_experts(const struct reference_run *s, int64_t l, const struct reference_layer *a, double *y) {
    const int64_t k = s->active, f = s->ffn;
    route(s, l, a);
    note_balance(s, a);
    shared(s, l, a, y);
    for (int64_t x = 0; x < s->c->experts; x++) {
        /* ranks may read weights together, so each reads those of an expert without rows too */
        const double *w = weight(s, MODEL_UP_WEIGHT, l, x, s->up * s->width);
        const int64_t n = take(s, a, x, a->norm2, s->width, 1, s->rows);
        kernel_reference_dgemm(false, true, n, s->up, s->width, s->rows, s->width, w, s->width, 0, s->wide, s->up);
        model_reference_store(s, s->wide, n * s->up);
        for (int64_t i = 0, r = 0; i < s->t * k; i++) {
            if (a->choice[i] != (double)x) continue;
            const double *up = s->wide + r * s->up;
            double *act = s->narrow + r++ * f;
            for (int64_t j = 0; j < f; j++) act[j] = a->mix[i] * (up[j] * model_reference_logistic(up[j]) * up[f + j]);
            model_reference_store(s, act, f);
            memcpy(a->up + i * s->up, up, (size_t)s->up * sizeof *up);
            memcpy(a->act + i * f, act, (size_t)f * sizeof *act);
        }
        w = weight(s, MODEL_DOWN_WEIGHT, l, x, s->width * f);
        kernel_reference_dgemm(false, true, n, s->width, f, s->narrow, f, w, f, 0, s->rows, s->width);
        store_rows(s, s->rows, n * s->width);
        for (int64_t i = 0, r = 0; i < s->t * k; i++) {
            if (a->choice[i] != (double)x) continue;
            for (int64_t j = 0; j < s->width; j++) y[i / k * s->width + j] += s->rows[r * s->width + j];
            r++;
        }
    }
    model_reference_store(s, y, s->t * s->width);
}

/* dy of the row's activation to that of its first matmul's output, up[2 f]; returns the gradient of the row's weight.
 */
static double activation_backward(int64_t f, double mix, const double *up, const double *dact, double *dup) {
    double dmix = 0;
    for (int64_t j = 0; j < f; j++) {
        const double gate = up[j], p = model_reference_logistic(gate);
        dmix += dact[j] * gate * p * up[f + j];
        dup[j] = mix * dact[j] * up[f + j] * (p + gate * p * (1 - p));
        dup[f + j] = mix * dact[j] * gate * p;
    }
    return dmix;
}

/* The gradient of logits[experts] from d[experts], that of their probs, in place. */
static void score_backward(const struct reference_run *s, const double *p, double *d) {
    double through = 0;
    for (int64_t x = 0; x < s->c->experts; x++) through += p[x] * d[x];
    for (int64_t x = 0; x < s->c->experts; x++)
        d[x] = s->c->family->sigmoid ? p[x] * (1 - p[x]) * d[x] : p[x] * (d[x] - through);
}

/* From the gradients of weights, s->dmix, and of the load-balancing loss to the router's weight and, added, to dx. The
 * router's bias gets the numbers of rows. */
static void route_backward(const struct reference_run *s, int64_t l, const struct reference_layer *a, double *dx) {
    const int64_t experts = s->c->experts, k = s->active, seq = s->r->shape.seq;
    for (int64_t t = 0; t < s->t; t++) {
        const double *p = a->probs + t * experts, *choice = a->choice + t * k;
        double *d = s->dscores + t * experts, sum = 0, dot = 0;
        for (int64_t j = 0; j < k; j++) sum += p[(int64_t)choice[j]], dot += a->mix[t * k + j] * s->dmix[t * k + j];
        for (int64_t x = 0; x < experts; x++)
            d[x] = s->scale * s->c->balance * (double)experts * load(s, a, t / seq, x) / (double)seq;
        for (int64_t j = 0; j < k; j++) d[(int64_t)choice[j]] += (s->c->expert_scale * s->dmix[t * k + j] - dot) / sum;
        score_backward(s, p, d);
        for (int64_t j = 0; j < k && s->c->family->sigmoid; j++)
            gradient(s, MODEL_ROUTER_BIAS, l, 0)[(int64_t)choice[j]]++;
    }
    model_reference_store(s, s->dscores, s->t * experts);
    kernel_reference_dgemm(false, false, s->t, s->width, experts, s->dscores, experts,
                           weight(s, MODEL_ROUTER_WEIGHT, l, 0, experts * s->width), s->width, 1, dx, s->width);
    kernel_reference_dgemm(true, false, experts, s->width, s->t, s->dscores, experts, a->norm2, s->width, 1,
                           gradient(s, MODEL_ROUTER_WEIGHT, l, 0), s->width);
}

void model_reference_experts_backward(const struct reference_run *s, int64_t l, const struct reference_layer *a,
                                      const double *dy, double *dx) {
    const int64_t k = s->active, f = s->ffn, width = s->width;
    memset(dx, 0, (size_t)(s->t * width) * sizeof *dx);
    shared_backward(s, l, a, dy, dx);
    for (int64_t x = 0; x < s->c->experts; x++) {
        const int64_t n = take(s, a, x, dy, width, 1, s->rows);
        if (!n) continue;
        kernel_reference_dgemm(false, false, n, f, width, s->rows, width, weight(s, MODEL_DOWN_WEIGHT, l, x, width * f),
                               f, 0, s->narrow, f);
        model_reference_store(s, s->narrow, n * f);
        take(s, a, x, a->act, f, k, s->dact);
        kernel_reference_dgemm(true, false, width, f, n, s->rows, width, s->dact, f, 1,
                               gradient(s, MODEL_DOWN_WEIGHT, l, x), f);
        for (int64_t i = 0, r = 0; i < s->t * k; i++) {
            if (a->choice[i] != (double)x) continue;
            s->dmix[i] = activation_backward(f, a->mix[i], a->up + i * s->up, s->narrow + r * f, s->wide + r * s->up);
            r++;
        }
        model_reference_store(s, s->wide, n * s->up);
        take(s, a, x, a->norm2, width, 1, s->rows);
        kernel_reference_dgemm(true, false, s->up, width, n, s->wide, s->up, s->rows, width, 1,
                               gradient(s, MODEL_UP_WEIGHT, l, x), width);
        kernel_reference_dgemm(false, false, n, width, s->up, s->wide, s->up,
                               weight(s, MODEL_UP_WEIGHT, l, x, s->up * width), width, 0, s->rows, width);
        store_rows(s, s->rows, n * width);
        for (int64_t i = 0, r = 0; i < s->t * k; i++) {
            if (a->choice[i] != (double)x) continue;
            for (int64_t j = 0; j < width; j++) dx[i / k * width + j] += s->rows[r * width + j];
            r++;
        }
    }
    route_backward(s, l, a, dx);
    model_reference_store(s, dx, s->t * width);
}
