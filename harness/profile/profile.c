/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed calls: of kernels, and of the groups that an engine sends in. */
#include "profile/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "measure/bandwidth.h"
#include "measure/peak.h"

struct call {
    double begin, inside;
};
static struct call call_begin(const struct profile *p) {
    return (struct call){base_clock_now(), p->inside};
}
/* Adds the call's own time to a row: without that of calls that it made itself. */
static void call_end(struct profile *p, const struct call *c, int row, bool traced) {
    const double now = base_clock_now(), whole = now - c->begin, own = whole - (p->inside - c->inside);
    p->inside = c->inside + whole;
    if (!p->on) return;
    p->rows[row].calls++;
    p->rows[row].seconds += own;
    if (!p->events || !traced) return;
    if (p->event_count < PROFILE_EVENTS_MOST)
        p->events[p->event_count++] = (struct profile_event){row, false, c->begin, now};
    else
        p->lost++;
}

static void timed_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct profile *p = team->wrapper;
    const struct call c = call_begin(p);
    p->inner->gemm(team, g);
    call_end(p, &c, profile_row_of_gemm(p, g), true);
}
static void timed_rotary(const struct kernel_team *team, const struct kernel_rotary *x) {
    struct profile *p = team->wrapper;
    const struct call c = call_begin(p);
    p->inner->rotary(team, x);
    call_end(p, &c, p->of_pass[x->inverse ? PROFILE_rotary_back : PROFILE_rotary], true);
}
static double timed_square_sum(const struct kernel_team *team, int64_t n, const float *x) {
    struct profile *p = team->wrapper;
    const struct call c = call_begin(p);
    const double sum = p->inner->square_sum(team, n, x);
    call_end(p, &c, p->of_pass[PROFILE_square_sum], true);
    return sum;
}
/* A pass: its parameters after the team, and how it hands them on. */
#define TIMED(op, parameters, ...)                                                                                     \
    static void timed_##op parameters {                                                                                \
        struct profile *p = team->wrapper;                                                                             \
        const struct call c = call_begin(p);                                                                           \
        p->inner->op(team, __VA_ARGS__);                                                                               \
        call_end(p, &c, p->of_pass[PROFILE_##op], true);                                                               \
    }
TIMED(attention_forward, (const struct kernel_team *team, const struct kernel_attention *x), x)
TIMED(attention_backward, (const struct kernel_team *team, const struct kernel_attention *x), x)
TIMED(norm_forward, (const struct kernel_team *team, const struct kernel_norm *x), x)
TIMED(norm_grad_input, (const struct kernel_team *team, const struct kernel_norm *x), x)
TIMED(norm_grad_params, (const struct kernel_team *team, const struct kernel_norm *x), x)
TIMED(gelu_forward, (const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, void *y), t, n, x,
      y)
TIMED(gelu_backward,
      (const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, const void *dy, void *dx), t, n,
      x, dy, dx)
TIMED(swiglu_forward, (const struct kernel_team *team, const struct kernel_swiglu *x), x)
TIMED(swiglu_backward, (const struct kernel_team *team, const struct kernel_swiglu *x), x)
TIMED(route_forward, (const struct kernel_team *team, const struct kernel_route *x), x)
TIMED(route_backward, (const struct kernel_team *team, const struct kernel_route *x), x)
TIMED(rows_gather, (const struct kernel_team *team, const struct kernel_rows *x), x)
TIMED(rows_sum, (const struct kernel_team *team, const struct kernel_rows *x), x)
TIMED(column_sum,
      (const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols, const void *x, float *sum), t,
      rows, cols, x, sum)
TIMED(cross_entropy_stats, (const struct kernel_team *team, const struct kernel_cross_entropy *x), x)
TIMED(cross_entropy_combine, (const struct kernel_team *team, const struct kernel_cross_entropy *x), x)
TIMED(cross_entropy_grad, (const struct kernel_team *team, const struct kernel_cross_entropy *x), x)
TIMED(embedding_forward, (const struct kernel_team *team, const struct kernel_embedding *x), x)
TIMED(embedding_backward, (const struct kernel_team *team, const struct kernel_embedding *x), x)
TIMED(adamw, (const struct kernel_team *team, const struct kernel_adamw *x), x)
TIMED(to_bf16, (const struct kernel_team *team, int64_t n, const float *x, kernel_bf16 *y), n, x, y)
TIMED(zero, (const struct kernel_team *team, int64_t n, float *x), n, x)

TIMED(from_bf16, (const struct kernel_team *team, int64_t n, const kernel_bf16 *x, float *y), n, x, y)
TIMED(triad, (const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z), n, x, s, y,
      z)
TIMED(copy, (const struct kernel_team *team, int64_t n, const float *x, float *y), n, x, y)

static struct profile_comm *timed_of(struct comm *comm) {
    return (struct profile_comm *)(uintptr_t)comm->ops;
}
static void started(const struct profile_comm *t, const struct call *c, const struct comm_request *request) {
    struct profile *p = t->profile;
    const int64_t i = p->flights++ % PROFILE_FLIGHTS;
    p->flight[i].request = request, p->flight[i].begin = c->begin;
    call_end(p, c, p->of_other[t->row], true);
}
static void timed_all_reduce(struct comm *comm, void *buffer, int64_t count, enum kernel_dtype dtype,
                             struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->all_reduce_start(comm, buffer, count, dtype, request);
    started(t, &c, request);
}
static void timed_reduce_scatter(struct comm *comm, void *buffer, int64_t count, enum kernel_dtype dtype,
                                 struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->reduce_scatter_start(comm, buffer, count, dtype, request);
    started(t, &c, request);
}
static void timed_all_gather(struct comm *comm, void *buffer, int64_t count, int unit, struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->all_gather_start(comm, buffer, count, unit, request);
    started(t, &c, request);
}
static void timed_send(struct comm *comm, const void *data, size_t bytes, int to, int tag,
                       struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->send_start(comm, data, bytes, to, tag, request);
    started(t, &c, request);
}
static void timed_receive(struct comm *comm, void *data, size_t bytes, int from, int tag,
                          struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->receive_start(comm, data, bytes, from, tag, request);
    started(t, &c, request);
}
static void timed_wait(struct comm *comm, struct comm_request *request) {
    struct profile_comm *t = timed_of(comm);
    struct profile *p = t->profile;
    const struct call c = call_begin(p);
    t->inner->wait(comm, request);
    call_end(p, &c, p->of_other[t->row], true);
    for (int i = 0; i < PROFILE_FLIGHTS; i++) {
        if (p->flight[i].request != request) continue;
        p->flight[i].request = NULL;
        if (p->on && p->events && p->event_count < PROFILE_EVENTS_MOST)
            p->events[p->event_count++] =
                (struct profile_event){p->of_other[t->row], true, p->flight[i].begin, base_clock_now()};
    }
}
static void timed_sum(struct comm *comm, double *x, int n) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->sum(comm, x, n);
    call_end(t->profile, &c, t->profile->of_other[t->row], true);
}
static void timed_progress(struct comm *comm) {
    struct profile_comm *t = timed_of(comm);
    const struct call c = call_begin(t->profile);
    t->inner->progress(comm);
    call_end(t->profile, &c, t->profile->of_other[PROFILE_PROGRESSED],
             false); /* too short and too many for a timeline */
}

