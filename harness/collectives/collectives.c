/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks operations and times them. All ranks see only the slowest rank's times, so all make the same decisions. */
#include "collectives/collectives.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "guard/stop.h"

enum {
    CALLS_MAX = 1 << 16,
    /* the matmul to overlap with: a projection of a small model, 10 ms on a core */
    M = 1024,
    N = 768,
    K = 768
};
static const double ITERATIONS_PART = 0.25; /* of the budget, for calls timed one by one */

static void on_poll(void *context) {
    struct comm *world = context;
    world->ops->progress(world);
}

double collectives_slowest(struct collectives *b, double seconds) {
    double most[] = {seconds, guard_stop_asked()};
    b->world->ops->max(b->world, most, 2);
    b->stopped = (int)most[1];
    return most[0];
}

double collectives_gemms(struct collectives *b, int count) {
    const double start = base_clock_now();
    for (int i = 0; i < count; i++) b->ops.gemm(&b->team, &b->gemm);
    return base_clock_now() - start;
}

/* Whether an operation that is asked for needs two buffers. */
static bool out_of_place(unsigned ops) {
    for (int k = 0; k < COLLECTIVES_OPS; k++)
        if (ops & 1u << k && !collectives_ops[k].in_place) return true;
    return false;
}

static size_t pool_bytes(const struct collectives_options *o, const struct kernel_caches *caches) {
    size_t most = 0;
    for (int i = 0; i < o->sizes; i++)
        if ((size_t)o->bytes[i] > most) most = (size_t)o->bytes[i];
    most = base_arena_piece(most) * (out_of_place(o->ops) ? 2 : 1);
    const size_t beyond = base_arena_piece(measure_beyond_caches(caches));
    return most > beyond ? most : beyond;
}

double collectives_need(const struct collectives_options *o, const struct kernel_caches *caches) {
    return (double)pool_bytes(o, caches) + 1.5 * (double)measure_beyond_caches(caches) + 4.0 * (M * K + K * N + M * N);
}

static int open_memory(struct collectives *b, const struct collectives_options *o, int threads, struct base_error *e) {
    int code = base_arena_open(&b->scratch, kernel_scratch_bytes(threads, 1, 1), threads, e);
    if (!code) code = base_arena_open(&b->operands, 4 * (M * K + K * N + M * N) + 3 * BASE_ALIGN, threads, e);
    if (!code) code = base_arena_open(&b->buffer, pool_bytes(o, &b->caches), threads, e);
    if (code) return code;
    b->team.scratch = b->scratch.base;
    b->team.scratch_bytes = b->scratch.size;
    float *a = base_arena_take(&b->operands, 4 * M * K), *x = base_arena_take(&b->operands, 4 * K * N);
    for (int i = 0; i < M * K; i++) a[i] = 1.0f / (float)(1 + i % 7);
    for (int i = 0; i < K * N; i++) x[i] = 1.0f / (float)(1 + i % 5);
    b->gemm = (struct kernel_gemm){.m = M,
                                   .n = N,
                                   .k = K,
                                   .a = a,
                                   .lda = K,
                                   .b = x,
                                   .ldb = N,
                                   .c = base_arena_take(&b->operands, 4 * M * N),
                                   .ldc = N};
    return measure_bandwidth_open(&b->bandwidth, &b->team, measure_beyond_caches(&b->caches) / 2, 0, e);
}

