/* SPDX-License-Identifier: Apache-2.0
 *
 * The training loop: windows of whole steps, with peak and probe windows between them. */
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/warmup.h"
#include "train/weights.h"

enum { STEPS_MAX = 100000, PEAK_MAX = 4096, PEAK_RETRIES = 20, PROBES_MAX = 4096, USUAL_STEPS = 8 };
static const double PEAK_EVERY_S = 1.0; /* seconds of steps between peaks: clocks drift within minutes */
static const double PEAK_EVERY = 64;    /* or this many window lengths: a quota makes windows long */

/* One run's state. Sample arrays are allocated before the first window. */
struct loop {
    const struct train_options *o;
    const struct plan *plan;
    struct comm *world;
    const struct base_cpus *cpus; /* this rank's threads */
    struct train_result *r;
    struct parallel_engine engine;
    const struct data_source *source;
    struct measure_peak peak;
    struct measure_watch watch;
    int look;        /* number of timed steps at the next check of the interval */
    double *probe_s; /* this rank's seconds of each */
    double *bare_s;  /* [probes] the step before it minus the slowest rank's compute */
    int probes;
    /* interference before and after the last step, and the windows at its end; ended 0: another window ran since */
    struct measure_interference before, after;
    double ended, ended_s[TRAIN_WINDOWS];
    struct measure_interference met; /* over the timed steps */
    double timed_s, since_peak;      /* seconds of timed steps; seconds of steps since a peak window */
    double first, last, reported;    /* clock: start and end of the timed part; last progress line */
};

static void announce(const struct loop *l, const char *what) {
    if (l->o->on_phase) l->o->on_phase(l->o->context, what);
}

/* Allocates every sample before the first window. */
static int allocate(struct loop *l, struct base_error *e) {
    static const char *names[PLAN_PHASES];
    struct train_result *r = l->r;
    const int timed = l->o->steps ? l->o->steps : STEPS_MAX;
    for (int p = 0; p < PLAN_PHASES; p++) names[p] = plan_phase_name((enum plan_phase)p);
    const int before = l->o->warmup < 0 ? TRAIN_WARMUP_MOST : l->o->warmup;
    const size_t n = (size_t)(before + timed);
    bool ok = (r->loss = calloc(n, sizeof(double))) && (r->grad_norm = calloc(n, sizeof(double))) &&
              (r->step_s = calloc(n, sizeof(double))) && (r->warm_s = calloc(n, sizeof(double))) &&
              (r->peaks = calloc(PEAK_MAX, sizeof(double))) && (l->probe_s = calloc(PROBES_MAX, sizeof(double))) &&
              (l->bare_s = calloc(PROBES_MAX, sizeof(double))) &&
              (r->ranks = calloc((size_t)l->world->size, sizeof *r->ranks));
    if (!ok) return base_fail(e, BASE_BROKEN, "out of memory for %zu steps' samples", n);
    int code = measure_samples_open(&r->samples, timed, PLAN_PHASES, names, e);
    if (!code) code = measure_samples_open(&r->warmup, before, PLAN_PHASES, names, e);
    return code ? code : measure_watch_open(&l->watch, l->cpus, e);
}

static void release(struct loop *l) {
    free(l->probe_s), free(l->bare_s);
    measure_watch_close(&l->watch);
    parallel_close(&l->engine);
}

void train_free(struct train_result *r) {
    free(r->loss), free(r->grad_norm), free(r->step_s), free(r->warm_s), free(r->peaks), free(r->ranks);
    measure_samples_close(&r->samples);
    measure_samples_close(&r->warmup);
    memset(r, 0, sizeof *r);
}

/* Adds the time since *since to a window, and restarts *since. */
static void account(struct loop *l, enum train_window window, double *since) {
    const double now = base_clock_now();
    l->r->window_s[window] += now - *since;
    *since = now;
}

static void peak_window(struct loop *l) {
    struct train_result *r = l->r;
    double since = base_clock_now();
    const double rate = measure_peak_window(&l->peak, l->world);
    if (r->peak_count < PEAK_MAX) r->peaks[r->peak_count++] = rate;
    r->peak_flop_per_s = l->peak.best;
    l->since_peak = l->ended = 0;
    account(l, TRAIN_WINDOW_PEAK, &since);
}

/* A step without communication, if there are other ranks. */
static void probe_window(struct loop *l, int step) {
    struct parallel_result probe;
    double since = base_clock_now();
    l->world->ops->barrier(l->world);
    parallel_probe(&l->engine, l->source, step, &probe);
    const double *phase_s = l->r->samples.phase + (l->r->timed - 1) * PLAN_PHASES;
    double compute_s = probe.seconds + phase_s[PLAN_PHASE_CLIP] + phase_s[PLAN_PHASE_UPDATE];
    l->world->ops->max(l->world, &compute_s, 1); /* also waits until all ranks are done */
    l->bare_s[l->probes] = l->r->step_s[l->r->timed - 1] - compute_s;
    l->probe_s[l->probes++] = probe.seconds;
    l->ended = 0;
    account(l, TRAIN_WINDOW_PROBE, &since);
}

