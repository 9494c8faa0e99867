/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples in rounds: each variant once, then the roofs. Nothing prints or allocates inside a timed window. */
#include "bench/kernel_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/kernel_check.h"
#include "guard/stop.h"

enum {
    CALLS_MAX = 1 << 22,
    BURST = 4,
    QUIET_MS = 64,        /* between samples of two runtimes: threads that never sleep must not take all the time */
    ROOF_AGAIN = 32,      /* more windows for a roof that seems too low */
    ROOF_AGAIN_QUOTA = 4, /* fewer under a quota, whose windows are long */
    ROOF_EVERY = 64       /* under a quota a roof stays valid for this many windows */
};
static const double LONG_S = 0.05; /* in a call this long, starting threads costs nothing */

size_t bench_kernel_scratch(const struct bench_kernel_case *c, int threads) {
    return kernel_scratch_bytes(threads, c->shape.seq, c->shape.head_dim);
}

double bench_kernel_need(const struct bench_kernel_case *c, const struct kernel_caches *caches, int threads) {
    const size_t pool = measure_beyond_caches(caches);
    const bool matmul = c->op->kind == BENCH_SHAPE_MATMUL;
    double need = bench_kernel_memory_bytes(c, pool) + (double)bench_kernel_scratch(c, threads) + 3 * (double)pool / 2,
           operands = 1;
    for (int i = 0; i < BENCH_OPERANDS && c->op->kind >= BENCH_SHAPE_ROWS; i++)
        if (c->op->operands[i].use & BENCH_WRITE) need += 2 * (double)bench_operand_bytes(c, i);
    if (matmul)
        operands =
            (double)bench_operand_bytes(c, 0) + (double)bench_operand_bytes(c, 1) + (double)bench_operand_bytes(c, 2);
    for (int isa = KERNEL_ISA_ref + 1; isa < KERNEL_ISA_COUNT && matmul; isa++) /* each packs its own B */
        if (kernel_isa_usable((enum kernel_isa)isa))
            need += bench_kernel_memory_bytes(c, pool) * (double)bench_operand_bytes(c, 1) / operands;
    return need;
}

int bench_kernels_open(struct bench_kernels *b, const struct measure_placement *placement,
                       const struct kernel_caches *caches, size_t scratch, struct base_error *e) {
    const int threads = placement->threads;
    enum kernel_isa best = KERNEL_ISA_HIGHEST;
    while (!kernel_isa_usable(best)) best = kernel_isa_base(best);
    *b = (struct bench_kernels){.caches = *caches, .watch = {.stat = -1, .vmstat = -1, .clock = -1}};
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
    code = measure_watch_open(&b->watch, &placement->cpus, e);
    b->cpus_per_thread = placement->cpus_per_thread;
    const double period_s = b->quota_period_s = measure_quota_period(&b->watch.quota, threads);
    if (!code) code = measure_bandwidth_open(&b->bandwidth, &b->team, b->pool / 2, period_s, e);
    if (code) {
        bench_kernels_close(b);
        return code;
    }
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++)
        measure_peak_open(&b->peak[t], &b->team, (enum kernel_dtype)t, placement->cpus_per_thread, period_s);
    if (period_s > 0) b->quota_s = measure_quota_window(period_s);
    return BASE_OK;
}

void bench_kernels_close(struct bench_kernels *b) {
    measure_watch_close(&b->watch);
    measure_bandwidth_close(&b->bandwidth);
    base_arena_close(&b->scratch);
}

/* One variant of a case, as its sampler gets it. */
struct timed_variant {
    struct timing *t;
    int variant;
};

/* The case being measured. */
struct timing {
    struct bench_kernels *bench;
    const struct bench_kernel_case *c;
    struct bench_kernel_memory memory, packed[BENCH_VARIANTS_MAX]; /* packed: copies 0 for variants that do not pack */
    struct kernel_team teams[BENCH_VARIANTS_MAX];
    struct timed_variant timed[BENCH_VARIANTS_MAX];
    struct measure_sampler samplers[BENCH_VARIANTS_MAX];
    struct measure_peak tiles[BENCH_VARIANTS_MAX]; /* without team for what has no micro-tile */
    int64_t next;                                  /* the next copy of the operands */
    bool two_runtimes;                             /* a library has its own threads besides OpenMP's */
};

