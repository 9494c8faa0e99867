/* SPDX-License-Identifier: Apache-2.0
 *
 * Prices a single operation from the shapes that were timed. */
#include "projection/measured_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "projection/kriging.h"

/* Standard deviations of log(time). */
static const double UNKNOWN_SHAPE = 0.2; /* of an untimed shape where only one or two others were timed */
static const double UNTIMED = 0.3;       /* of a pass priced by its bytes */

/* An operation on a shape; sizes are in the order of struct machine_point. */
struct query {
    const char *op, *trans;
    enum machine_dtype dtype;
    int64_t sizes[MACHINE_SIZES], window;
    bool alibi;
};

bool projection_is_attention(const char *op) {
    return !strncmp(op, "attention_", 10);
}

/* The work that a rate counts: FLOP as in the ledger, for passes elements. */
static double work(const char *op, const int64_t *s, int64_t window) {
    if (projection_is_attention(op))
        return plan_attention_flop(s[0], s[1], s[2], window, s[3], !strcmp(op, "attention_backward"));
    return (strcmp(op, "gemm") ? 1 : 2) * (double)s[0] * (double)s[1] * (double)s[2] * (double)s[3];
}

static bool serves(const struct machine_point *p, const struct query *q, int threads) {
    return !strcmp(p->op, q->op) && !strcmp(p->trans, q->trans) && p->dtype == q->dtype && p->threads == threads &&
           p->window == q->window && p->alibi == q->alibi;
}

/* The records that serve a query. All figures are logarithms. */
struct group {
    double x[PROJECTION_KRIGING_MOST][PROJECTION_AXES]; /* their sizes */
    double y[PROJECTION_KRIGING_MOST];                  /* their rates */
    double q[PROJECTION_AXES];                          /* the query's sizes */
    double low[PROJECTION_AXES], high[PROJECTION_AXES]; /* range of each size */
    int count;
    const struct machine_point *nearest;
};

static void collect(const struct projection_pricing *p, const struct query *q, struct group *g) {
    double best = INFINITY;
    *g = (struct group){.count = 0};
    for (int k = 0; k < PROJECTION_AXES; k++) g->q[k] = log((double)q->sizes[k]), g->low[k] = INFINITY, g->high[k] = -1;
    for (int i = 0; i < p->m->point_count && g->count < PROJECTION_KRIGING_MOST; i++) {
        const struct machine_point *one = &p->m->points[i];
        double far = 0;
        if (!serves(one, q, p->plan->request.threads)) continue;
        for (int k = 0; k < PROJECTION_AXES; k++) {
            const double x = g->x[g->count][k] = log((double)one->sizes[k]);
            g->low[k] = fmin(g->low[k], x), g->high[k] = fmax(g->high[k], x);
            far += (x - g->q[k]) * (x - g->q[k]);
        }
        g->y[g->count++] = log(work(one->op, one->sizes, one->window) / one->call_s);
        if (far < best) best = far, g->nearest = one;
    }
}

static enum projection_basis basis_of(const struct group *g) {
    bool timed = false, beyond = false;
    for (int i = 0; i < g->count; i++) timed = timed || !memcmp(g->x[i], g->q, sizeof g->q);
    for (int k = 0; k < PROJECTION_AXES; k++) beyond = beyond || g->q[k] < g->low[k] || g->q[k] > g->high[k];
    return timed ? PROJECTION_TIMED : beyond ? PROJECTION_BEYOND : PROJECTION_BETWEEN;
}

/* The operation's slowdown while all ranks of the node compute: a matmul's, or more if memory bandwidth is short. */
static double slowdown(const struct projection_pricing *p, const struct machine_point *like) {
    const double rate = like->bytes / like->call_s, matmul = 1 / p->r->matmul;
    const double memory = rate / (p->r->pass * p->bandwidth);
    return isfinite(memory) ? fmax(matmul, memory) : matmul;
}

int projection_price_add(struct projection_pricing *p, struct projection_priced one) {
    if (p->r->count == PROJECTION_PRICED_MOST)
        return base_fail(p->e, BASE_BROKEN, "bug: the step has more operations than a price can list");
    p->r->ops[p->r->count++] = one;
    return BASE_OK;
}

double projection_priced_seconds(const struct projection_measured *r, enum plan_phase phase, const char *name) {
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        if (r->ops[i].phase == phase && (!name || !strcmp(r->ops[i].name, name)))
            sum += r->ops[i].count * r->ops[i].call_s;
    return sum;
}

double projection_priced_weights(const struct projection_measured *r) {
    double sum = 0;
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *o = &r->ops[i];
        const bool weights = strstr(o->name, "grad-weight") || !strcmp(o->name, "bias gradients");
        if (o->phase == PLAN_PHASE_BACKWARD && weights) sum += o->count * o->call_s;
    }
    return sum;
}