/* Checks the interval after the least number of steps, then each time an eighth more is done. Looking after every step
 * would stop at the first lucky one. */
static bool settled(struct loop *l) {
    const struct train_result *r = l->r;
    if (l->o->steps) return r->timed >= l->o->steps;
    if (r->timed >= STEPS_MAX || (l->timed_s >= l->o->budget_s && r->timed >= l->o->min_steps)) return true;
    if (r->timed < l->look || l->timed_s < TRAIN_QUOTA_SETTLED * r->quota_period_s) return false;
    l->look = r->timed + r->timed / 8 + 1;
    l->r->mean = base_stats_mean(r->step_s, r->timed);
    return train_half_width(r) <= l->o->ci;
}

/* Prints at most ten lines a second, and the last one: short steps would spend their time printing. */
static void report_step(struct loop *l, const struct parallel_result *result, double seconds, double started) {
    const struct train_result *r = l->r;
    const double now = base_clock_now();
    if (!l->o->on_step || (now - l->reported < 0.1 && r->timed != l->o->steps)) return;
    l->reported = now;
    struct train_step s = {.step = r->steps - 1,
                           .warmup = !r->timed,
                           .steps = l->o->steps ? l->o->warmup + l->o->steps : 0,
                           .loss = result->loss,
                           .grad_norm = result->grad_norm,
                           .lr = result->lr,
                           .seconds = seconds};
    s.elapsed = now - started;
    s.left = s.steps ? s.elapsed / r->steps * (s.steps - r->steps) : fmax(0, l->o->budget_s - l->timed_s);
    l->o->on_step(l->o->context, &s);
}

/* Stores a step. The slowest rank's time is the sample. */
static void keep(struct loop *l, double start, double own, double slowest, const struct parallel_result *result,
                 const struct measure_interference *met) {
    struct train_result *r = l->r;
    const unsigned marks = measure_interference_marks(met, own, l->watch.cpus.count);
    if (!l->first) {
        r->warm_s[r->steps - 1] = slowest;
        measure_samples_add(&r->warmup, start, own, result->phase_s, met, marks);
        return;
    }
    measure_samples_add(&r->samples, start, own, result->phase_s, met, marks);
    measure_interference_add(&l->met, met);
    r->step_s[r->timed++] = slowest;
    l->timed_s += slowest;
}

/* Returns when the step begins, normally now. It begins where the last step ended if a quota stopped the process since
 * that step began, or others took a CPU since it ended. It then includes the time between. */
static double begin(struct loop *l, double now) {
    struct measure_interference before;
    double start = now;
    measure_watch_read(&l->watch, &before);
    account(l, TRAIN_WINDOW_WATCH, &start);
    const bool throttled = before.throttled_periods > l->before.throttled_periods;
    const bool preempted = before.involuntary_switches > l->after.involuntary_switches;
    if (l->ended > 0 && (throttled || preempted)) {
        memcpy(l->r->window_s, l->ended_s, sizeof l->ended_s);
        before = l->after;
        start = l->ended;
    }
    l->before = before;
    return start;
}

/* One training step of all ranks. */
static void step_window(struct loop *l, double started) {
    struct train_result *r = l->r;
    struct parallel_result result;
    const int step = r->steps;
    const double start = begin(l, base_clock_now());
    double since = start;
    parallel_step(&l->engine, l->source, &l->o->optimizer, step, &result);
    account(l, TRAIN_WINDOW_STEP, &since);
    double own = since - start, slowest = own;
    l->ended = since;
    memcpy(l->ended_s, r->window_s, sizeof l->ended_s);
    measure_watch_read(&l->watch, &l->after);
    l->world->ops->max(l->world, &slowest, 1);
    r->loss[step] = result.loss;
    r->grad_norm[step] = result.grad_norm;
    r->steps++;
    l->since_peak += slowest; /* the same on all ranks */
    const struct measure_interference met = measure_interference_difference(&l->after, &l->before);
    keep(l, start, own, slowest, &result, &met);
    account(l, TRAIN_WINDOW_WATCH, &since);
    report_step(l, &result, slowest, started);
    account(l, TRAIN_WINDOW_REPORT, &since);
}

/* Whether the steps so far are enough warm-up. */
static bool warm(struct loop *l) {
    struct train_result *r = l->r;
    const int asked = l->o->warmup;
    const enum train_warm found = asked < 0 ? train_warmup(r->warm_s, r->steps) : TRAIN_WARM;
    r->warm = found == TRAIN_WARM;
    return asked < 0 ? found != TRAIN_COLD : r->steps >= asked;
}

