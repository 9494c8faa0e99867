/* SPDX-License-Identifier: Apache-2.0
 *
 * Receives as early as memory allows, and sends at once. */
#include "parallel/pipeline.h"

#include <stdlib.h>

int parallel_pipeline_open(struct parallel_pipeline *p, const struct plan *plan, struct model *model,
                           struct comm *stages, struct base_error *e) {
    struct plan_pipeline whole;
    const int chunks = model_chunks(&plan->shape);
    *p = (struct parallel_pipeline){.comm = stages, .plan = plan, .model = model, .slots = 1};
    plan_pipeline_of(plan, &whole);
    for (int i = 0; i < chunks; i++) {
        const int64_t slots = model_chunk_of(&plan->shape, i).slots;
        if (slots > p->slots) p->slots = slots;
    }
    p->steps = calloc((size_t)plan_pipeline_steps(&whole), sizeof *p->steps);
    p->entry = calloc((size_t)(chunks * p->slots), sizeof *p->entry);
    p->exit = calloc((size_t)(chunks * p->slots), sizeof *p->exit);
    return p->steps && p->entry && p->exit ? BASE_OK
                                           : base_fail(e, BASE_BROKEN, "out of memory for a pipeline's %lld tasks",
                                                       (long long)plan_pipeline_steps(&whole));
}

void parallel_pipeline_close(struct parallel_pipeline *p) {
    free(p->steps), free(p->entry), free(p->exit);
    *p = (struct parallel_pipeline){0};
}

static bool sends(const struct parallel_pipeline *p) {
    return p->comm && !p->silent;
}

static int64_t slot_of(const struct parallel_pipeline *p, const struct plan_step *s) {
    return s->micro_batch % model_chunk_of(&p->plan->shape, s->chunk).slots;
}

static void turn(const struct parallel_pipeline *p, const struct plan_step *s, int64_t backwards) {
    const int64_t late = model_chunk_of(&p->plan->shape, s->chunk).late;
    model_turn(p->model, s->chunk, slot_of(p, s), late ? s->micro_batch % late : 0, p->comm ? (int)(backwards % 2) : 0);
}

/* A message's tag: the chunk that it is for, and whether it is a gradient. */
static int tag(int chunk, bool gradient) {
    return 2 * chunk + gradient;
}

static size_t bytes(const struct parallel_pipeline *p) {
    const struct model *m = p->model;
    return (size_t)(model_own_tokens(m) * m->shape.config->width) * kernel_dtype_bytes(m->shape.dtype);
}

static int stage_before(const struct comm *c) {
    return (c->rank + c->size - 1) % c->size;
}
static int stage_after(const struct comm *c) {
    return (c->rank + 1) % c->size;
}

/* The next task of a kind at or after p->next; false: there is none. */
static bool next_of(struct parallel_pipeline *p, enum plan_task kind) {
    while (p->next[kind] < p->count && p->steps[p->next[kind]].task != kind) p->next[kind]++;
    return p->next[kind] < p->count;
}

/* Awaits inputs of forward tasks whose memory is free: the micro-batch that had it has gone back. */
static void await_activations(struct parallel_pipeline *p) {
    while (next_of(p, PLAN_FORWARD)) {
        const struct plan_step *s = &p->steps[p->next[PLAN_FORWARD]];
        if (s->micro_batch - model_chunk_of(&p->plan->shape, s->chunk).slots >= p->done[s->chunk]) return;
        turn(p, s, 0);
        if (!model_embeds(p->model))
            p->comm->ops->receive_start(p->comm, model_entry(p->model), bytes(p), stage_before(p->comm),
                                        tag(s->chunk, false), &p->entry[s->chunk * p->slots + slot_of(p, s)]);
        p->next[PLAN_FORWARD]++;
    }
}

/* The same of backward tasks. Each uses the memory of the one before the last, once that has been sent. */
static void await_gradients(struct parallel_pipeline *p, bool now) {
    while (next_of(p, PLAN_BACKWARD) && p->asked < p->backwards + 2) {
        const struct plan_step *s = &p->steps[p->next[PLAN_BACKWARD]];
        struct comm_request *sent = &p->go[p->asked % 2];
        if (sent->active && !(now && p->asked == p->backwards)) return;
        p->comm->ops->wait(p->comm, sent);
        turn(p, s, p->asked);
        if (!model_heads(p->model))
            p->comm->ops->receive_start(p->comm, model_stream(p->model), bytes(p), stage_after(p->comm),
                                        tag(s->chunk, true), &p->come[p->asked % 2]);
        p->next[PLAN_BACKWARD]++;
        p->asked++;
    }
}

void parallel_pipeline_begin(struct parallel_pipeline *p, int64_t micro_batches) {
    struct plan_pipeline whole;
    plan_pipeline_of(p->plan, &whole);
    whole.micro_batches = micro_batches;
    if (micro_batches == 1 && whole.chunks > 1) whole.schedule = PLAN_GPIPE; /* interleaving asks for more */
    plan_pipeline_order(&whole, p->plan->place.at[PLAN_PP], p->steps);
    p->count = plan_pipeline_steps(&whole);
    p->last = plan_pipeline_last(&whole);
    p->backwards = p->asked = p->next[PLAN_FORWARD] = p->next[PLAN_BACKWARD] = 0;
    for (int i = 0; i < MODEL_CHUNKS; i++) p->done[i] = 0;
}

void parallel_pipeline_enter(struct parallel_pipeline *p, int64_t task) {
    const struct plan_step *s = &p->steps[task];
    const int64_t at = s->chunk * p->slots + slot_of(p, s);
    if (sends(p)) {
        await_activations(p);
        await_gradients(p, s->task == PLAN_BACKWARD);
        if (s->task == PLAN_BACKWARD) p->comm->ops->wait(p->comm, &p->come[p->backwards % 2]);
        if (s->task == PLAN_FORWARD) p->comm->ops->wait(p->comm, &p->entry[at]);
        if (s->task == PLAN_FORWARD) p->comm->ops->wait(p->comm, &p->exit[at]);
    }
    turn(p, s, p->backwards);
}

static void send(struct parallel_pipeline *p, const void *data, int to, int chunk, bool gradient,
                 struct comm_request *request) {
    p->comm->ops->send_start(p->comm, data, bytes(p), to, tag(chunk, gradient), request);
}

void parallel_pipeline_leave(struct parallel_pipeline *p, int64_t task) {
    const struct plan_step *s = &p->steps[task];
    struct comm *c = p->comm;
    const struct model *m = p->model;
    if (s->task == PLAN_FORWARD && sends(p) && !model_heads(m))
        send(p, model_exit(m), stage_after(c), s->chunk + (c->rank + 1 == c->size), false,
             &p->exit[s->chunk * p->slots + slot_of(p, s)]);
    if (s->task == PLAN_BACKWARD && sends(p) && !model_embeds(m))
        send(p, model_stream(m), stage_before(c), s->chunk - (c->rank == 0), true, &p->go[p->backwards % 2]);
    p->backwards += s->task == PLAN_BACKWARD;
    p->done[s->chunk] += s->task == p->last;
}

void parallel_pipeline_end(struct parallel_pipeline *p) {
    const int64_t slots = model_chunks(&p->plan->shape) * p->slots;
    for (int64_t i = 0; sends(p) && i < slots; i++) p->comm->ops->wait(p->comm, &p->exit[i]);
    for (int i = 0; sends(p) && i < 2; i++) p->comm->ops->wait(p->comm, &p->go[i]);
}
