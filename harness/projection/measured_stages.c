/* SPDX-License-Identifier: Apache-2.0
 *
 * A step of pipeline stages: each stage's tasks are priced, and their order (plan/schedule.h) is played through. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "projection/measured_ops.h"

/* A stage by itself: seconds of a micro-batch's tasks by chunk, and of what comes before and after all of them. */
struct stage {
    double task_s[MODEL_CHUNKS][2]; /* PLAN_FORWARD, PLAN_BACKWARD */
    double before_s, after_s;
};

static double phase_of(const struct projection_measured *r, enum plan_phase phase, const char *op) {
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        if (r->ops[i].phase == phase && (!op || !strcmp(r->ops[i].op, op))) sum += r->ops[i].count * r->ops[i].call_s;
    return sum;
}

/* Layers share a pass by their number; the embedding is with the first chunk, the head with the last. */
static struct stage stage_of(const struct plan *plan, const struct projection_measured *r) {
    const double micro = (double)plan->accumulation, layers = (double)plan->part.layers;
    const double embed[2] = {phase_of(r, PLAN_PHASE_FORWARD, "embedding_forward"),
                             phase_of(r, PLAN_PHASE_BACKWARD, "embedding_backward")};
    const double pass[2] = {phase_of(r, PLAN_PHASE_FORWARD, NULL) - embed[0],
                            phase_of(r, PLAN_PHASE_BACKWARD, NULL) - embed[1] - r->cost_s};
    const int chunks = model_chunks(&plan->shape);
    struct stage s = {.before_s = phase_of(r, PLAN_PHASE_ZERO, NULL) + phase_of(r, PLAN_PHASE_BATCH, NULL),
                      .after_s = phase_of(r, PLAN_PHASE_COMMUNICATION, NULL) + phase_of(r, PLAN_PHASE_CLIP, NULL) +
                                 phase_of(r, PLAN_PHASE_UPDATE, NULL) + r->cost_s};
    for (int c = 0; c < chunks; c++)
        for (int task = 0; task < 2; task++)
            s.task_s[c][task] =
                (pass[task] * (double)model_chunk_of(&plan->shape, c).layers / layers + (c == 0 ? embed[task] : 0)) /
                micro;
    s.task_s[chunks - 1][PLAN_BACKWARD] += phase_of(r, PLAN_PHASE_HEAD, NULL) / micro;
    return s;
}

/* The pipeline as it runs. ended: of virtual stage v, micro-batch m: [(v * micros + m) * 2 + task]; NAN: not yet. */
struct play {
    struct plan_pipeline pipeline;
    const struct stage *stages;
    struct plan_step *steps; /* [devices][count] */
    double *ended, *free_s;  /* free_s: [devices] when a device has ended its tasks so far */
    int64_t *next, count;
    double send_s;
};

/* When the task's input is there; NAN: not yet known. */
static double ready(const struct play *x, int v, const struct plan_step *s) {
    const int last = x->pipeline.devices * x->pipeline.chunks - 1, before = s->task == PLAN_FORWARD ? v - 1 : v + 1;
    const int64_t micros = x->pipeline.micro_batches;
    if (s->task == PLAN_FORWARD && v == 0) return 0;
    if (s->task == PLAN_BACKWARD && v == last) return x->ended[(v * micros + s->micro_batch) * 2 + PLAN_FORWARD];
    return x->ended[(before * micros + s->micro_batch) * 2 + s->task] + x->send_s;
}

/* Plays the device's tasks as far as their inputs are known; false: none. */
static bool play_device(struct play *x, int device) {
    bool any = false;
    for (; x->next[device] < x->count; x->next[device]++, any = true) {
        const struct plan_step *s = &x->steps[device * x->count + x->next[device]];
        const int v = s->chunk * x->pipeline.devices + device;
        const double at = ready(x, v, s);
        if (isnan(at)) break;
        x->free_s[device] = fmax(x->free_s[device], at) + x->stages[device].task_s[s->chunk][s->task];
        x->ended[(v * x->pipeline.micro_batches + s->micro_batch) * 2 + s->task] = x->free_s[device];
    }
    return any;
}

/* Seconds until the last device has ended its last task. */
static double play(struct play *x) {
    double end = 0;
    for (bool any = true; any;) {
        any = false;
        for (int d = 0; d < x->pipeline.devices; d++) any = play_device(x, d) || any;
    }
    for (int d = 0; d < x->pipeline.devices; d++) end = fmax(end, x->free_s[d]);
    return end;
}