/* Prices the operation's calls, each of `times` the query's work. Without a record that serves the query, *found is
 * false and nothing is added. */
static int price(struct projection_pricing *p, const struct plan_op *o, double times, const struct query *q,
                 bool *found) {
    struct group g;
    struct projection_estimate rate;
    collect(p, q, &g);
    *found = g.count > 0;
    if (!*found) return BASE_OK;
    int code = projection_krige(g.x, g.y, g.count, g.q, UNKNOWN_SHAPE, &rate, p->e);
    if (code) return code;
    const double alone = times * work(q->op, q->sizes, q->window) / exp(rate.value);
    return projection_price_add(
        p, (struct projection_priced){.name = o->name,
                                      .op = g.nearest->op,
                                      .trans = g.nearest->trans,
                                      .phase = o->phase,
                                      .count = o->count,
                                      .call_s = alone * slowdown(p, g.nearest),
                                      .sd = hypot(rate.sd, g.nearest->spread / 2), /* spread: half of a 95% interval */
                                      .basis = basis_of(&g),
                                      .points = g.count});
}

enum machine_dtype projection_type_of(enum kernel_dtype t) {
    return t == KERNEL_BF16 ? MACHINE_BF16 : MACHINE_FP32;
}

/* Fails with the command that measures the missing operation. */
static int missing(const struct projection_pricing *p, const char *op, enum machine_dtype dtype) {
    const struct plan_request *r = &p->plan->request;
    char others[96] = "";
    for (int i = 0; i < p->m->point_count; i++) {
        const struct machine_point *one = &p->m->points[i];
        if (strcmp(one->op, op) != 0 || one->dtype != dtype || one->threads == r->threads) continue;
        snprintf(others, sizeof others, " (but with %d)", one->threads);
    }
    return base_fail(p->e, BASE_USAGE,
                     "%s: no %s in %s was timed with %d thread%s%s; run toise kernels --model %s --seq %lld --mbs %lld "
                     "--threads %d --out %s%s",
                     p->m->path, op, machine_dtype_name(dtype), r->threads, r->threads == 1 ? "" : "s", others,
                     r->config.name, (long long)r->seq, (long long)r->layout.micro_batch, r->threads, p->m->path,
                     projection_measured_unsure(p->m));
}

int projection_price_dense(struct projection_pricing *p, const struct plan_op *o) {
    const struct model_config *c = &p->plan->request.config;
    struct query q = {.op = o->op, .dtype = projection_type_of(o->in)};
    char trans[4] = "";
    bool found;
    if (o->kind == PLAN_GEMM) {
        snprintf(trans, sizeof trans, "%c%c", o->a_trans ? 'T' : 'N', o->b_trans ? 'T' : 'N');
        memcpy(q.sizes, (int64_t[MACHINE_SIZES]){o->m, o->n, o->k, 1}, sizeof q.sizes);
    } else {
        q.window = o->window;
        q.alibi = c->family->position == MODEL_POSITION_ALIBI;
        memcpy(q.sizes, (int64_t[MACHINE_SIZES]){o->batch, o->heads, o->seq, o->head_dim}, sizeof q.sizes);
    }
    q.trans = trans;
    const int code = price(p, o, 1, &q, &found);
    return code || found ? code : missing(p, q.op, q.dtype);
}

/* Vectors do not fit in the caches, so the longest timed one gives the rate. Sets its size, returns n over it. */
static double longest(const struct projection_pricing *p, const struct query *q, double n,
                      int64_t sizes[MACHINE_SIZES]) {
    for (int i = 0; i < p->m->point_count; i++) {
        const struct machine_point *one = &p->m->points[i];
        if (serves(one, q, p->plan->request.threads) && one->sizes[0] > sizes[0])
            memcpy(sizes, one->sizes, sizeof one->sizes);
    }
    return n / (double)sizes[0];
}

int projection_price_bytes(struct projection_pricing *p, const char *name, enum plan_phase phase, double count,
                           double bytes) {
    return projection_price_add(p, (struct projection_priced){.name = name,
                                                              .op = "bytes",
                                                              .trans = "",
                                                              .phase = phase,
                                                              .count = count,
                                                              .call_s = bytes / p->bandwidth / p->r->pass,
                                                              .sd = UNTIMED,
                                                              .basis = PROJECTION_BY_BYTES});
}

int projection_price_pass(struct projection_pricing *p, const struct plan_op *o) {
    struct query q = {.op = o->op, .trans = "", .dtype = projection_type_of(o->in), .sizes = {o->rows, o->cols, 1, 1}};
    bool found;
    double times = 1;
    if (o->cols == 1) {
        q.sizes[0] = 1;
        times = longest(p, &q, (double)o->rows, q.sizes);
    }
    const int code = price(p, o, times, &q, &found);
    return code || found ? code : projection_price_bytes(p, o->name, o->phase, o->count, o->bytes);
}