/* Every group that the engine sends in; one of them may be the world. */
static void wrap_comm(struct profile *p, struct comm *comm, enum profile_other row) {
    for (int i = 0; i < p->comm_count; i++)
        if (p->comms[i].comm == comm) return;
    if (!comm) return;
    struct profile_comm *t = &p->comms[p->comm_count++];
    *t = (struct profile_comm){.ops = *comm->ops, .inner = comm->ops, .comm = comm, .profile = p, .row = row};
    t->ops.all_reduce_start = timed_all_reduce;
    t->ops.reduce_scatter_start = timed_reduce_scatter;
    t->ops.all_gather_start = timed_all_gather;
    t->ops.send_start = timed_send;
    t->ops.receive_start = timed_receive;
    t->ops.wait = timed_wait;
    t->ops.sum = timed_sum;
    t->ops.progress = timed_progress;
    comm->ops = &t->ops;
}

static void wrap(struct profile *p) {
    struct parallel_engine *g = p->engine;
    p->inner = g->team.ops;
    p->ops = *p->inner;
    p->ops.gemm = timed_gemm;
#define PROFILE_PASS(op) p->ops.op = timed_##op;
    PROFILE_PASSES(PROFILE_PASS)
#undef PROFILE_PASS
    g->team.ops = &p->ops;
    g->team.inner = p->inner;
    g->team.wrapper = p;
    p->world = g->world;
    wrap_comm(p, g->world, PROFILE_MESSAGES);
    for (int i = 0; i < PARALLEL_GROUPS; i++) {
        const struct parallel_group group = parallel_group(&g->groups, i);
        wrap_comm(p, group.comm, group.axis == PLAN_PP ? PROFILE_STAGES : PROFILE_MESSAGES);
    }
}

