/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages within passes: those of tensor and context parallel ranks. What compute covers them, and for how long, is
 * the model's order of operations (model/model.c, context.c). */
#include <math.h>
#include <string.h>

#include "projection/measured_ops.h"

/* Seconds of one call of an operation that was priced. */
static double call_of(const struct projection_measured *r, const char *name) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name)) return r->ops[i].call_s;
    return 0;
}
/* Seconds of all its calls. */
static double seconds_of(const struct projection_measured *r, const char *name) {
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name)) sum += r->ops[i].count * r->ops[i].call_s;
    return sum;
}

/* Messages of one kind in one phase, each while `cover_s` seconds of compute run. */
struct group {
    const char *name;
    enum plan_axis axis;
    enum plan_phase phase;
    double count, cover_s;
};

static int add(struct projection_pricing *p, const struct group *g, const struct projection_message_price *price) {
    const double covered = fmin(price->seconds, g->cover_s), slowed = (1 - price->hidden) * covered;
    const double each = price->seconds - covered + slowed;
    if (g->count <= 0) return BASE_OK;
    p->r->axis_s[g->axis] += g->count * price->seconds, p->r->axis_exposed_s[g->axis] += g->count * each;
    return projection_price_add(
        p, (struct projection_priced){g->name, "all_reduce", "", g->phase, g->count, each, price->sd,
                                      price->extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED, p->m->message_count});
}

/* The calls of each message by phase. Partial sums of backward travel while weights' gradients are computed; keys,
 * while attention uses those before; their gradients too, but the last ones go home uncovered. */
static int price(struct projection_pricing *p, const struct plan_op *o) {
    const struct plan_request *r = &p->plan->request;
    const struct plan_layout *l = &r->layout;
    const bool keys = !strcmp(o->group, "cp"), send = !strcmp(o->op, "send"), sum = !strcmp(o->op, "all_reduce");
    const int ranks = send ? 2 : !strcmp(o->group, "kv") ? model_part_sharing(&p->plan->shape.part) : l->tp;
    const double micro = (double)p->plan->accumulation, layers = (double)p->plan->part.layers, ring = l->cp;
    const double weights = (call_of(p->r, "qkv grad-weight") + call_of(p->r, "ffn up grad-weight")) / 2;
    const double each = micro * layers * ring; /* attention's calls for a rank's keys */
    const double forward = seconds_of(p->r, "attention forward") / each,
                 backward = seconds_of(p->r, "attention backward") / each;
    struct projection_message_price one, of_keys;
    int code = projection_measured_message(p->m, ranks, r->threads, send || sum ? o->bytes : o->bytes / 2, &one, p->e);
    if (code) return code;
    struct group g[2] = {{o->name, keys ? PLAN_CP : PLAN_TP, PLAN_PHASE_BACKWARD, o->count, 0}, {.count = 0}};
    if (!strcmp(o->name, "partial sum")) {
        g[1] = g[0], g[1].phase = PLAN_PHASE_FORWARD, g[1].count = 2 * micro * layers;
        g[0].count -= g[1].count, g[0].cover_s = weights;
    } else if (!strcmp(o->name, "tokens' shares")) {
        g[1] = g[0], g[1].phase = PLAN_PHASE_FORWARD, g[1].count = micro * (2 * layers + !p->plan->part.lacks_head);
        g[0].count -= g[1].count;
    } else if (!strcmp(o->name, "embedding sum")) {
        g[0].phase = PLAN_PHASE_FORWARD;
    } else if (!strcmp(o->name, "head partial sum") || !strcmp(o->name, "cross-entropy statistics")) {
        g[0].phase = PLAN_PHASE_HEAD;
    } else if (!strcmp(o->name, "keys and values")) {
        g[1] = g[0], g[1].phase = PLAN_PHASE_FORWARD, g[1].count = micro * layers * (ring - 1), g[1].cover_s = forward;
        g[0].count -= g[1].count, g[0].cover_s = backward;
    } else if (keys) { /* beside the keys, which have twice as small numbers or equal ones */
        code = projection_measured_message(
            p->m, 2, r->threads, o->bytes / 4 * (double)kernel_dtype_bytes(p->plan->shape.dtype), &of_keys, p->e);
        if (code) return code;
        g[1] = g[0], g[1].count = micro * layers;
        g[0].count -= g[1].count, g[0].cover_s = fmax(0, backward - of_keys.seconds);
    }
    for (int i = 0; i < 2 && !code; i++) code = add(p, &g[i], &one);
    return code;
}

int projection_price_waits(struct projection_pricing *p) {
    const struct plan_ledger *l = &p->plan->ledger;
    int code = BASE_OK;
    for (int i = 0; i < l->count && !code; i++) {
        const struct plan_op *o = &l->ops[i];
        if (o->kind != PLAN_MESSAGE) continue;
        if (!strcmp(o->group, "tp") || !strcmp(o->group, "kv") || !strcmp(o->group, "cp")) code = price(p, o);
    }
    return code;
}