static void train(struct loop *l) {
    struct train_result *r = l->r;
    const double started = base_clock_now();
    while (!warm(l)) step_window(l, started);
    memset(r->window_s, 0, sizeof r->window_s);
    l->first = base_clock_now();
    peak_window(l);
    while (!settled(l)) {
        step_window(l, started);
        if (l->since_peak >= fmax(PEAK_EVERY_S, PEAK_EVERY * l->peak.window_s)) peak_window(l);
        if (l->world->size > 1 && l->probes < PROBES_MAX && r->timed % 2 == 1) probe_window(l, r->steps);
    }
    peak_window(l);
    l->last = base_clock_now();
    for (int i = 0; i < TRAIN_WINDOWS; i++) r->covered += r->window_s[i] / (l->last - l->first);
    r->covered = -r->covered; /* the least of all ranks, by max of the negative */
    l->world->ops->max(l->world, &r->covered, 1);
    r->covered = -r->covered;
    /* If steps beat the peak, others had the cores while it was measured. It must be an upper bound, so measure again.
     */
    r->step = base_stats_median(r->step_s, r->timed, MEASURE_CONFIDENCE);
    r->mean = base_stats_mean(r->step_s, r->timed);
    for (int i = 0; i < PEAK_RETRIES && !train_burst(r, l->plan->ledger.model_flop) &&
                    train_utilisation(r, l->plan->ledger.model_flop) > 1;
         i++)
        peak_window(l);
}

/* Shares this rank's figures with all ranks. */
static void gather_ranks(struct loop *l, const struct measure_placement *placement) {
    struct train_result *r = l->r;
    struct train_rank mine = {.bound = true, .met = l->met, .peak_flop_per_s = l->peak.own_best};
    for (int i = 0; i < PLAN_ARENAS; i++)
        mine.bound = mine.bound && (l->engine.arenas[i].bound || !l->engine.arenas[i].size);
    train_ranks(r, &mine, placement, l->probe_s, l->bare_s, l->probes, l->world);
}

static int check(struct loop *l, const struct kernel_ops *ops, struct base_error *e) {
    if (!l->o->gate) return BASE_OK;
    announce(l, "gate: small model against FP64");
    int code = train_gate_path(&l->r->gate, &l->plan->request, l->world, ops, l->o->seed, e);
    if (code) return code;
    announce(l, "gate: the timed sizes");
    return train_gate_full(&l->r->gate, &l->engine, l->source, e);
}

static int prepare(struct loop *l, const struct kernel_ops *ops, double cpus_per_thread, struct base_error *e) {
    int code;
    if ((code = comm_agree(l->world, allocate(l, e), e))) return code;
    l->r->quota_period_s = measure_quota_period(&l->watch.quota, l->world->local_size * l->plan->request.threads);
    l->world->ops->max(l->world, &l->r->quota_period_s, 1);
    announce(l, "memory and weights");
    code = comm_agree(l->world, parallel_open(&l->engine, l->plan, l->world, ops, e), e);
    if (code) return code;
    if (!l->o->init) parallel_start(&l->engine, l->o->seed, false);
    if (l->o->init && (code = train_weights_load(&l->engine, l->o->init, e))) return code;
    if ((code = check(l, ops, e))) return code;
    base_memory_peak_reset(); /* from here on the peak excludes the gate's FP64 */
    announce(l, "peak");
    measure_peak_open(&l->peak, &l->engine.team, l->plan->shape.dtype, cpus_per_thread, l->r->quota_period_s);
    l->r->peak_isa = measure_peak_isa(&l->peak);
    return BASE_OK;
}

/* Rank 0 writes the weights, which are the same on all ranks. All learn whether it worked. */
static int save(struct loop *l, struct base_error *e) {
    announce(l, "saving weights");
    return comm_agree(l->world, l->world->rank ? BASE_OK : train_weights_save(&l->engine, l->o->save, e), e);
}

int train_run(struct train_result *result, const struct plan *plan, const struct train_options *options,
              struct comm *world, const struct kernel_ops *ops, const struct measure_placement *placement,
              struct base_error *e) {
    struct train_result *r = result;
    struct loop loop = {.o = options,
                        .source = options->source,
                        .plan = plan,
                        .world = world,
                        .cpus = &placement->cpus,
                        .r = r,
                        .watch = {.stat = -1, .vmstat = -1, .clock = -1},
                        .look = options->min_steps ? options->min_steps : USUAL_STEPS};
    struct loop *l = &loop;
    memset(r, 0, sizeof *r);
    train_gate_clear(&r->gate);
    r->entropy = data_entropy(options->source);
    snprintf(r->source, sizeof r->source, "%s", data_describe(options->source));
    int code = prepare(l, ops, placement->cpus_per_thread, e);
    if (!code && !train_gate_passed(&r->gate)) {
        train_verdict(r, l->o, l->plan->ledger.model_flop); /* a wrong step is not timed */
    } else if (!code) {
        train(l);
        gather_ranks(l, placement);
        train_gate_finite(&r->gate, r->loss, r->grad_norm, r->steps); /* even without the gate */
        if (options->gate && options->history) {
            const int n = r->steps < options->history_count ? r->steps : options->history_count;
            train_gate_history(&r->gate, plan->shape.dtype, r->loss, options->history, n, options->history_where);
        }
        train_gate_agree(&r->gate, world); /* only one rank may have the earlier record */
        train_verdict(r, l->o, l->plan->ledger.model_flop);
    }
    if (!code && options->on_result) code = options->on_result(options->context, r, e);
    if (!code && options->save && train_gate_passed(&r->gate)) code = save(l, e);
    release(l);
    return code;
}
