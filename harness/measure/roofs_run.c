/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures the rows of roofs.h, one after the other. A call is one round of all the row's threads together, and its
 * time ends with the slowest. A loop that did not do its operations, or a pass within a cache that did not write what
 * it should, FAILS and has no rate. Passes over memory are those of toise kernels, which checks them. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "guard/stop.h"
#include "measure/peak.h"
#include "measure/roofs.h"

enum { SAMPLES = 64, CALLS_MAX = 1 << 28, ROUNDS = 256, PAGE = 4096, TURN = 128, APART = 1344, TRIES = 5 };

/* Each thread's arrays within a cache: x, y and z of n elements, `step` elements apart. */
struct sets {
    struct base_arena arena;
    int64_t n, step, thread; /* thread: distance of two threads' arrays, in elements */
    int arrays;
};

/* The row that is measured, and what rows share. */
struct rig {
    struct measure_roofs *roofs;
    const struct measure_roofs_options *o;
    struct measure_roof *row;
    struct kernel_ops ops;
    struct kernel_team team;
    struct base_arena scratch;
    struct sets sets;
    struct measure_bandwidth memory;
    int memory_place; /* whose nodes hold the arrays; -1: none are open */
    double done;      /* operations that the last peak loops did */
};

/* Beyond the caches stores bypass them; with caches this small every pass counts as beyond. */
static const struct kernel_caches BEYOND = {1, 1, 1};

/* Pins threads to the first CPUs of a place. False: they are not pinned. */
static bool pin(const struct rig *g, int place, int threads) {
    const struct measure_roof_place *p = &g->roofs->places[place];
    struct base_cpus cpus = {.count = p->count};
    for (int i = 0; i < p->count; i++) cpus.cpu[i] = p->cpus[i].cpu;
    return base_threads_pin(g->roofs->pinned ? &cpus : NULL, NULL, threads);
}

