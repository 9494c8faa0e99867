/* SPDX-License-Identifier: Apache-2.0
 *
 * A step of pipeline stages: each stage's tasks are priced, and their order (plan/schedule.h) is played through. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "projection/measured_ops.h"

/* A stage by itself: seconds of a micro-batch's tasks by chunk, and of what comes before and after all of them. */
struct stage {
    double task_s[MODEL_CHUNKS][PLAN_TASKS];
    double before_s, after_s;
};

/* Layers share a pass by their number; the embedding is with the first chunk, the head with the last. */
static struct stage stage_of(const struct plan *plan, const struct projection_measured *r) {
    const double micro = (double)plan->accumulation, layers = (double)plan->part.layers;
    const double embed[2] = {projection_priced_seconds(r, PLAN_PHASE_FORWARD, "embedding forward"),
                             projection_priced_seconds(r, PLAN_PHASE_BACKWARD, "embedding backward")};
    const double late = model_is_late(&plan->shape, 0) ? projection_priced_weights(r) : 0;
    const double pass[2] = {projection_priced_seconds(r, PLAN_PHASE_FORWARD, NULL) - embed[0],
                            projection_priced_seconds(r, PLAN_PHASE_BACKWARD, NULL) - embed[1] - r->cost_s - late};
    const int chunks = model_chunks(&plan->shape);
    struct stage s = {.before_s = projection_priced_seconds(r, PLAN_PHASE_ZERO, NULL) +
                                  projection_priced_seconds(r, PLAN_PHASE_BATCH, NULL),
                      .after_s = projection_priced_seconds(r, PLAN_PHASE_PIPELINE, NULL) +
                                 projection_priced_seconds(r, PLAN_PHASE_COMMUNICATION, NULL) +
                                 projection_priced_seconds(r, PLAN_PHASE_CLIP, NULL) +
                                 projection_priced_seconds(r, PLAN_PHASE_UPDATE, NULL) + r->cost_s};
    for (int c = 0; c < chunks; c++)
        for (int task = 0; task < 2; task++)
            s.task_s[c][task] =
                (pass[task] * (double)model_chunk_of(&plan->shape, c).layers / layers + (c == 0 ? embed[task] : 0)) /
                micro;
    s.task_s[0][PLAN_WEIGHT] = late / micro;
    s.task_s[chunks - 1][PLAN_BACKWARD] += projection_priced_seconds(r, PLAN_PHASE_HEAD, NULL) / micro;
    return s;
}

/* The pipeline as it runs. ended: of virtual stage v, micro-batch m: [(v * micros + m) * 2 + task]; NAN: not yet.
 * arrived: when the next stage has what came of it. */
struct play {
    struct plan_pipeline pipeline;
    const struct stage *stages;
    struct plan_step *steps; /* [devices][count] */
    double *ended, *arrived;
    double *free_s; /* [devices] when a device has ended its tasks so far, */
    double *link_s; /* [devices][2] and its links have: with activations, with gradients */
    int64_t *next, count;
    double send_s, table_s; /* of a message between stages; until the last stage has a tied token table */
};

