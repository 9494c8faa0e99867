/* SPDX-License-Identifier: Apache-2.0
 *
 * Each device has two queues: compute, in the schedule's order, and messages. A task starts when its device is free,
 * its weights are gathered and its micro-batch has arrived from the neighbour. */
#include "costmodel/schedule.h"

#include <math.h>
#include <stdlib.h>

/* A device and its progress through its tasks. */
struct worker {
    struct plan_step *steps;
    int64_t next;
    double free, messages_free; /* when its queues are empty */
    double weights_ready;       /* when the next task's weights are gathered; 0: it needs none */
    double busy;
    int64_t in_flight; /* forwards without their backward */
};

struct simulation {
    const struct cost_pipeline *p;
    struct worker *workers;
    double *forward, *backward; /* end times, [virtual stage][micro-batch]; NAN: not yet */
    struct cost_event *events;
    int64_t event_count;
    struct cost_timeline *t;
};

static double *ended(const struct simulation *s, double *when, int64_t stage, int64_t micro_batch) {
    return &when[stage * s->p->plan.micro_batches + micro_batch];
}

static void add_event(struct simulation *s, int task, int device, int chunk, int64_t m, double start, double end) {
    if (s->events && end > start) s->events[s->event_count++] = (struct cost_event){task, device, chunk, m, start, end};
}

/* When the task's micro-batch arrives; NAN: unknown yet. A hop within a device takes no time. */
static double ready_at(const struct simulation *s, int device, const struct plan_step *x) {
    const int64_t devices = s->p->plan.devices, stage = x->chunk * devices + device,
                  last = s->p->plan.chunks * devices - 1;
    const double hop = devices > 1 && !s->p->blocking ? s->p->hop : 0;
    if (x->task == PLAN_FORWARD) return stage == 0 ? 0 : *ended(s, s->forward, stage - 1, x->micro_batch) + hop;
    if (x->task == PLAN_WEIGHT) return 0; /* the order puts it after its backward */
    return stage == last ? *ended(s, s->forward, stage, x->micro_batch)
                         : *ended(s, s->backward, stage + 1, x->micro_batch) + hop;
}

static double duration(const struct simulation *s, int device, const struct plan_step *x) {
    const int64_t stage = x->chunk * s->p->plan.devices + device, last = s->p->plan.chunks * s->p->plan.devices - 1;
    const struct cost_stage *y = &s->p->stages[stage];
    const bool split = s->p->plan.schedule == PLAN_ZERO_BUBBLE;
    const double hop = s->p->plan.devices > 1 && s->p->blocking ? s->p->hop : 0;
    const bool is_slow = device >= s->p->slow_first && device < s->p->slow_first + s->p->slow_count;
    const double factor = is_slow ? 1 + s->p->slower : 1;
    if (x->task == PLAN_FORWARD) return factor * y->forward + (stage > 0 ? hop : 0);
    if (x->task == PLAN_WEIGHT) return factor * y->weight;
    return factor * (y->backward - (split ? y->weight : 0)) + (stage < last ? hop : 0);
}

/* Queues a message of the device, overlapping compute or not. Returns when it ends. */
static double message(struct simulation *s, int task, int device, const struct plan_step *x, double earliest,
                      double takes) {
    struct worker *w = &s->workers[device];
    double *queue = s->p->overlap ? &w->messages_free : &w->free;
    const double start = fmax(*queue, earliest);
    if (takes <= 0) return earliest;
    *queue = start + takes;
    add_event(s, task, device, x->chunk, x->micro_batch, start, *queue);
    return *queue;
}

static bool reduces(const struct cost_pipeline *p, const struct plan_step *x) {
    return x->task == plan_pipeline_last(&p->plan) && (p->reduce_each || x->micro_batch == p->plan.micro_batches - 1);
}

/* When a task's weights are gathered, if requested at `earliest`; 0: it needs none. */
static double gather(struct simulation *s, int device, const struct plan_step *x, double earliest) {
    const double takes = s->p->stages[x->chunk * s->p->plan.devices + device].gather;
    return x->task == PLAN_WEIGHT || takes <= 0 ? 0 : message(s, COST_GATHER, device, x, earliest, takes);
}

/* Runs a task. It requests the next task's weights at its start, so before its own gradients are sent. */
static void do_step(struct simulation *s, int device, const struct plan_step *x, double ready) {
    struct worker *w = &s->workers[device];
    const int64_t stage = x->chunk * s->p->plan.devices + device;
    const struct cost_stage *y = &s->p->stages[stage];
    if (w->next == 0 || !s->p->overlap) w->weights_ready = gather(s, device, x, w->free);
    const double start = fmax(fmax(w->free, ready), w->weights_ready), end = start + duration(s, device, x);
    if (s->p->overlap && w->next + 1 < plan_pipeline_steps(&s->p->plan))
        w->weights_ready = gather(s, device, x + 1, start);
    w->free = end;
    w->busy += end - start;
    if (x->task == PLAN_FORWARD) *ended(s, s->forward, stage, x->micro_batch) = end;
    if (x->task == PLAN_BACKWARD) *ended(s, s->backward, stage, x->micro_batch) = end;
    w->in_flight += x->task == PLAN_FORWARD ? 1 : x->task == PLAN_BACKWARD ? -1 : 0;
    if (device == 0 && w->in_flight > s->t->in_flight) s->t->in_flight = w->in_flight;
    add_event(s, x->task, device, x->chunk, x->micro_batch, start, end);
    if (reduces(s->p, x)) message(s, COST_REDUCE, device, x, end, y->reduce);
}

