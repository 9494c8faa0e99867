/* SPDX-License-Identifier: Apache-2.0
 *
 * Times all-reduces alone, all-reduces overlapped with matmuls, and ranks sharing a node. All ranks see only the
 * slowest rank's times, so all make the same decisions. */
#include "collectives/collectives.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    CALLS_MAX = 1 << 16,
    /* the matmul to overlap with: a projection of a small model, 10 ms on a core */
    M = 1024,
    N = 768,
    K = 768
};
static const double OVERLAP_S = 0.002; /* an all-reduce worth hiding */
static const double OVERLAP_TIMES = 2; /* matmuls last this many times as long as the all-reduce */

static void on_poll(void *context) {
    struct comm *world = context;
    world->ops->progress(world);
}

static double slowest(struct collectives *b, double seconds) {
    b->world->ops->max(b->world, &seconds, 1);
    return seconds;
}

static double since(double start) {
    return base_clock_now() - start;
}

static double gemms(struct collectives *b, int count) {
    const double start = base_clock_now();
    for (int i = 0; i < count; i++) b->ops.gemm(&b->team, &b->gemm);
    return since(start);
}

static size_t pool_bytes(const struct collectives_options *o, const struct kernel_caches *caches) {
    size_t most = measure_beyond_caches(caches);
    for (int i = 0; i < o->sizes; i++)
        if ((size_t)o->bytes[i] > most) most = (size_t)o->bytes[i];
    return base_arena_piece(most);
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
    gemms(b, 1); /* wakes the threads */
    b->gemm_s = slowest(b, gemms(b, 4) / 4);
    return BASE_OK;
}

void collectives_close(struct collectives *b) {
    measure_watch_close(&b->watch);
    measure_bandwidth_close(&b->bandwidth);
    base_arena_close(&b->buffer);
    base_arena_close(&b->operands);
    base_arena_close(&b->scratch);
}

/* Whole numbers sum exactly in any order. A lost, doubled or misplaced one shows. */
static float contribution(int64_t i, int rank) {
    return (float)(1 + i % 17 + rank % 13);
}

/* Returns how many elements of a known sum are wrong over all ranks. Leaves zeros. */
static double check(struct collectives *b, int64_t count) {
    float *x = (float *)(void *)b->buffer.base;
    struct comm_request request;
    const int size = b->world->size, threads = b->team.threads;
    double wrong = 0, ranks = 0;
    for (int r = 0; r < size; r++) ranks += r % 13;
#pragma omp parallel for num_threads(threads)
    for (int64_t i = 0; i < count; i++) x[i] = contribution(i, b->world->rank);
    b->world->ops->all_reduce_start(b->world, x, count, &request);
    b->world->ops->wait(b->world, &request);
    for (int64_t i = 0; i < count; i++) wrong += (double)x[i] != ranks + (double)size * (double)(1 + i % 17);
    b->ops.zero(&b->team, count, x);
    b->world->ops->sum(b->world, &wrong, 1);
    return wrong;
}

/* Operands follow each other in a buffer larger than the caches. */
static float *next_operand(struct collectives *b, int64_t bytes) {
    const size_t piece = base_arena_piece((size_t)bytes);
    if (b->next + piece > b->buffer.size) b->next = 0;
    float *x = (float *)(void *)(b->buffer.base + b->next);
    b->next += piece;
    return x;
}

/* All-reduces of one size, as their sampler gets them. */
struct sums {
    struct collectives *bench;
    int64_t bytes;
};

/* The slowest rank's seconds of `calls` all-reduces, one after the other. */
static double sums(void *context, int calls) {
    const struct sums *sums = context;
    struct collectives *b = sums->bench;
    struct comm_request request;
    b->world->ops->barrier(b->world);
    const double start = base_clock_now();
    for (int i = 0; i < calls; i++) {
        b->world->ops->all_reduce_start(b->world, next_operand(b, sums->bytes), sums->bytes / 4, &request);
        b->world->ops->wait(b->world, &request);
    }
    return slowest(b, since(start));
}

static void time_alone(const struct measure_sampler *sampler, struct measure_timed *t) {
    double spent = 0;
    measure_sampler_calibrate(sampler, t);
    while (measure_sampler_goes_on(sampler, spent, t->samples.count, measure_sampler_narrow(sampler, t))) {
        measure_sampler_take(sampler, t);
        spent += t->samples.seconds[t->samples.count - 1];
    }
}

/* The slowest rank's seconds of matmuls, overlapped with an all-reduce of `bytes` unless that is 0. */
static double block(struct collectives *b, int count, int64_t bytes) {
    struct comm_request request;
    b->world->ops->barrier(b->world);
    const double start = base_clock_now();
    if (bytes) b->world->ops->all_reduce_start(b->world, next_operand(b, bytes), bytes / 4, &request);
    gemms(b, count);
    if (bytes) b->world->ops->wait(b->world, &request);
    return slowest(b, since(start));
}

/* The largest and the smallest share that both intervals allow. */
void collectives_hidden(struct collectives_size *s) {
    const struct base_interval *cost = &s->cost, *call = &s->timed.call;
    const double low = 1 - cost->high / (cost->high > 0 ? call->low : call->high);
    const double high = 1 - cost->low / (cost->low > 0 ? call->high : call->low);
    const bool known = cost->confidence >= MEASURE_CONFIDENCE && call->confidence >= MEASURE_CONFIDENCE;
    s->hidden_low = known ? fmin(1, fmax(0, low)) : NAN;
    s->hidden_high = known ? fmin(1, fmax(0, high)) : NAN;
    s->hidden = known && (low > 0 || high < 0) ? fmin(1, fmax(0, 1 - cost->median / call->median)) : NAN;
}