int collectives_open(struct collectives *b, struct comm *world, const struct collectives_options *o,
                     const struct measure_placement *placement, const struct kernel_caches *caches,
                     struct base_error *e) {
    *b = (struct collectives){.world = world, .caches = *caches, .watch = {.stat = -1, .vmstat = -1, .clock = -1}};
    kernel_select(&b->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    b->team = (struct kernel_team){
        .ops = &b->ops, .threads = placement->threads, .caches = &b->caches, .poll = on_poll, .poll_context = world};
    int code = open_memory(b, o, placement->threads, e);
    if (!code) code = measure_watch_open(&b->watch, &placement->cpus, e);
    if ((code = comm_agree(world, code, e))) return code;
    collectives_gemms(b, 1); /* wakes the threads */
    b->gemm_s = collectives_slowest(b, collectives_gemms(b, 4) / 4);
    return BASE_OK;
}

void collectives_close(struct collectives *b) {
    measure_watch_close(&b->watch);
    measure_bandwidth_close(&b->bandwidth);
    base_arena_close(&b->buffer);
    base_arena_close(&b->operands);
    base_arena_close(&b->scratch);
}

static float *next_piece(struct collectives *b, size_t bytes) {
    float *x = (float *)(void *)(b->buffer.base + b->next);
    b->next += base_arena_piece(bytes);
    return x;
}

struct collectives_operands collectives_next(struct collectives *b, int64_t count, bool both) {
    const size_t bytes = (size_t)count * sizeof(float);
    if (b->next + base_arena_piece(bytes) * (both ? 2 : 1) > b->buffer.size) b->next = 0;
    return (struct collectives_operands){next_piece(b, bytes), both ? next_piece(b, bytes) : NULL, count};
}

/* One operation of one size in a group, as its sampler gets it. */
struct job {
    struct collectives *bench;
    const struct collectives_op *op;
    struct comm *comm;
    int64_t count;
};

static struct collectives_operands next_of(const struct job *j) {
    return collectives_next(j->bench, j->count, !j->op->in_place);
}

/* Returns how many elements of a known result are wrong over all ranks. Leaves zeros. */
static double check(const struct job *j) {
    struct collectives *b = j->bench;
    const struct collectives_operands o = next_of(j);
    const int salt = ++b->checks;
    double wrong = 0;
    if (j->comm->size > 0) {
        j->op->fill(j->comm, &o, salt);
        j->op->run(j->comm, &o);
        wrong = j->op->wrong(j->comm, &o, salt);
    }
    b->ops.zero(&b->team, o.count, o.x);
    if (o.y) b->ops.zero(&b->team, o.count, o.y);
    b->world->ops->sum(b->world, &wrong, 1);
    return wrong;
}

static void run(const struct job *j) {
    const struct collectives_operands o = next_of(j);
    if (j->comm->size > 0) j->op->run(j->comm, &o);
}

/* The slowest rank's seconds of `calls` calls, one after the other. */
static double runs(void *context, int calls) {
    const struct job *j = context;
    j->bench->world->ops->barrier(j->bench->world);
    const double start = base_clock_now();
    for (int i = 0; i < calls; i++) run(j);
    return collectives_slowest(j->bench, j->op->part * (base_clock_now() - start));
}

/* Times calls one by one, unless the samples are. Nobody waits between them. */
static void iterate(const struct job *j, double budget, struct collectives_size *s) {
    struct collectives *b = j->bench;
    const double share = b->stopped ? 0 : ITERATIONS_PART * budget / s->timed.call.median;
    const int fitting = (int)fmin(COLLECTIVES_ITERATIONS, share);
    s->iterations = s->timed.calls == 1 ? s->timed.samples.count : fitting < 20 ? 20 : fitting;
    if (s->timed.calls == 1) {
        memcpy(s->iteration_s, s->timed.samples.seconds, (size_t)s->iterations * sizeof *s->iteration_s);
        return;
    }
    b->world->ops->barrier(b->world);
    run(j);
    for (int i = 0; i < s->iterations; i++) {
        const double start = base_clock_now();
        run(j);
        s->iteration_s[i] = j->op->part * (base_clock_now() - start);
    }
    b->world->ops->max(b->world, s->iteration_s, s->iterations);
}

static void summarise(struct collectives_size *s) {
    double sorted[COLLECTIVES_ITERATIONS], mean = 0, squares = 0;
    const int n = s->iterations;
    memcpy(sorted, s->iteration_s, (size_t)n * sizeof *sorted);
    s->p99_s = base_stats_quantile(sorted, n, 0.99);
    s->min_s = sorted[0];
    s->max_s = sorted[n - 1];
    for (int i = 0; i < n; i++) mean += sorted[i] / n;
    for (int i = 0; i < n; i++) squares += (sorted[i] - mean) * (sorted[i] - mean);
    s->cv = sqrt(squares / n) / mean;
}

static bool stopped(const struct measure_sampler *sampler) {
    return ((const struct job *)sampler->context)->bench->stopped;
}

static void time_alone(const struct measure_sampler *sampler, struct measure_timed *t) {
    double spent = 0;
    measure_sampler_calibrate(sampler, t);
    do { /* once at least, as what is measured must have a time */
        measure_sampler_take(sampler, t);
        spent += t->samples.seconds[t->samples.count - 1];
    } while (!stopped(sampler) &&
             measure_sampler_goes_on(sampler, spent, t->samples.count, measure_sampler_narrow(sampler, t)));
}

/* Samples in which a CPU quota stopped a rank, on the rank with most of them. */
static double throttled(struct collectives *b, const struct measure_samples *samples) {
    int count = 0;
    for (int i = 0; i < samples->count; i++) count += (samples->marks[i] & MEASURE_MARK_THROTTLED) != 0;
    return collectives_slowest(b, count);
}

/* All ranks come to the same verdict. */
static void judge(const struct measure_sampler *sampler, struct collectives_size *s, double stopped) {
    const struct base_mean mean = base_stats_mean(s->timed.samples.seconds, s->timed.samples.count);
    s->status = RECORD_PASSED;
    if (s->wrong > 0) {
        s->status = RECORD_FAILED;
        snprintf(s->why, sizeof s->why, "%.0f elements of the %s are wrong", s->wrong, s->op->name);
    } else if (!measure_sampler_narrow(sampler, &s->timed)) {
        s->status = RECORD_INCONCLUSIVE;
        snprintf(s->why, sizeof s->why,
                 "the interval of the median time is wider than +-%.0f%%, or there are fewer than %d samples",
                 100 * sampler->width, measure_sampler_least(sampler));
    } else if (stopped > 0 && mean.mean / s->timed.calls > 1.02 * s->timed.call.high) {
        s->status = RECORD_INCONCLUSIVE;
        snprintf(s->why, sizeof s->why,
                 "a CPU quota stopped ranks in %.0f of %d samples: the mean call takes %.3g s, the median %.3g s",
                 stopped, s->timed.samples.count, mean.mean / s->timed.calls, s->timed.call.median);
    }
}

int collectives_measure(struct collectives *b, enum collectives_kind kind, struct collectives_group *group,
                        int64_t bytes, const struct collectives_options *o, struct collectives_size *s,
                        struct base_error *e) {
    struct job job = {b, &collectives_ops[kind], group->comm, bytes / (int64_t)sizeof(float)};
    const struct measure_sampler sampler = {.run = runs,
                                            .context = &job,
                                            .watch = &b->watch,
                                            .seconds = o->seconds,
                                            .width = o->width,
                                            .calls_max = CALLS_MAX,
                                            .samples_max = COLLECTIVES_SAMPLES};
    *s = (struct collectives_size){.op = job.op,
                                   .scope = group->scope,
                                   .ranks = group->ranks,
                                   .nodes = group->nodes,
                                   .groups = group->groups,
                                   .bytes = bytes,
                                   .cost = {NAN, NAN, NAN, 0},
                                   .hidden = NAN,
                                   .hidden_low = NAN,
                                   .hidden_high = NAN};
    int code = comm_agree(b->world, measure_samples_open(&s->timed.samples, COLLECTIVES_SAMPLES, 0, NULL, e), e);
    if (code) return code;
    s->wrong = check(&job);
    if (s->wrong == 0) {
        time_alone(&sampler, &s->timed);
        iterate(&job, o->seconds, s);
        summarise(s);
        if (kind == COLLECTIVES_ALL_REDUCE && group->scope == COLLECTIVES_ALL) collectives_overlap(b, &sampler, s);
        s->wrong = check(&job);
    }
    judge(&sampler, s, throttled(b, &s->timed.samples));
    return BASE_OK;
}