static int ascending(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The CPUs whose other load disturbs the row: those of its threads, or all if these are not pinned. */
static void watched(const struct rig *g, struct base_cpus *cpus) {
    const struct measure_roof_place *p = &g->roofs->places[g->row->place];
    cpus->count = g->row->pinned && g->row->threads < p->count ? g->row->threads : p->count;
    for (int i = 0; i < cpus->count; i++) cpus->cpu[i] = p->cpus[i].cpu;
    qsort(cpus->cpu, (size_t)cpus->count, sizeof *cpus->cpu, ascending);
}

static double run_peak(void *context, int calls) {
    struct rig *g = context;
    double done = 0;
    const double start = base_clock_now();
#pragma omp parallel num_threads(g->row->threads)
    {
        const double mine = g->ops.peak(g->row->dtype, (int64_t)calls * ROUNDS);
#pragma omp critical(measure_roofs_done)
        done += mine;
    }
    const double seconds = base_clock_now() - start;
    g->done = done / calls;
    return seconds;
}

static float *array(const struct sets *s, int thread, int which) {
    return (float *)(void *)s->arena.base + thread * s->thread + which * s->step;
}

static enum kernel_stream stream_of(enum measure_pass pass) {
    return pass == MEASURE_COPY ? KERNEL_STREAM_COPY : pass == MEASURE_TRIAD ? KERNEL_STREAM_TRIAD : KERNEL_STREAM_READ;
}

static double run_cache(void *context, int calls) {
    struct rig *g = context;
    const struct sets *s = &g->sets;
    const double start = base_clock_now();
#pragma omp parallel num_threads(g->row->threads)
    {
        const int t = omp_get_thread_num();
        volatile double sum = g->ops.stream(stream_of(g->row->pass), s->n, calls, array(s, t, 0), array(s, t, 1),
                                            array(s, t, s->arrays - 1));
        (void)sum;
    }
    return base_clock_now() - start;
}

static double run_memory(void *context, int calls) {
    struct rig *g = context;
    const double start = base_clock_now();
    for (int i = 0; i < calls; i++) measure_bandwidth_pass(&g->memory, g->row->pass);
    return base_clock_now() - start;
}

/* Divides the working set among the arrays of a pass. They start a third of a page apart, so that a load does not have
 * the low address bits of a store just made, for which CPUs would wait. Small whole numbers have exact sums. */
static int open_sets(struct rig *g, struct base_error *e) {
    static const int arrays[MEASURE_ROOF_PASSES] = {[MEASURE_COPY] = 2, [MEASURE_TRIAD] = 3, [MEASURE_READ] = 1};
    struct sets *s = &g->sets;
    const struct measure_roof *row = g->row;
    s->arrays = arrays[row->pass];
    s->n = (int64_t)(row->bytes / (double)sizeof(float) / s->arrays) / TURN * TURN;
    if (s->n < TURN) s->n = TURN;
    s->step = ((s->n * (int64_t)sizeof(float) + PAGE - 1) / PAGE * PAGE + APART) / (int64_t)sizeof(float);
    s->thread = (3 * s->step * (int64_t)sizeof(float) + PAGE - 1) / PAGE * PAGE / (int64_t)sizeof(float);
    const int code = base_arena_open(&s->arena, (size_t)(s->thread * row->threads) * sizeof(float), row->threads, e);
    if (code) return code;
#pragma omp parallel num_threads(row->threads)
    for (int64_t i = 0; i < s->n; i++) {
        const int t = omp_get_thread_num();
        array(s, t, 0)[i] = (float)(i & 1);
        if (s->arrays == 3) array(s, t, 1)[i] = (float)(i & 3);
    }
    return BASE_OK;
}

static bool sets_right(const struct rig *g) {
    const struct sets *s = &g->sets;
    for (int t = 0; t < g->row->threads; t++) {
        const float *x = array(s, t, 0), *y = array(s, t, 1), *z = array(s, t, s->arrays - 1);
        if (s->arrays == 1 && g->ops.stream(KERNEL_STREAM_READ, s->n, 1, x, NULL, NULL) != (double)(s->n / 2))
            return false;
        for (int64_t i = 0; i < s->n && s->arrays > 1; i++)
            if (z[i] != (s->arrays == 3 ? x[i] + 0.5f * y[i] : x[i])) return false;
    }
    return true;
}

static void close_memory(struct rig *g) {
    if (g->memory_place >= 0) measure_bandwidth_close(&g->memory);
    g->memory_place = -1;
}

/* Makes the arrays on the nodes of a place, whose threads touch them first. */
static int open_memory(struct rig *g, struct base_error *e) {
    const int place = g->row->memory, most = g->roofs->places[place].count;
    if (g->memory_place == place) return BASE_OK;
    close_memory(g);
    g->team.threads = g->row->place == place && g->row->threads > most ? g->row->threads : most;
    pin(g, place, g->team.threads);
    const int code = measure_bandwidth_open(&g->memory, &g->team, (size_t)g->row->bytes, 0, e);
    if (!code) g->memory_place = place;
    return code;
}

static int prepare(struct rig *g, struct base_error *e) {
    struct measure_roof *row = g->row;
    int code = row->kind == MEASURE_ROOF_MEMORY ? open_memory(g, e) : BASE_OK;
    row->pinned = pin(g, row->place, row->threads);
    kernel_select(&g->ops, row->isa, KERNEL_BACKEND_TOISE);
    g->team.threads = row->threads;
    if (row->kind == MEASURE_ROOF_CACHE && !code) code = open_sets(g, e);
    return code;
}

/* FLOP or bytes of one call over all threads. */
static double work_of(struct rig *g) {
    const struct measure_roof *row = g->row;
    if (row->kind == MEASURE_ROOF_PEAK) return g->ops.peak(row->dtype, ROUNDS) * row->threads;
    if (row->kind == MEASURE_ROOF_MEMORY) return measure_bandwidth_pass_bytes(&g->memory, row->pass);
    return (double)g->sets.n * (double)sizeof(float) * g->sets.arrays * row->threads;
}

static void judge(const struct rig *g, bool right) {
    struct measure_roof *row = g->row;
    const struct base_interval *call = &row->timed.call;
    const double half = (call->high - call->low) / 2 / call->median;
    row->status = RECORD_PASSED;
    if (!right) {
        row->status = RECORD_FAILED;
        snprintf(row->why, sizeof row->why, "the loop did not compute what it should");
    } else if (call->confidence < MEASURE_CONFIDENCE) {
        row->status = RECORD_INCONCLUSIVE;
        snprintf(row->why, sizeof row->why, "%d samples are too few for a %g%% interval: raise --seconds",
                 row->timed.samples.count, 100 * MEASURE_CONFIDENCE);
    } else if (half > g->o->ci) {
        row->status = RECORD_INCONCLUSIVE;
        snprintf(row->why, sizeof row->why, "the interval is +-%.1f%%, wider than the +-%.1f%% asked for", 100 * half,
                 100 * g->o->ci);
    }
}

/* Keeps the fastest of several calibrations, as other work may interrupt one. A loop sized in such a moment would time
 * the start of its threads. */
static void calibrate(const struct measure_sampler *sampler, struct measure_timed *timed) {
    for (int i = 0; i < TRIES; i++) {
        struct measure_timed one = {0};
        measure_sampler_calibrate(sampler, &one);
        if (i == 0 || one.call.median < timed->call.median) timed->calls = one.calls, timed->call = one.call;
    }
}

static int time_row(struct rig *g, struct base_error *e) {
    double (*const run[])(void *, int) = {run_peak, run_cache, run_memory};
    struct measure_roof *row = g->row;
    struct measure_watch watch;
    struct base_cpus cpus;
    watched(g, &cpus);
    int code = measure_watch_open(&watch, &cpus, e);
    if (code) return code;
    const double period = measure_quota_period(&watch.quota, row->threads);
    const struct measure_sampler sampler = {.run = run[row->kind],
                                            .context = g,
                                            .watch = &watch,
                                            .seconds = g->o->seconds,
                                            .width = g->o->ci,
                                            .calls_max = CALLS_MAX,
                                            .samples_max = SAMPLES,
                                            .quota_s = period > 0 ? measure_quota_window(period) : 0,
                                            .quota_lead_s = measure_quota_lead(period)};
    code = measure_samples_open(&row->timed.samples, SAMPLES, 0, NULL, e);
    row->work = work_of(g);
    row->sustained = period > 0;
    if (!code) calibrate(&sampler, &row->timed);
    const double began = base_clock_now();
    for (bool go = !code; go;) {
        measure_sampler_take(&sampler, &row->timed);
        go =
            !guard_stop_asked() && measure_sampler_goes_on(&sampler, base_clock_now() - began, row->timed.samples.count,
                                                           measure_sampler_narrow(&sampler, &row->timed));
    }
    measure_watch_close(&watch);
    judge(g, row->kind == MEASURE_ROOF_PEAK    ? fabs(g->done / row->work - 1) < 1e-9
             : row->kind == MEASURE_ROOF_CACHE ? sets_right(g)
                                               : true);
    return code;
}

/* A row that cannot be prepared for lack of memory is skipped, as other work may have taken what was free. */
static int run_row(struct rig *g, struct base_error *e) {
    struct base_error lacking;
    int code = prepare(g, &lacking);
    if (code)
        snprintf(g->row->skipped, sizeof g->row->skipped, "%.190s", lacking.text);
    else if (g->row->kind == MEASURE_ROOF_MEMORY && g->roofs->place_count > 1 && g->row->place &&
             !g->memory.arenas[0].bound)
        snprintf(g->row->skipped, sizeof g->row->skipped, "the kernel refuses to bind memory to a NUMA node");
    else
        code = time_row(g, e);
    base_arena_close(&g->sets.arena);
    return g->row->skipped[0] ? BASE_OK : code;
}

int measure_roofs_run(struct measure_roofs *r, const struct measure_roofs_options *o, struct base_error *e) {
    struct rig *g = calloc(1, sizeof *g);
    if (!g) return base_fail(e, BASE_BROKEN, "out of memory for measuring roofs");
    *g = (struct rig){.roofs = r, .o = o, .memory_place = -1};
    const size_t scratch = kernel_scratch_bytes(1, 1, 1);
    int code = base_arena_open(&g->scratch, scratch, 1, e);
    g->team = (struct kernel_team){
        .ops = &g->ops, .scratch = g->scratch.base, .scratch_bytes = scratch, .caches = &BEYOND, .threads = 1};
    for (int i = 0; i < r->count && !code; i++) {
        char name[160];
        g->row = &r->rows[i];
        if (guard_stop_asked() && !g->row->skipped[0])
            snprintf(g->row->skipped, sizeof g->row->skipped, "the run was stopped by %s",
                     guard_stop_name(guard_stop_asked()));
        if (g->row->skipped[0]) continue;
        measure_roof_text(r, g->row, name, sizeof name);
        if (o->on_row) o->on_row(o->context, i, name);
        code = run_row(g, e);
    }
    close_memory(g);
    base_arena_close(&g->scratch);
    free(g);
    r->stopped = guard_stop_asked();
    if (!code) measure_roofs_cross_check(r);
    return code;
}
