/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed calls: of kernels, and of the comm that an engine sends by. */
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
TIMED(swiglu_forward,
      (const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols, const void *x, void *y), t,
      rows, cols, x, y)
TIMED(swiglu_backward,
      (const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols, const void *x, const void *dy,
       void *dx),
      t, rows, cols, x, dy, dx)
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

/* The comm handed to the engine is the first member of its profile. */
static struct profile *profile_of(struct comm *comm) {
    return (struct profile *)(void *)comm;
}
/* Messages that may be in flight: gradients, and what rows.h gathers. */
static int64_t flying_most(const struct profile *p) {
    return p->engine->buckets.capacity + 2;
}
static void timed_all_reduce(struct comm *comm, void *buffer, int64_t count, enum kernel_dtype dtype,
                             struct comm_request *request) {
    struct profile *p = profile_of(comm);
    const struct call c = call_begin(p);
    p->world->ops->all_reduce_start(p->world, buffer, count, dtype, request);
    p->flying[p->flying_next++ % flying_most(p)] = c.begin;
    call_end(p, &c, p->of_other[PROFILE_MESSAGES], true);
}
static void timed_all_gather(struct comm *comm, void *buffer, int64_t count, int unit, struct comm_request *request) {
    struct profile *p = profile_of(comm);
    const struct call c = call_begin(p);
    p->world->ops->all_gather_start(p->world, buffer, count, unit, request);
    p->flying[p->flying_next++ % flying_most(p)] = c.begin;
    call_end(p, &c, p->of_other[PROFILE_MESSAGES], true);
}
/* Messages are waited for in the order of their starts. */
static void timed_wait(struct comm *comm, struct comm_request *request) {
    struct profile *p = profile_of(comm);
    const struct call c = call_begin(p);
    p->world->ops->wait(p->world, request);
    call_end(p, &c, p->of_other[PROFILE_MESSAGES], true);
    if (p->flying_first == p->flying_next) return;
    const double begin = p->flying[p->flying_first++ % flying_most(p)];
    if (p->on && p->events && p->event_count < PROFILE_EVENTS_MOST)
        p->events[p->event_count++] =
            (struct profile_event){p->of_other[PROFILE_MESSAGES], true, begin, base_clock_now()};
}
static void timed_sum(struct comm *comm, double *x, int n) {
    struct profile *p = profile_of(comm);
    const struct call c = call_begin(p);
    p->world->ops->sum(p->world, x, n);
    call_end(p, &c, p->of_other[PROFILE_MESSAGES], true);
}
static void timed_progress(struct comm *comm) {
    struct profile *p = profile_of(comm);
    const struct call c = call_begin(p);
    p->world->ops->progress(p->world);
    call_end(p, &c, p->of_other[PROFILE_PROGRESSED], false); /* too short and too many for a timeline */
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
    p->comm = *p->world;
    p->messages = *p->world->ops;
    p->messages.all_reduce_start = timed_all_reduce;
    p->messages.all_gather_start = timed_all_gather;
    p->messages.wait = timed_wait;
    p->messages.sum = timed_sum;
    p->messages.progress = timed_progress;
    p->comm.ops = &p->messages;
    g->world = g->buckets.comm = &p->comm;
}

int profile_open(struct profile *p, struct parallel_engine *engine, bool traced, struct base_error *e) {
    memset(p, 0, sizeof *p);
    p->engine = engine;
    p->peak = p->bandwidth = NAN;
    snprintf(p->bandwidth_text, sizeof p->bandwidth_text, "no bandwidth: the run was stopped before");
    p->flying = calloc((size_t)flying_most(p), sizeof *p->flying);
    if (traced) p->events = calloc(PROFILE_EVENTS_MOST, sizeof *p->events);
    if (!p->flying || (traced && !p->events))
        return base_fail(e, BASE_BROKEN, "out of memory for the calls of a trace");
    profile_rows_open(p);
    wrap(p);
    return BASE_OK;
}

void profile_close(struct profile *p) {
    struct parallel_engine *g = p->engine;
    if (!p->inner) return;
    g->team.ops = p->inner, g->team.inner = NULL, g->team.wrapper = NULL;
    g->world = g->buckets.comm = p->world;
}

void profile_free(struct profile *p) {
    if (!p) return;
    free(p->events), free(p->flying);
}

void profile_step_begin(struct profile *p) {
    p->event_count = p->lost = 0;
    p->flying_first = p->flying_next = 0;
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
