/* SPDX-License-Identifier: Apache-2.0
 *
 * The task orders of GPipe, 1F1B, interleaved 1F1B and ZB-H1, following their papers. */
#include "plan/schedule.h"

#include "base/text.h"

static const char *const names[PLAN_SCHEDULES] = {"gpipe", "1f1b", "zero-bubble"};

int64_t plan_pipeline_steps(const struct plan_pipeline *p) {
    return p->micro_batches * p->chunks * (p->schedule == PLAN_ZERO_BUBBLE ? 3 : 2);
}

struct writer {
    const struct plan_pipeline *p;
    plan_each_step *each;
    void *context;
};

static void take(struct writer *w, enum plan_task task, int chunk, int64_t micro_batch) {
    const struct plan_step step = {task, chunk, micro_batch};
    w->each(w->context, &step);
}

/* Takes the k-th forward or backward of a device. With several devices, chunks alternate every `devices`
 * micro-batches. A single device runs all its chunks for each micro-batch. */
static void put(struct writer *w, enum plan_task task, int64_t k) {
    const int64_t devices = w->p->devices, chunks = w->p->chunks, round = devices * chunks;
    const int chunk = (int)(k % round / devices);
    take(w, task, task == PLAN_FORWARD ? chunk : (int)chunks - 1 - chunk, k / round * devices + k % devices);
}

static void gpipe(struct writer *w) {
    const int64_t n = w->p->micro_batches;
    for (int chunk = 0; chunk < w->p->chunks; chunk++)
        for (int64_t m = 0; m < n; m++) take(w, PLAN_FORWARD, chunk, m);
    for (int chunk = w->p->chunks - 1; chunk >= 0; chunk--)
        for (int64_t m = 0; m < n; m++) take(w, PLAN_BACKWARD, chunk, m);
}

/* Forwards before the first backward: until the first micro-batch comes back. */
static int64_t warm_up(const struct plan_pipeline *p, int device) {
    const int64_t n = p->micro_batches * p->chunks, after = p->devices - 1 - device;
    const int64_t forwards = p->chunks == 1    ? after
                             : p->devices == 1 ? p->chunks - 1
                                               : 2 * after + (p->chunks - 1) * p->devices;
    return forwards < n ? forwards : n;
}

int64_t plan_pipeline_in_flight(const struct plan_pipeline *p, int device) {
    const int64_t all = p->micro_batches * p->chunks, first = warm_up(p, device);
    return p->schedule == PLAN_GPIPE || first == all ? all : first + 1;
}

static void one_forward_one_backward(struct writer *w, int device) {
    const int64_t n = w->p->micro_batches * w->p->chunks, first = warm_up(w->p, device);
    for (int64_t k = 0; k < first; k++) put(w, PLAN_FORWARD, k);
    for (int64_t k = first; k < n; k++) {
        put(w, PLAN_FORWARD, k);
        put(w, PLAN_BACKWARD, k - first);
    }
    for (int64_t k = n - first; k < n; k++) put(w, PLAN_BACKWARD, k);
}

/* ZB-H1 has the activation memory of 1F1B's first device on all. Device d delays its weight gradients by d
 * micro-batches. They then fill the time in which it would wait for the last backwards. */
static void zero_bubble(struct writer *w, int device) {
    const int64_t n = w->p->micro_batches, first = warm_up(w->p, device), late = device < n ? device : n;
    int64_t weights = 0;
    for (int64_t k = 0; k < first; k++) put(w, PLAN_FORWARD, k);
    for (int64_t k = 0; k < n; k++) {
        if (first + k < n) put(w, PLAN_FORWARD, first + k);
        put(w, PLAN_BACKWARD, k);
        if (k >= late) put(w, PLAN_WEIGHT, weights++);
    }
    while (weights < n) put(w, PLAN_WEIGHT, weights++);
}

void plan_pipeline_each(const struct plan_pipeline *p, int device, plan_each_step *each, void *context) {
    struct writer w = {p, each, context};
    switch (p->schedule) {
    case PLAN_GPIPE:
        gpipe(&w);
        return;
    case PLAN_1F1B:
        one_forward_one_backward(&w, device);
        return;
    case PLAN_ZERO_BUBBLE:
        zero_bubble(&w, device);
        return;
    case PLAN_SCHEDULES:
        return;
    }
}

