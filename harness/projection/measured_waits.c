/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages within passes: those of tensor, context and expert parallel ranks. What compute covers them, and for how
 * long, is the model's order of operations (model/model.c, sums.c, context.c, experts.c). */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "projection/measured_ops.h"

/* Seconds of one call of an operation that was priced. */
static double call_of(const struct projection_measured *r, const char *name) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name)) return r->ops[i].call_s;
    return 0;
}

/* Messages of one kind in one phase, each while `cover_s` seconds of compute run. */
struct group {
    enum plan_phase phase;
    double count, cover_s;
};
enum { GROUPS = 4 };

static int add(struct projection_pricing *p, const struct plan_op *o, const struct group *g,
               const struct projection_message_price *price) {
    const enum plan_axis axis = !strcmp(o->group, "cp") ? PLAN_CP : !strcmp(o->group, "ep") ? PLAN_EP : PLAN_TP;
    const double covered = fmin(price->seconds, g->cover_s);
    const double each = price->seconds - covered + (1 - price->hidden) * covered;
    if (g->count <= 0) return BASE_OK;
    p->r->axis_s[axis] += g->count * price->seconds, p->r->axis_exposed_s[axis] += g->count * each;
    return projection_price_add(
        p, (struct projection_priced){o->name, "all_reduce", "", g->phase, g->count, each, price->sd,
                                      price->extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED, p->m->message_count});
}

/* Seconds of a matmul's weight gradients that cover a message of backward, unless they are late. */
static double cover_of(const struct projection_pricing *p, double seconds) {
    return model_is_late(&p->plan->shape, 0) ? 0 : seconds;
}

/* Partial sums: two a layer and direction. Those of backward travel while the weights' gradients of the same matmul are
 * computed; those that backward repeats of forward, while nothing is. */
static void partial_sums(const struct projection_pricing *p, double count, struct group g[GROUPS]) {
    const double once = (double)(p->plan->accumulation * p->plan->part.layers);
    g[0] = (struct group){PLAN_PHASE_FORWARD, 2 * once, 0};
    /* with a tree gradients are of one sequence a call */
    const double calls = p->plan->shape.tree.leaves ? (double)p->plan->shape.batch : 1;
    g[1] = (struct group){PLAN_PHASE_BACKWARD, once, cover_of(p, calls * call_of(p->r, "qkv grad-weight"))};
    g[2] = (struct group){PLAN_PHASE_BACKWARD, once, cover_of(p, calls * call_of(p->r, "ffn up grad-weight"))};
    g[3] = (struct group){PLAN_PHASE_BACKWARD, count - 4 * once, 0};
}

/* Keys travel while attention uses those that came before. Their gradients too, beside keys but for the last that is
 * sent on; then they go home, while nothing is computed. */
static int ring(const struct projection_pricing *p, const struct plan_op *o, struct group g[GROUPS]) {
    const double once = (double)(p->plan->accumulation * p->plan->part.layers), ranks = p->plan->request.layout.cp;
    const double forward = projection_priced_seconds(p->r, PLAN_PHASE_FORWARD, "attention forward") / once / ranks,
                 backward = projection_priced_seconds(p->r, PLAN_PHASE_BACKWARD, "attention backward") / once / ranks;
    struct projection_message_price keys;
    if (!strcmp(o->name, "keys and values")) {
        g[0] = (struct group){PLAN_PHASE_FORWARD, once * (ranks - 1), forward};
        g[1] = (struct group){PLAN_PHASE_BACKWARD, once * (ranks - 1), backward};
        g[2] = (struct group){PLAN_PHASE_BACKWARD, o->count - 2 * once * (ranks - 1), forward}; /* repeated */
        return BASE_OK;
    }
    const double bytes = o->bytes / 4 * (double)kernel_dtype_bytes(p->plan->shape.dtype);
    const int code = projection_measured_like(p->m, "send", 2, p->plan->request.threads, bytes, &keys, p->e);
    if (code) return code;
    g[0] = (struct group){PLAN_PHASE_BACKWARD, once * (ranks - 2), fmax(0, backward - keys.seconds)};
    g[1] = (struct group){PLAN_PHASE_BACKWARD, once, backward};
    g[2] = (struct group){PLAN_PHASE_BACKWARD, once, 0};
    return BASE_OK;
}