int profile_open(struct profile *p, struct parallel_engine *engine, bool traced, struct base_error *e) {
    memset(p, 0, sizeof *p);
    p->engine = engine;
    p->peak = p->bandwidth = NAN;
    snprintf(p->bandwidth_text, sizeof p->bandwidth_text, "no bandwidth: the run was stopped before");
    if (traced) p->events = calloc(PROFILE_EVENTS_MOST, sizeof *p->events);
    if (traced && !p->events) return base_fail(e, BASE_BROKEN, "out of memory for the calls of a trace");
    profile_rows_open(p);
    wrap(p);
    return BASE_OK;
}

void profile_close(struct profile *p) {
    struct parallel_engine *g = p->engine;
    if (!p->inner) return;
    g->team.ops = p->inner, g->team.inner = NULL, g->team.wrapper = NULL;
    while (p->comm_count) {
        const struct profile_comm *t = &p->comms[--p->comm_count];
        t->comm->ops = t->inner;
    }
}

void profile_free(struct profile *p) {
    if (!p) return;
    free(p->events);
}

void profile_step_begin(struct profile *p) {
    p->event_count = p->lost = 0;
    p->flights = 0;
    p->on = true;
    p->began = base_clock_now();
}

void profile_step_end(struct profile *p, const struct parallel_result *result) {
    struct profile_row *data = &p->rows[p->of_other[PROFILE_DATA]];
    p->on = false;
    p->ended = base_clock_now();
    p->steps++;
    p->seconds += result->seconds;
    data->calls += (double)p->engine->plan->accumulation;
    data->seconds += result->phase_s[PLAN_PHASE_BATCH];
}

/* The wrapped kernels may measure: no step is profiled meanwhile. */
void profile_bandwidth(struct profile *p, double period_s) {
    enum { WINDOWS = 3 };
    const size_t bytes = measure_beyond_caches(p->engine->team.caches) / 2;
    struct measure_bandwidth b;
    struct base_error e;
    const long long free_bytes = base_memory_available();
    double room = free_bytes < 0 || 3.0 * (double)bytes * p->world->local_size < (double)free_bytes ? 0 : 1;
    p->world->ops->max(p->world, &room, 1);
    if (room > 0 || measure_bandwidth_open(&b, &p->engine->team, bytes, period_s, &e)) {
        snprintf(p->bandwidth_text, sizeof p->bandwidth_text, "no bandwidth: memory is too short to measure it");
        return;
    }
    p->world->ops->barrier(p->world);
    p->bandwidth = 0;
    for (int i = 0; i < WINDOWS; i++) {
        const double rate = measure_bandwidth_window(&b);
        if (rate <= p->bandwidth) continue;
        p->bandwidth = rate;
        measure_bandwidth_text(b.fastest, p->engine->team.threads, period_s > 0, p->bandwidth_text,
                               sizeof p->bandwidth_text);
    }
    measure_bandwidth_close(&b);
}