static void *const *operands(const struct timing *t, int variant, int64_t copy) {
    return bench_kernel_operands(t->packed[variant].copies ? &t->packed[variant] : &t->memory, copy);
}

static double calls(void *context, int count) {
    const struct timed_variant *timed = context;
    struct timing *t = timed->t;
    const int v = timed->variant;
    const double start = base_clock_now();
    for (int i = 0; i < count; i++) t->c->op->call(&t->teams[v], t->c, operands(t, v, t->next++));
    return base_clock_now() - start;
}

/* Stores a window's rate. Rates beyond the list's capacity still count for `best`. */
static void note(double rate, double *list, int *count, double *best) {
    if (*count < BENCH_SAMPLES_MAX) list[(*count)++] = rate;
    *best = fmax(*best, rate);
}

/* Whether to measure a roof again. Always, except under a quota: there it takes a second, so a roof stays valid for a
 * while. */
static bool stale(const struct bench_kernels *b, double at, bool again) {
    return b->quota_s <= 0 || again || at <= 0 || base_clock_now() - at > ROOF_EVERY * b->quota_s;
}

/* Measures one window of each roof that may bound the case. */
static void roofs(struct bench_kernels *b, struct bench_kernel_set *set, bool again) {
    const int t = set->c->dtype;
    if (set->flop > 0) {
        if (stale(b, b->peak_at[t], again))
            b->peak_last[t] = measure_peak_window(&b->peak[t], &b->world), b->peak_at[t] = base_clock_now();
        note(b->peak_last[t], set->peaks, &set->peak_count, &set->peak);
        set->peak_isa = measure_peak_isa(&b->peak[t]);
    }
    /* far above the ridge point one bandwidth window is enough */
    if (set->flop > 0 && set->bandwidth > 0 && set->flop / set->bytes * set->bandwidth > 8 * set->peak) return;
    if (stale(b, b->bandwidth_at, again))
        b->bandwidth_last = measure_bandwidth_window(&b->bandwidth), b->bandwidth_at = base_clock_now();
    if (b->bandwidth_last > set->bandwidth) set->pass = b->bandwidth.fastest;
    note(b->bandwidth_last, set->bandwidths, &set->bandwidth_count, &set->bandwidth);
}

/* A window of each variant's micro-tile; under a quota, whose windows are long, only one a case. */
static void tiles(struct timing *t, struct bench_kernel_set *set) {
    for (int i = 0; i < set->count; i++) {
        struct measure_peak *tile = &t->tiles[i];
        if (tile->team && (t->bench->quota_s <= 0 || tile->best <= 0)) measure_peak_window(tile, &t->bench->world);
        set->results[i].tile_peak = tile->best;
    }
}

/* Takes one sample, or several if waiting for the other runtime takes longer than they do. */
static void sample(struct timing *t, int variant, struct bench_kernel_result *r) {
    const bool quota = t->bench->quota_s > 0, brief = !quota && r->timed.call.median < LONG_S;
    if (t->two_runtimes) base_threads_quiet(QUIET_MS);
    if (brief) calls(&t->timed[variant], 1); /* wakes threads and warms caches as in a loop */
    for (int i = 0; i < (t->two_runtimes && brief ? BURST : 1); i++)
        measure_sampler_take(&t->samplers[variant], &r->timed);
}

static bool right(const struct bench_kernel_result *r) {
    return r->residual <= CHECK_THRESHOLD;
}

/* Goes on for all variants while one needs more samples and all have room, unless the process is to stop. */
static bool goes_on(const struct timing *t, const struct bench_kernel_set *set, double spent) {
    bool more = false;
    if (guard_stop_asked()) return false;
    for (int i = 0; i < set->count; i++) {
        const struct bench_kernel_result *r = &set->results[i];
        const int count = r->timed.samples.count;
        const struct measure_sampler *s = &t->samplers[i];
        if (!right(r)) continue;
        if (count >= BENCH_SAMPLES_MAX) return false;
        more = more || measure_sampler_goes_on(s, spent, count, measure_sampler_narrow(s, &r->timed));
    }
    return more;
}