static int play_step(const struct plan *plan, const struct stage *stages, double send_s, double *end,
                     struct base_error *e) {
    struct play x = {.stages = stages, .send_s = send_s};
    plan_pipeline_of(plan, &x.pipeline);
    x.count = plan_pipeline_steps(&x.pipeline);
    const size_t devices = (size_t)x.pipeline.devices, all = devices * (size_t)x.count;
    x.steps = calloc(all, sizeof *x.steps), x.ended = malloc(all * sizeof *x.ended);
    x.free_s = calloc(devices, sizeof *x.free_s), x.next = calloc(devices, sizeof *x.next);
    const bool room = x.steps && x.ended && x.free_s && x.next;
    for (size_t i = 0; room && i < all; i++) x.ended[i] = NAN;
    for (size_t d = 0; room && d < devices; d++)
        plan_pipeline_order(&x.pipeline, (int)d, x.steps + d * (size_t)x.count);
    if (room) *end = play(&x);
    free(x.steps), free(x.ended), free(x.free_s), free(x.next);
    return room ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a pipeline's %zu tasks", all);
}

/* A stream's message to the next stage: as an all-reduce of two ranks, whose links carry as much. */
static int price_send(struct projection_pricing *p, struct projection_message_price *price) {
    for (int i = 0; i < p->plan->ledger.count; i++) {
        const struct plan_op *o = &p->plan->ledger.ops[i];
        if (o->kind == PLAN_MESSAGE && !strcmp(o->group, "pp"))
            return projection_measured_message(p->m, 2, p->plan->request.threads, o->bytes, price, p->e);
    }
    return BASE_OK;
}

/* The sum of a tied token table's gradient, which nothing covers. */
static int price_table(struct projection_pricing *p) {
    struct projection_message_price price;
    for (int i = 0; i < p->plan->ledger.count; i++) {
        const struct plan_op *o = &p->plan->ledger.ops[i];
        if (o->kind != PLAN_MESSAGE || strcmp(o->group, "ends") != 0 || strcmp(o->op, "all_reduce") != 0) continue;
        int code = projection_measured_message(p->m, 2, p->plan->request.threads, o->bytes, &price, p->e);
        if (code) return code;
        p->r->axis_exposed_s[PLAN_PP] += price.seconds;
        return projection_price_add(
            p,
            (struct projection_priced){o->name, "all_reduce", "", PLAN_PHASE_COMMUNICATION, 1, price.seconds, price.sd,
                                       price.extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED, p->m->message_count});
    }
    return BASE_OK;
}

/* The slowest stage is what p->r becomes; it also waits until the others have ended. */
static int price_all(struct projection_pricing *p, struct stage *stages) {
    const struct plan_layout *l = &p->plan->request.layout;
    const struct projection_measured begun = *p->r;
    struct projection_message_price send = {0};
    double most = -1, before = 0, after = 0, busy = 0, end = 0, own = 0;
    int code = price_send(p, &send);
    for (int s = 0; s < l->pp && !code; s++) {
        struct plan_request r = p->plan->request;
        struct plan plan;
        struct projection_measured of = begun;
        struct projection_pricing q = *p;
        double tasks = 0;
        r.rank = plan_grid_stage_rank(l, s);
        code = plan_make(&plan, &r, p->e);
        q.plan = &plan, q.r = &of;
        if (!code) code = projection_price_rank(&q);
        if (!code) code = price_table(&q);
        if (code) return code;
        stages[s] = stage_of(&plan, &of);
        for (int c = 0; c < l->vp; c++) tasks += stages[s].task_s[c][PLAN_FORWARD] + stages[s].task_s[c][PLAN_BACKWARD];
        tasks *= (double)plan.accumulation;
        busy += tasks;
        before = fmax(before, stages[s].before_s), after = fmax(after, stages[s].after_s);
        const double all = stages[s].before_s + tasks + stages[s].after_s;
        if (all > most) most = own = all, *p->r = of;
    }
    if (!code) code = play_step(p->plan, stages, send.seconds, &end, p->e);
    if (code) return code;
    const double wait = fmax(0, before + end + after - own);
    p->r->bubble = 1 - busy / l->pp / (before + end + after);
    p->r->axis_exposed_s[PLAN_PP] += wait;
    return projection_price_add(p, (struct projection_priced){"waiting for other stages", "schedule", "",
                                                              PLAN_PHASE_PIPELINE, 1, wait, 0, PROJECTION_TIMED, 0});
}

int projection_price_stages(struct projection_pricing *p) {
    struct stage *stages = calloc((size_t)p->plan->request.layout.pp, sizeof *stages);
    const int code =
        stages ? price_all(p, stages) : base_fail(p->e, BASE_BROKEN, "out of memory for the stages of a pipeline");
    free(stages);
    return code;
}