/* The other messages of tensor parallel ranks wait for nothing else; their phases. */
static const struct {
    const char *name;
    enum plan_phase phase;
} uncovered[] = {{"embedding sum", PLAN_PHASE_FORWARD},
                 {"head partial sum", PLAN_PHASE_HEAD},
                 {"cross-entropy statistics", PLAN_PHASE_HEAD},
                 {"norm gradients", PLAN_PHASE_BACKWARD},
                 {"norm gradients of parts", PLAN_PHASE_BACKWARD},
                 {"shared heads' gradient", PLAN_PHASE_BACKWARD}};

/* Of experts, once a layer and direction: nothing covers them, but for gradients on their way home. What is left of
 * `count` is what backward repeats. False: another message. */
static bool experts(const struct projection_pricing *p, const struct plan_op *o, struct group g[GROUPS]) {
    static const char *const first[] = {"numbers of rows", "rows to experts", "rows' weights", "experts' loads"};
    const double once = (double)(p->plan->accumulation * p->plan->part.layers);
    const bool home = !strcmp(o->name, "rows from experts"), weights = !strcmp(o->name, "gradients of rows' weights");
    const double cover = projection_priced_seconds(p->r, PLAN_PHASE_BACKWARD, "ffn up grad-weight") / once;
    if (!home && !weights && base_text_find(o->name, first, sizeof first / sizeof *first) < 0) return false;
    g[0] = (struct group){PLAN_PHASE_FORWARD, weights ? 0 : once, 0};
    g[1] = (struct group){PLAN_PHASE_BACKWARD, o->count - g[0].count, home ? cover_of(p, cover) : 0};
    return true;
}

static int groups_of(const struct projection_pricing *p, const struct plan_op *o, struct group g[GROUPS]) {
    const double once = (double)(p->plan->accumulation * p->plan->part.layers);
    if (experts(p, o, g)) return BASE_OK;
    if (!strcmp(o->group, "cp")) return ring(p, o, g);
    if (!strcmp(o->name, "partial sum")) {
        partial_sums(p, o->count, g);
        return BASE_OK;
    }
    if (!strcmp(o->name, "tokens' shares")) { /* before two matmuls of each layer, and before the head */
        const double heads = p->plan->part.lacks_head ? 0 : (double)p->plan->accumulation;
        g[0] = (struct group){PLAN_PHASE_FORWARD, 2 * once + heads, 0};
        g[1] = (struct group){PLAN_PHASE_BACKWARD, o->count - 2 * once - heads, 0};
        return BASE_OK;
    }
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (!strcmp(o->name, uncovered[i].name)) {
            g[0] = (struct group){uncovered[i].phase, o->count, 0};
            return BASE_OK;
        }
    return base_fail(p->e, BASE_BROKEN, "bug: nothing says what covers the message \"%s\"", o->name);
}

static int price(struct projection_pricing *p, const struct plan_op *o) {
    const int sharing = model_part_sharing(&p->plan->shape.part);
    const struct plan_layout *l = &p->plan->request.layout;
    const bool send = !strcmp(o->op, "send");
    const int ranks = send                      ? 2
                      : !strcmp(o->group, "kv") ? sharing
                      : !strcmp(o->group, "ep") ? plan_layout_expert_ranks(l)
                      : !strcmp(o->group, "cp") ? l->cp
                                                : l->tp;
    struct projection_message_price one;
    struct group g[GROUPS] = {{.count = 0}};
    /* rows come to the busiest rank and go home from it */
    const double times =
        strcmp(o->op, "all_to_all_v") ? 1 : model_route_busiest(&p->plan->shape.route, p->plan->part.experts, ranks);
    int code = projection_measured_like(p->m, o->op, ranks, p->plan->request.threads, times * o->bytes, &one, p->e);
    if (!code) code = groups_of(p, o, g);
    for (int i = 0; i < GROUPS && !code; i++) code = add(p, o, &g[i], &one);
    return code;
}

int projection_price_waits(struct projection_pricing *p) {
    static const char *const within[] = {"tp", "kv", "cp", "ep"};
    const struct plan_ledger *l = &p->plan->ledger;
    int code = BASE_OK;
    for (int i = 0; i < l->count && !code; i++) {
        const struct plan_op *o = &l->ops[i];
        if (o->kind != PLAN_MESSAGE) continue;
        if (base_text_find(o->group, within, sizeof within / sizeof *within) >= 0) code = price(p, o);
    }
    return code;
}