/* When the task's input is there; NAN: not yet known. That of weight gradients is, by the order of tasks. */
static double ready(const struct play *x, int v, const struct plan_step *s) {
    const int last = x->pipeline.devices * x->pipeline.chunks - 1, before = s->task == PLAN_FORWARD ? v - 1 : v + 1;
    const int64_t micros = x->pipeline.micro_batches;
    if (s->task == PLAN_WEIGHT || (s->task == PLAN_FORWARD && v == 0)) return 0;
    if (s->task == PLAN_BACKWARD && v == last)
        return fmax(x->ended[(v * micros + s->micro_batch) * 2 + PLAN_FORWARD], x->table_s);
    return x->arrived[(before * micros + s->micro_batch) * 2 + s->task];
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
        if (s->task == PLAN_WEIGHT) continue; /* nothing is sent */
        const int64_t place = (v * x->pipeline.micro_batches + s->micro_batch) * 2 + s->task;
        double *link = &x->link_s[2 * device + s->task];
        x->ended[place] = x->free_s[device];
        x->arrived[place] = *link = fmax(*link, x->ended[place]) + x->send_s;
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

static int play_step(const struct plan *plan, const struct stage *stages, double send_s, double table_s, double *end,
                     struct base_error *e) {
    struct play x = {.stages = stages, .send_s = send_s, .table_s = table_s};
    plan_pipeline_of(plan, &x.pipeline);
    x.count = plan_pipeline_steps(&x.pipeline);
    const size_t devices = (size_t)x.pipeline.devices, all = devices * (size_t)x.count;
    x.steps = calloc(all, sizeof *x.steps), x.ended = malloc(all * sizeof *x.ended);
    x.free_s = calloc(devices, sizeof *x.free_s), x.next = calloc(devices, sizeof *x.next);
    x.arrived = malloc(all * sizeof *x.arrived), x.link_s = calloc(2 * devices, sizeof *x.link_s);
    const bool room = x.steps && x.ended && x.free_s && x.next && x.arrived && x.link_s;
    for (size_t i = 0; room && i < all; i++) x.ended[i] = x.arrived[i] = NAN;
    for (size_t d = 0; room && d < devices; d++)
        plan_pipeline_order(&x.pipeline, (int)d, x.steps + d * (size_t)x.count);
    if (room) *end = play(&x);
    free(x.steps), free(x.ended), free(x.free_s), free(x.next), free(x.arrived), free(x.link_s);
    return room ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a pipeline's %zu tasks", all);
}

/* The ledger's first message of a group by an operation; seconds 0: there is none. */
static int price_first(struct projection_pricing *p, const char *group, const char *op,
                       struct projection_message_price *price) {
    *price = (struct projection_message_price){0};
    for (int i = 0; i < p->plan->ledger.count; i++) {
        const struct plan_op *o = &p->plan->ledger.ops[i];
        if (o->kind == PLAN_MESSAGE && !strcmp(o->group, group) && !strcmp(o->op, op))
            return projection_measured_like(p->m, op, 2, p->plan->request.threads, o->bytes, price, p->e);
    }
    return BASE_OK;
}

static enum projection_basis basis_of(const struct projection_message_price *price) {
    return price->extrapolated ? PROJECTION_BEYOND : PROJECTION_TIMED;
}

/* The sum of a tied token table's gradient, which nothing covers. */
static int price_table(struct projection_pricing *p) {
    struct projection_message_price price;
    const char *const op = p->plan->shape.tree.leaves ? "send" : "all_reduce";
    const int code = price_first(p, "ends", op, &price);
    if (code || price.seconds == 0) return code;
    p->r->axis_exposed_s[PLAN_PP] += price.seconds;
    return projection_price_add(p, (struct projection_priced){"tied token table's gradient", op, "",
                                                              PLAN_PHASE_PIPELINE, 1, price.seconds, price.sd,
                                                              basis_of(&price), p->m->message_count});
}

/* What all stages have in common. */
struct pipeline {
    double before_s, after_s; /* the longest of a stage */
    double busy_s;            /* tasks of all */
    double slowest_s;         /* the stage's that has most to do, by itself */
    struct projection_message_price send, table;
};

/* Prices a stage; the slowest so far is what p->r becomes. begun: p->r before any. */
static int price_stage(struct projection_pricing *p, const struct projection_measured *begun, int s,
                       struct stage *stage, struct pipeline *all) {
    struct plan_request r = p->plan->request;
    struct plan plan;
    struct projection_measured of = *begun;
    struct projection_pricing q = *p;
    double tasks = 0;
    r.rank = plan_grid_stage_rank(&r.layout, s);
    q.plan = &plan, q.r = &of;
    int code = plan_make(&plan, &r, p->e);
    if (!code) code = projection_price_rank(&q);
    if (!code) code = price_table(&q);
    if (!code && s == 0) code = price_first(&q, "pp", "send", &all->send);
    if (!code && s == 0) code = price_first(&q, "ends", "send", &all->table);
    if (code) return code;
    *stage = stage_of(&plan, &of);
    for (int c = 0; c < r.layout.vp; c++)
        for (int task = 0; task < PLAN_TASKS; task++) tasks += stage->task_s[c][task];
    tasks *= (double)plan.accumulation;
    all->busy_s += tasks;
    all->before_s = fmax(all->before_s, stage->before_s), all->after_s = fmax(all->after_s, stage->after_s);
    if (stage->before_s + tasks + stage->after_s <= all->slowest_s) return BASE_OK;
    all->slowest_s = stage->before_s + tasks + stage->after_s;
    *p->r = of;
    return BASE_OK;
}

/* The slowest stage also waits until the others have ended. */
static int price_all(struct projection_pricing *p, struct stage *stages) {
    const int count = p->plan->request.layout.pp;
    const struct projection_measured begun = *p->r;
    struct pipeline all = {0};
    double end = 0;
    int code = BASE_OK;
    for (int s = 0; s < count && !code; s++) code = price_stage(p, &begun, s, &stages[s], &all);
    if (!code) code = play_step(p->plan, stages, all.send.seconds, all.table.seconds, &end, p->e);
    if (code) return code;
    const double step = all.before_s + end + all.after_s, wait = fmax(0, step - all.slowest_s);
    p->r->bubble = (end - all.busy_s / count) / step;
    p->r->axis_exposed_s[PLAN_PP] += wait;
    return projection_price_add(p, (struct projection_priced){"waiting for other stages", "schedule", "",
                                                              PLAN_PHASE_PIPELINE, 1, wait, all.send.sd,
                                                              basis_of(&all.send), 0});
}

int projection_price_stages(struct projection_pricing *p) {
    struct stage *stages = calloc((size_t)p->plan->request.layout.pp, sizeof *stages);
    const int code =
        stages ? price_all(p, stages) : base_fail(p->e, BASE_BROKEN, "out of memory for the stages of a pipeline");
    free(stages);
    return code;
}