static void time_overlapped(struct collectives *b, const struct measure_sampler *sampler, struct collectives_size *s) {
    const int count = (int)fmax(1, ceil(OVERLAP_TIMES * s->timed.call.median / b->gemm_s));
    double difference[COLLECTIVES_SAMPLES], spent = 0;
    if (s->timed.call.median < OVERLAP_S) return;
    for (int i = 0; measure_sampler_goes_on(sampler, spent, i, true); i++) {
        s->compute_s[i] = block(b, count, 0);
        s->beside_s[i] = block(b, count, s->bytes);
        difference[i] = s->beside_s[i] - s->compute_s[i];
        spent += s->compute_s[i] + s->beside_s[i];
        s->pairs = i + 1;
    }
    s->cost = base_stats_median(difference, s->pairs, MEASURE_CONFIDENCE);
    collectives_hidden(s);
}

/* Samples in which a CPU quota stopped a rank, on the rank with most of them. */
static double throttled(struct collectives *b, const struct measure_samples *samples) {
    int count = 0;
    for (int i = 0; i < samples->count; i++) count += (samples->marks[i] & MEASURE_MARK_THROTTLED) != 0;
    return slowest(b, count);
}

/* All ranks come to the same verdict. */
static void judge(const struct measure_sampler *sampler, struct collectives_size *s, double stopped) {
    const struct base_mean mean = base_stats_mean(s->timed.samples.seconds, s->timed.samples.count);
    s->status = RECORD_PASSED;
    if (s->wrong > 0) {
        s->status = RECORD_FAILED;
        snprintf(s->why, sizeof s->why, "%.0f elements of the all-reduce are wrong", s->wrong);
    } else if (!measure_sampler_narrow(sampler, &s->timed)) {
        s->status = RECORD_INCONCLUSIVE;
        snprintf(s->why, sizeof s->why,
                 "the interval of the median time is wider than +-%.0f%%, or there are fewer than %d samples",
                 100 * sampler->width, measure_sampler_least(sampler));
    } else if (stopped > 0 && mean.mean / s->timed.calls > 1.02 * s->timed.call.high) {
        s->status = RECORD_INCONCLUSIVE;
        snprintf(s->why, sizeof s->why,
                 "a CPU quota stopped ranks in %.0f of %d samples: the mean all-reduce takes %.3g s, the median %.3g s",
                 stopped, s->timed.samples.count, mean.mean / s->timed.calls, s->timed.call.median);
    }
}

int collectives_measure(struct collectives *b, int64_t bytes, const struct collectives_options *o,
                        struct collectives_size *s, struct base_error *e) {
    *s = (struct collectives_size){
        .bytes = bytes, .cost = {NAN, NAN, NAN, 0}, .hidden = NAN, .hidden_low = NAN, .hidden_high = NAN};
    struct sums context = {b, bytes};
    const struct measure_sampler sampler = {.run = sums,
                                            .context = &context,
                                            .watch = &b->watch,
                                            .seconds = o->seconds,
                                            .width = o->width,
                                            .calls_max = CALLS_MAX,
                                            .samples_max = COLLECTIVES_SAMPLES};
    int code = comm_agree(b->world, measure_samples_open(&s->timed.samples, COLLECTIVES_SAMPLES, 0, NULL, e), e);
    if (code) return code;
    s->wrong = check(b, bytes / 4);
    if (s->wrong == 0) {
        time_alone(&sampler, &s->timed);
        time_overlapped(b, &sampler, s);
    }
    judge(&sampler, s, throttled(b, &s->timed.samples));
    return BASE_OK;
}

/* This rank's FLOP/s of matmuls and byte/s of passes. together: while all ranks do the same. */
static void rates(struct collectives *b, bool together, double rate[2]) {
    static const int count = 4;
    if (together) b->world->ops->barrier(b->world);
    rate[0] = count * 2.0 * M * N * K / gemms(b, count);
    if (together) b->world->ops->barrier(b->world);
    const double start = base_clock_now();
    measure_bandwidth_window(&b->bandwidth);
    rate[1] = b->bandwidth.bytes / since(start);
}

void collectives_measure_share(struct collectives *b, struct collectives_share *s) {
    double matmul[COLLECTIVES_ROUNDS], pass[COLLECTIVES_ROUNDS];
    struct measure_interference before, after;
    *s = (struct collectives_share){.rounds = COLLECTIVES_ROUNDS};
    measure_watch_read(&b->watch, &before);
    for (int i = 0; i < s->rounds; i++) {
        double alone[2] = {0, 0}, together[2];
        b->world->ops->barrier(b->world);
        if (b->world->rank == 0) rates(b, false, alone);
        b->world->ops->max(b->world, alone, 2);
        rates(b, true, together);
        for (int k = 0; k < 2; k++) together[k] = -together[k]; /* the max of negatives is the slowest rank's */
        b->world->ops->max(b->world, together, 2);
        s->matmul_alone[i] = alone[0], s->pass_alone[i] = alone[1];
        s->matmul_together[i] = -together[0], s->pass_together[i] = -together[1];
        matmul[i] = s->matmul_together[i] / s->matmul_alone[i];
        pass[i] = s->pass_together[i] / s->pass_alone[i];
    }
    s->matmul = base_stats_median(matmul, s->rounds, MEASURE_CONFIDENCE).median;
    s->pass = base_stats_median(pass, s->rounds, MEASURE_CONFIDENCE).median;
    measure_watch_read(&b->watch, &after);
    const double stopped = slowest(b, (double)(after.throttled_periods - before.throttled_periods));
    if (stopped <= 0) return;
    s->status = RECORD_INCONCLUSIVE;
    snprintf(s->why, sizeof s->why, "a CPU quota stopped ranks in %.0f periods during the measurement", stopped);
}