/* Advances each device as far as its neighbours allow, until no device moves. */
static void simulate(struct simulation *s) {
    const int64_t length = plan_pipeline_steps(&s->p->plan);
    for (bool moved = true; moved;) {
        moved = false;
        for (int d = 0; d < s->p->plan.devices; d++) {
            struct worker *w = &s->workers[d];
            for (double ready; w->next < length; w->next++, moved = true) {
                if (isnan(ready = ready_at(s, d, &w->steps[w->next]))) break;
                do_step(s, d, &w->steps[w->next], ready);
            }
        }
    }
}

static void sum_up(struct simulation *s) {
    struct cost_timeline *t = s->t;
    double compute = 0;
    for (int d = 0; d < s->p->plan.devices; d++) {
        const struct worker *w = &s->workers[d];
        compute = fmax(compute, w->free);
        t->span = fmax(t->span, fmax(w->free, w->messages_free));
        t->busy = fmax(t->busy, w->busy);
        t->work += w->busy;
    }
    t->idle = compute * s->p->plan.devices - t->work;
    t->bubble = compute > 0 ? t->idle / (compute * s->p->plan.devices) : 0;
}

static int open_workers(struct simulation *s) {
    const struct cost_pipeline *p = s->p;
    const int64_t length = plan_pipeline_steps(&p->plan),
                  ends = p->plan.micro_batches * p->plan.chunks * p->plan.devices;
    s->workers = calloc((size_t)p->plan.devices, sizeof *s->workers);
    struct plan_step *steps = malloc((size_t)(p->plan.devices * length) * sizeof *steps);
    s->forward = malloc((size_t)(2 * ends) * sizeof *s->forward);
    if (!s->workers || !steps || !s->forward) {
        free(steps);
        return -1;
    }
    s->backward = s->forward + ends;
    for (int64_t i = 0; i < 2 * ends; i++) s->forward[i] = NAN;
    for (int d = 0; d < p->plan.devices; d++) {
        s->workers[d].steps = steps + d * length;
        plan_pipeline_order(&p->plan, d, s->workers[d].steps);
    }
    return 0;
}

static int run(const struct cost_pipeline *p, struct cost_timeline *t, struct cost_event *events,
               struct base_error *e) {
    struct simulation s = {.p = p, .events = events, .t = t};
    int code = BASE_OK;
    *t = (struct cost_timeline){0};
    if (open_workers(&s)) {
        code = base_fail(e, BASE_BROKEN, "out of memory for a schedule of %d devices", p->plan.devices);
    } else {
        simulate(&s);
        for (int d = 0; d < p->plan.devices; d++)
            if (s.workers[d].next < plan_pipeline_steps(&p->plan))
                code = base_fail(e, BASE_BROKEN, "bug: schedule %s deadlocks at device %d",
                                 plan_schedule_name(p->plan.schedule), d);
        sum_up(&s);
        t->events = s.event_count;
    }
    if (s.workers) free(s.workers[0].steps);
    free(s.workers);
    free(s.forward);
    return code;
}

int cost_pipeline_run(const struct cost_pipeline *p, struct cost_timeline *t, struct cost_event *events,
                      struct base_error *e) {
    const size_t stages = (size_t)(p->plan.devices * p->plan.chunks);
    struct cost_pipeline no_messages = *p;
    struct cost_timeline without;
    struct cost_stage *copy = malloc(stages * sizeof *copy);
    if (!copy) return base_fail(e, BASE_BROKEN, "out of memory for a schedule of %d devices", p->plan.devices);
    for (size_t i = 0; i < stages; i++) copy[i] = p->stages[i], copy[i].gather = copy[i].reduce = 0;
    no_messages.stages = copy;
    int code = run(&no_messages, &without, NULL, e);
    free(copy);
    if (!code) code = run(p, t, events, e);
    if (!code) t->exposed = t->span - without.span;
    return code;
}

int64_t cost_pipeline_events(const struct cost_pipeline *p) {
    return p->plan.devices * plan_pipeline_steps(&p->plan) * 3; /* a task, its gather and its reduce */
}

int cost_pipeline_estimate(const struct cost_pipeline *p, struct cost_timeline *t, struct base_error *e) {
    enum { SETTLED = 4 };
    const int64_t step = p->plan.devices, first = SETTLED * step + p->plan.micro_batches % step;
    const int64_t rounds = (p->plan.micro_batches - first) / step;
    struct cost_pipeline shorter = *p;
    struct cost_timeline a, b;
    if (rounds < 2 || p->plan.chunks > 1) return cost_pipeline_run(p, t, NULL, e);
    shorter.plan.micro_batches = first;
    int code = cost_pipeline_run(&shorter, &a, NULL, e);
    shorter.plan.micro_batches = first + step;
    if (!code) code = cost_pipeline_run(&shorter, &b, NULL, e);
    if (code) return code;
    const double more = (double)rounds, round = b.span - a.span;
    *t = b;
    t->span = a.span + more * round;
    t->busy = a.busy + more * (b.busy - a.busy);
    t->exposed = a.exposed + more * (b.exposed - a.exposed);
    t->idle = a.idle + more * (b.idle - a.idle);
    t->bubble = t->idle / (t->idle + a.work + more * (b.work - a.work));
    return BASE_OK;
}
