/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples in rounds: each variant once, then the roofs. Nothing prints or allocates inside a timed window. */
#include "run/kernel_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "run/kernel_check.h"

enum {
    LEAST_SAMPLES = 6, /* the fewest whose range is a 95% interval of the median */
    SAMPLES = 24,      /* that --seconds is cut for */
    BURST = 4,
    ROOF_AGAIN = 32, /* windows of a roof that seems too low */
    OVERTIME = 20    /* times the budget that slow calls get to come to LEAST_SAMPLES */
};
static const double LONG_S = 0.05;    /* a call beside which the start of threads is nothing */
static const double SAMPLE_S = 0.001; /* at least: the clock's grain and the team's start must not show */

size_t run_kernel_scratch(const struct run_kernel_case *c, int threads) {
    return kernel_scratch_bytes(threads, c->shape.seq, c->shape.head_dim);
}

double run_kernel_need(const struct run_kernel_case *c, const struct kernel_caches *caches, int threads) {
    const size_t pool = measure_beyond_caches(caches);
    const bool matmul = c->op->kind == RUN_SHAPE_MATMUL;
    double need = run_kernel_memory_bytes(c, pool) + (double)run_kernel_scratch(c, threads) + 3 * (double)pool / 2,
           operands = 1;
    for (int i = 0; i < RUN_OPERANDS && c->op->kind >= RUN_SHAPE_ROWS; i++)
        if (c->op->operands[i].use & RUN_WRITE) need += 2 * (double)run_operand_bytes(c, i);
    if (matmul)
        operands = (double)run_operand_bytes(c, 0) + (double)run_operand_bytes(c, 1) + (double)run_operand_bytes(c, 2);
    for (int isa = KERNEL_ISA_ref + 1; isa < KERNEL_ISA_COUNT && matmul; isa++) /* B once more for each that packs it */
        if (kernel_isa_usable((enum kernel_isa)isa))
            need += run_kernel_memory_bytes(c, pool) * (double)run_operand_bytes(c, 1) / operands;
    return need;
}

int run_kernel_bench_open(struct run_kernel_bench *b, const struct run_placement *placement,
                          const struct kernel_caches *caches, size_t scratch, struct base_error *e) {
    const int threads = placement->threads;
    enum kernel_isa best = KERNEL_ISA_COUNT - 1;
    while (!kernel_isa_usable(best)) best--;
    *b = (struct run_kernel_bench){.caches = *caches, .cpus = placement->cpus.count};
    comm_serial(&b->world);
    kernel_select(&b->best, best, KERNEL_BACKEND_TOISE);
    kernel_select(&b->plain, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE);
    b->pool = measure_beyond_caches(caches);
    int code = base_arena_open(&b->scratch, scratch, threads, e);
    if (code) return code;
    b->team = (struct kernel_team){.ops = &b->best,
                                   .threads = threads,
                                   .scratch = b->scratch.base,
                                   .scratch_bytes = b->scratch.size,
                                   .caches = &b->caches};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++)
        measure_peak_open(&b->peak[t], &b->team, (enum kernel_dtype)t, placement->cpus_per_thread);
    if (!(code = measure_bandwidth_open(&b->bandwidth, &b->team, b->pool / 2, e)))
        code = measure_watch_open(&b->watch, &placement->cpus, e);
    if (code) run_kernel_bench_close(b);
    return code;
}

void run_kernel_bench_close(struct run_kernel_bench *b) {
    measure_watch_close(&b->watch);
    measure_bandwidth_close(&b->bandwidth);
    base_arena_close(&b->scratch);
}

/* One case under way. */
struct timing {
    struct run_kernel_bench *bench;
    const struct run_kernel_case *c;
    struct run_kernel_memory memory, packed[RUN_VARIANTS_MAX]; /* packed: copies 0 for variants that do not */
    struct kernel_team teams[RUN_VARIANTS_MAX];
    int64_t next;      /* which copy of the operands */
    bool two_runtimes; /* OpenBLAS, with threads of its own, beside OpenMP */
};

static void *const *operands(const struct timing *t, int variant, int64_t copy) {
    return run_kernel_operands(t->packed[variant].copies ? &t->packed[variant] : &t->memory, copy);
}

static double calls(struct timing *t, int variant, int count) {
    const double start = base_clock_now();
    for (int i = 0; i < count; i++) t->c->op->call(&t->teams[variant], t->c, operands(t, variant, t->next++));
    return base_clock_now() - start;
}

/* Grows the loop until it is long against the clock, then cuts it for the budget. */
static void calibrate(struct timing *t, int variant, double sample_s, struct run_kernel_result *r) {
    int count = 1;
    double seconds = calls(t, variant, count);
    while (seconds < SAMPLE_S && count < 1 << 20) seconds = calls(t, variant, count *= 2);
    r->calls = (int)fmin(fmax(1, round(count * sample_s / seconds)), 1 << 22);
    r->call.median = seconds / count;
}

/* Waits until the other threads of this process sleep: OpenMP's and OpenBLAS's go on looking for work for a while, and
 * would take the CPUs from each other's samples. They that never sleep (OMP_WAIT_POLICY=active) are not waited for. */
static void quiet(void) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 64; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        const long used = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
        if (used < pause.tv_nsec / 5) return;
    }
}

static bool sample(struct timing *t, int variant, struct run_kernel_result *r) {
    struct measure_interference before, after;
    measure_watch_read(&t->bench->watch, &before);
    const double start = base_clock_now(), seconds = calls(t, variant, r->calls);
    measure_watch_read(&t->bench->watch, &after);
    const struct measure_interference between = measure_interference_difference(&after, &before);
    return measure_samples_add(&r->samples, start, seconds, NULL, &between,
                               measure_interference_marks(&between, seconds, t->bench->cpus));
}