static void time_rounds(struct timing *t, struct bench_kernel_set *set, const struct bench_kernel_options *o) {
    const double began = base_clock_now();
    int timed = 0;
    for (int i = 0; i < set->count; i++) timed += right(&set->results[i]);
    for (bool go = timed > 0; go;) {
        for (int i = 0; i < set->count; i++)
            if (right(&set->results[i])) sample(t, i, &set->results[i]);
        if (t->two_runtimes) base_threads_quiet(QUIET_MS);
        roofs(t->bench, set, false);
        tiles(t, set);
        go = goes_on(t, set, (base_clock_now() - began) / timed);
    }
    /* a roof may have been disturbed all the time: measure it again before a rate above it fails */
    for (int again = 0; again < (t->bench->quota_s > 0 ? ROOF_AGAIN_QUOTA : ROOF_AGAIN); again++) {
        bench_kernel_verdict(set, o);
        bool above = false;
        for (int i = 0; i < set->count; i++) above = above || (set->results[i].fraction > 1 && !set->results[i].loaded);
        if (!above) return;
        if (t->two_runtimes) base_threads_quiet(QUIET_MS);
        roofs(t->bench, set, true);
    }
    bench_kernel_verdict(set, o);
}

static int prepare(struct timing *t, struct bench_kernel_set *set, const struct bench_kernel_variant *v, int i,
                   const struct bench_kernel_options *o, struct base_error *e) {
    struct bench_kernel_result *r = &set->results[i];
    const bool plain = !strcmp(v->name, kernel_isa_name(KERNEL_ISA_ref));
    t->teams[i] = t->bench->team;
    t->teams[i].ops = &v->ops;
    const bool library = v->ops.cblas || !strcmp(v->name, "openblas");
    t->two_runtimes = t->two_runtimes || library;
    *r = (struct bench_kernel_result){
        .variant = v->name, .loaded = v->ops.cblas, .fraction = NAN, .ratio_to_openblas = NAN};
    t->timed[i] = (struct timed_variant){t, i};
    t->samplers[i] = (struct measure_sampler){.run = calls,
                                              .context = &t->timed[i],
                                              .watch = &t->bench->watch,
                                              .seconds = o->seconds,
                                              .width = o->width,
                                              .calls_max = CALLS_MAX,
                                              .samples_max = BENCH_SAMPLES_MAX,
                                              .quota_s = t->bench->quota_s,
                                              .quota_lead_s = measure_quota_lead(t->bench->quota_period_s)};
    int code = measure_samples_open(&r->timed.samples, BENCH_SAMPLES_MAX, 0, NULL, e);
    if (code) return code;
    set->count = i + 1;
    if (v->packed && (code = bench_kernel_memory_pack(&t->packed[i], &t->memory, t->c, &t->teams[i], e))) return code;
    code = bench_kernel_check(&t->teams[i], plain ? &t->bench->best : &t->bench->plain, t->c, operands(t, i, 0),
                              o->seed, &r->residual, e);
    if (code || !right(r)) return code;
    measure_sampler_calibrate(&t->samplers[i], &r->timed);
    if (t->c->op->kind == BENCH_SHAPE_MATMUL && !library && !plain)
        measure_tile_peak_open(&t->tiles[i], &t->teams[i], t->c->dtype, t->bench->cpus_per_thread,
                               t->bench->quota_period_s);
    return code;
}

int bench_kernel_measure(struct bench_kernels *b, const struct bench_kernel_case *c,
                         const struct bench_kernel_variant *variants, int count, const struct bench_kernel_options *o,
                         struct bench_kernel_set *set, struct base_error *e) {
    struct timing t = {.bench = b, .c = c};
    *set = (struct bench_kernel_set){
        .c = c, .flop = bench_kernel_flop(c), .bytes = bench_kernel_bytes(c), .quota_period_s = b->quota_period_s};
    int code = bench_kernel_memory_open(&t.memory, c, &b->team, b->pool, o->seed, e);
    if (code) return code;
    for (int i = 0; i < count && !code; i++) code = prepare(&t, set, &variants[i], i, o, e);
    if (!code) time_rounds(&t, set, o);
    for (int i = 0; i < count; i++) bench_kernel_memory_close(&t.packed[i]);
    bench_kernel_memory_close(&t.memory);
    return code;
}

void bench_kernel_set_close(struct bench_kernel_set *set) {
    for (int i = 0; i < set->count; i++) measure_samples_close(&set->results[i].timed.samples);
    set->count = 0;
}