static void append(void *context, const struct plan_step *step) {
    struct plan_step **next = context;
    *(*next)++ = *step;
}

void plan_pipeline_order(const struct plan_pipeline *p, int device, struct plan_step *steps) {
    plan_pipeline_each(p, device, append, &steps);
}

/* Micro-batches of one chunk between two of their tasks. */
struct flight {
    int chunk;
    enum plan_task from, to;
    int64_t now, most;
};

static void fly(void *context, const struct plan_step *step) {
    struct flight *f = context;
    if (step->chunk != f->chunk) return;
    f->now += (step->task == f->from) - (step->task == f->to);
    if (f->now > f->most) f->most = f->now;
}

static int64_t most_between(const struct plan_pipeline *p, int device, int chunk, enum plan_task from,
                            enum plan_task to) {
    struct flight f = {.chunk = chunk, .from = from, .to = to};
    plan_pipeline_each(p, device, fly, &f);
    return f.most;
}

enum plan_task plan_pipeline_last(const struct plan_pipeline *p) {
    return p->schedule == PLAN_ZERO_BUBBLE ? PLAN_WEIGHT : PLAN_BACKWARD;
}

int64_t plan_pipeline_slots(const struct plan_pipeline *p, int device, int chunk) {
    return most_between(p, device, chunk, PLAN_FORWARD, plan_pipeline_last(p));
}

int64_t plan_pipeline_late(const struct plan_pipeline *p, int device, int chunk) {
    return p->schedule == PLAN_ZERO_BUBBLE ? most_between(p, device, chunk, PLAN_BACKWARD, PLAN_WEIGHT) : 0;
}

/* Of a micro-batch: one for 1F1B, whose idle time has backward's both parts; three for zero-bubble, one for each task.
 */
double plan_pipeline_bubble(const struct plan_pipeline *p) {
    const bool split = p->schedule == PLAN_ZERO_BUBBLE;
    const int64_t few = split && p->micro_batches < p->devices ? p->devices - p->micro_batches : 0;
    const double idle = (double)(p->devices - 1 + few), work = (double)(p->micro_batches * p->chunks);
    return idle / (idle + (split ? 3 : 1) * work);
}

int plan_pipeline_check(const struct plan_pipeline *p, struct base_error *e) {
    const bool whole = p->micro_batches % p->devices == 0;
    if (p->devices < 1 || p->chunks < 1 || p->micro_batches < 1)
        return base_fail(e, BASE_USAGE, "a pipeline has at least 1 device, 1 chunk and 1 micro-batch");
    if (p->chunks > 1 && p->schedule == PLAN_ZERO_BUBBLE)
        return base_fail(e, BASE_USAGE,
                         "schedule zero-bubble runs one chunk on each device; take --vp 1 or another schedule");
    if (p->chunks > 1 && p->devices > 1 && p->schedule != PLAN_GPIPE && !whole)
        return base_fail(e, BASE_USAGE,
                         "%lld micro-batches do not divide over %d pipeline stages, which --vp %d needs; take a "
                         "multiple of %d, or --vp 1",
                         (long long)p->micro_batches, p->devices, p->chunks, p->devices);
    return BASE_OK;
}

const char *plan_schedule_word(int i) {
    return i < PLAN_SCHEDULES ? names[i] : i == PLAN_SCHEDULES ? "zb" : NULL;
}

enum plan_schedule plan_schedule_of(int word) {
    return word == PLAN_SCHEDULES ? PLAN_ZERO_BUBBLE : (enum plan_schedule)word;
}

const char *plan_schedule_name(enum plan_schedule schedule) {
    return names[schedule];
}

bool plan_schedule_find(const char *name, enum plan_schedule *schedule) {
    const int i = base_text_find(name, names, PLAN_SCHEDULES);
    if (i >= 0) *schedule = (enum plan_schedule)i;
    return i >= 0;
}