/* Keeps a window's rate; those beyond the list's room count all the same. */
static void note(double rate, double *list, int *count, double *best) {
    if (*count < RUN_SAMPLES_MAX) list[(*count)++] = rate;
    *best = fmax(*best, rate);
}

/* One window of each roof that may bound the case. */
static void roofs(struct run_kernel_bench *b, struct run_kernel_set *set) {
    if (set->flop > 0)
        note(measure_peak_window(&b->peak[set->c->dtype], &b->world), set->peaks, &set->peak_count, &set->peak);
    /* far above the ridge one look at the memory is enough */
    const bool far = set->flop > 0 && set->bandwidth > 0 && set->flop / set->bytes * set->bandwidth > 8 * set->peak;
    if (!far) note(measure_bandwidth_window(&b->bandwidth), set->bandwidths, &set->bandwidth_count, &set->bandwidth);
}

static bool settled(const struct run_kernel_result *r, double width) {
    return r->samples.count >= LEAST_SAMPLES && (r->call.high - r->call.low) / 2 <= width * r->call.median;
}

static void settle(struct run_kernel_result *r) {
    r->call = base_stats_median(r->samples.seconds, r->samples.count, RUN_CONFIDENCE);
    r->call.median /= r->calls;
    r->call.low /= r->calls;
    r->call.high /= r->calls;
}

/* One sample, or several where getting the other runtime to sleep took longer than they do. */
static void turn(struct timing *t, int variant, struct run_kernel_result *r) {
    const bool brief = r->call.median < LONG_S;
    if (t->two_runtimes) quiet();
    if (brief) calls(t, variant, 1); /* threads awake, caches as they are in a loop */
    for (int i = 0; i < (t->two_runtimes && brief ? BURST : 1); i++) sample(t, variant, r);
    settle(r);
}

static void time_rounds(struct timing *t, struct run_kernel_set *set, const struct run_kernel_options *o) {
    const double began = base_clock_now();
    int timed = 0;
    for (int i = 0; i < set->count; i++)
        if (set->results[i].residual <= RUN_THRESHOLD) timed++;
    for (bool go = timed > 0; go;) {
        bool narrow = true, few = false, room = true;
        for (int i = 0; i < set->count; i++) {
            struct run_kernel_result *r = &set->results[i];
            if (!(r->residual <= RUN_THRESHOLD)) continue;
            turn(t, i, r);
            narrow = narrow && settled(r, o->width);
            few = few || r->samples.count < LEAST_SAMPLES;
            room = room && r->samples.count < RUN_SAMPLES_MAX;
        }
        if (t->two_runtimes) quiet();
        roofs(t->bench, set);
        const double spent = (base_clock_now() - began) / timed / o->seconds;
        go = room && (spent < 0.5 || (spent < 1 && !narrow) || (spent < OVERTIME && few));
    }
    /* a roof that was disturbed throughout is looked at again before it makes a rate impossible */
    for (int again = 0; again < ROOF_AGAIN; again++) {
        run_kernel_verdict(set, o);
        bool above = false;
        for (int i = 0; i < set->count; i++) above = above || set->results[i].fraction > 1;
        if (!above) return;
        if (t->two_runtimes) quiet();
        roofs(t->bench, set);
    }
    run_kernel_verdict(set, o);
}

static int prepare(struct timing *t, struct run_kernel_set *set, const struct run_kernel_variant *v, int i,
                   const struct run_kernel_options *o, struct base_error *e) {
    struct run_kernel_result *r = &set->results[i];
    const bool plain = !strcmp(v->name, kernel_isa_name(KERNEL_ISA_ref));
    t->teams[i] = t->bench->team;
    t->teams[i].ops = &v->ops;
    t->two_runtimes = t->two_runtimes || !strcmp(v->name, "openblas");
    *r = (struct run_kernel_result){.variant = v->name, .fraction = NAN, .ratio_to_openblas = NAN};
    int code = measure_samples_open(&r->samples, RUN_SAMPLES_MAX, 0, NULL, e);
    if (code) return code;
    set->count = i + 1;
    if (v->packed && (code = run_kernel_memory_pack(&t->packed[i], &t->memory, t->c, &t->teams[i], e))) return code;
    code = run_kernel_check(&t->teams[i], plain ? &t->bench->best : &t->bench->plain, t->c, operands(t, i, 0), o->seed,
                            &r->residual, e);
    if (!code && r->residual <= RUN_THRESHOLD) calibrate(t, i, fmax(SAMPLE_S, o->seconds / SAMPLES), r);
    return code;
}

int run_kernel_measure(struct run_kernel_bench *b, const struct run_kernel_case *c,
                       const struct run_kernel_variant *variants, int count, const struct run_kernel_options *o,
                       struct run_kernel_set *set, struct base_error *e) {
    struct timing t = {.bench = b, .c = c};
    *set = (struct run_kernel_set){.c = c, .flop = run_kernel_flop(c), .bytes = run_kernel_bytes(c)};
    int code = run_kernel_memory_open(&t.memory, c, &b->team, b->pool, o->seed, e);
    if (code) return code;
    for (int i = 0; i < count && !code; i++) code = prepare(&t, set, &variants[i], i, o, e);
    if (!code) time_rounds(&t, set, o);
    for (int i = 0; i < count; i++) run_kernel_memory_close(&t.packed[i]);
    run_kernel_memory_close(&t.memory);
    return code;
}

void run_kernel_set_close(struct run_kernel_set *set) {
    for (int i = 0; i < set->count; i++) measure_samples_close(&set->results[i].samples);
    set->count = 0;
}
