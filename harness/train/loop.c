/* SPDX-License-Identifier: Apache-2.0
 *
 * The training loop: windows of whole steps, with peak and probe windows between them. */
#include "train/loop.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "guard/stop.h"
#include "guard/watchdog.h"
#include "train/warmup.h"

enum { PEAK_RETRIES = 20 };
static const double PEAK_EVERY_S = 1.0; /* seconds of steps between peaks: clocks drift within minutes */
static const double PEAK_EVERY = 64;    /* or this many window lengths: a quota makes windows long */

/* What this rank knows of a request to stop. */
static double asked(const struct train_loop *l) {
    return l->asked ? l->asked : guard_stop_asked();
}

bool train_loop_stopped(struct train_loop *l) {
    double most = asked(l);
    l->world->ops->max(l->world, &most, 1);
    l->r->stopped = (int)most;
    return l->r->stopped;
}

/* Adds the time since *since to a window, and restarts *since. */
static void account(struct train_loop *l, enum train_window window, double *since) {
    const double now = base_clock_now();
    l->r->window_s[window] += now - *since;
    *since = now;
}

static void peak_window(struct train_loop *l) {
    struct train_result *r = l->r;
    double since = base_clock_now();
    const double rate = measure_peak_window(&l->peak, l->world);
    if (r->peak_count < TRAIN_PEAKS_MOST) r->peaks[r->peak_count++] = rate;
    r->peak_flop_per_s = l->peak.best;
    l->since_peak = l->ended = 0;
    account(l, TRAIN_WINDOW_PEAK, &since);
}

/* A step without communication, if there are other ranks. */
static void probe_window(struct train_loop *l, int step) {
    struct train_result *r = l->r;
    struct parallel_result probe;
    double since = base_clock_now();
    l->world->ops->barrier(l->world);
    parallel_probe(&l->engine, l->source, l->o->first_step + step, &probe);
    const double *phase_s = r->samples.phase + (r->timed - 1) * PLAN_PHASES;
    double compute_s = probe.seconds + phase_s[PLAN_PHASE_CLIP] + phase_s[PLAN_PHASE_UPDATE];
    l->world->ops->max(l->world, &compute_s, 1); /* also waits until all ranks are done */
    r->bare_s[r->probes] = r->step_s[r->timed - 1] - compute_s;
    r->probe_s[r->probes++] = probe.seconds;
    l->ended = 0;
    account(l, TRAIN_WINDOW_PROBE, &since);
}

/* Checks the interval after the least number of steps, then each time an eighth more is done. Looking after every step
 * would stop at the first lucky one. */
static bool settled(struct train_loop *l) {
    const struct train_result *r = l->r;
    if (r->timed == r->earlier) return false; /* a run that goes on times a step of its own */
    if (l->o->steps) return r->timed >= l->o->steps;
    if (r->timed >= TRAIN_STEPS_MOST || (l->timed_s >= l->o->budget_s && r->timed >= l->o->min_steps)) return true;
    if (r->timed < l->look || l->timed_s < TRAIN_QUOTA_SETTLED * r->quota_period_s) return false;
    l->look = r->timed + r->timed / 8 + 1;
    l->r->mean = base_stats_mean(r->step_s, r->timed);
    return train_half_width(r) <= l->o->ci;
}

/* Steps in total. Those that the choice of overlap adds to the warm-up are known once they are taken. */
static int planned(const struct train_loop *l) {
    const int warm = l->r->warmup.count;
    return (warm > l->o->warmup ? warm : l->o->warmup) + l->o->steps;
}

/* Prints at most ten lines a second, and the last one: short steps would spend their time printing. */
static void report_step(struct train_loop *l, const struct parallel_result *result, double seconds, double started) {
    const struct train_result *r = l->r;
    const double now = base_clock_now();
    if (!l->o->on_step || (now - l->reported < 0.1 && r->timed != l->o->steps)) return;
    l->reported = now;
    struct train_step s = {.step = (int)l->o->first_step + r->steps - 1,
                           .warmup = l->first == 0,
                           .steps = l->o->steps ? planned(l) : 0,
                           .loss = result->loss,
                           .grad_norm = result->grad_norm,
                           .lr = result->lr,
                           .seconds = seconds};
    s.elapsed = now - started;
    if (s.steps && r->earlier) s.steps = fmax(s.steps - r->earlier, r->steps);
    s.left = s.steps ? s.elapsed / r->steps * (s.steps - r->steps) : fmax(0, l->o->budget_s - l->timed_s);
    if (s.steps) s.steps += (int)l->o->first_step;
    l->o->on_step(l->o->context, &s);
}

/* Stores a step. The slowest rank's time is the sample. */
static void keep(struct train_loop *l, double start, double own, double slowest, const struct parallel_result *result,
                 const struct measure_interference *met) {
    struct train_result *r = l->r;
    const unsigned marks = measure_interference_marks(met, own, l->watch.cpus.count);
    if (!l->first) {
        r->warm_s[r->steps - 1] = slowest;
        parallel_clear_expert_rows(&l->engine);
        measure_samples_add(&r->warmup, start, own, result->phase_s, met, marks);
        return;
    }
    measure_samples_add(&r->samples, start, own, result->phase_s, met, marks);
    measure_interference_add(&l->met, met);
    for (int a = 0; a < PLAN_TALKING; a++) l->busy_s[a] += result->busy_s[a], l->waited_s[a] += result->waited_s[a];
    l->balance = result->balance;
    r->step_s[r->timed++] = slowest;
    l->timed_s += slowest;
}

/* Returns when the step begins, normally now. It begins where the last step ended if a quota stopped the process since
 * that step began, or others took a CPU since it ended. It then includes the time between. While a checkpoint is
 * written it is the thread that writes which gives way. */
static double begin(struct train_loop *l, double now) {
    struct measure_interference before;
    double start = now;
    measure_watch_read(&l->watch, &before);
    account(l, TRAIN_WINDOW_WATCH, &start);
    const bool throttled = before.throttled_periods > l->before.throttled_periods;
    const bool preempted = !l->background.saving && before.involuntary_switches > l->after.involuntary_switches;
    if (l->ended > 0 && (throttled || preempted)) {
        memcpy(l->r->window_s, l->ended_s, sizeof l->ended_s);
        before = l->after;
        start = l->ended;
    }
    l->before = before;
    return start;
}

/* One training step of all ranks. */
static void step_window(struct train_loop *l, double started) {
    struct train_result *r = l->r;
    struct parallel_result result;
    const int step = r->steps;
    guard_step((int)l->o->first_step + step);
    const double start = begin(l, base_clock_now());
    double since = start;
    struct profile *profile = l->first ? r->profile : NULL;
    if (profile) profile_step_begin(profile);
    parallel_step(&l->engine, l->source, &l->o->optimizer, l->o->first_step + step, &result);
    if (profile) profile_step_end(profile, &result);
    account(l, TRAIN_WINDOW_STEP, &since);
    const double own = since - start;
    /* of all ranks: the slowest's time, whether any is to stop, and whether any still writes a checkpoint */
    double most[] = {own, asked(l), l->background.saving && checkpoint_background_writes(&l->background)};
    l->ended = since;
    memcpy(l->ended_s, r->window_s, sizeof l->ended_s);
    measure_watch_read(&l->watch, &l->after);
    l->world->ops->max(l->world, most, 3);
    const double slowest = most[0];
    r->stopped = (int)most[1];
    l->written = most[2] == 0;
    if (!step) l->own_loss = result.own_loss;
    r->loss[step] = result.loss;
    r->grad_norm[step] = result.grad_norm;
    r->steps++;
    l->since_peak += slowest; /* the same on all ranks */
    const struct measure_interference met = measure_interference_difference(&l->after, &l->before);
    keep(l, start, own, slowest, &result, &met);
    account(l, TRAIN_WINDOW_WATCH, &since);
    report_step(l, &result, slowest, started);
    account(l, TRAIN_WINDOW_REPORT, &since);
    if (l->o->on_window && !l->o->on_window(l->o->context, r)) l->asked = TRAIN_STOPPED_JOURNAL;
    account(l, TRAIN_WINDOW_JOURNAL, &since);
    train_save(l);
}

static void set_overlap(struct train_loop *l, enum train_overlap_mode mode) {
    parallel_overlap(&l->engine, mode != TRAIN_OVERLAP_OFF);
}

/* Settles what needs no pairs of steps. */
static void begin_overlap(struct train_loop *l) {
    struct train_overlap *o = &l->r->overlap;
    const struct train_options *asked = l->o;
    *o = (struct train_overlap){.with_s = NAN, .without_s = NAN};
    if (plan_layout_replicas(&l->plan->request.layout) == 1) return;
    if (!asked->overlap && !asked->overlap_pairs) l->pairs = train_overlap_pairs(asked->warmup);
    if (asked->overlap) {
        o->chosen = asked->overlap, o->why = TRAIN_OVERLAP_ASKED;
    } else if (asked->earlier && asked->earlier->overlap) {
        o->chosen = asked->earlier->overlap, o->why = TRAIN_OVERLAP_RESUMED;
        l->pairs = 0;
    } else if (!asked->overlap_pairs && !l->pairs) {
        o->chosen = TRAIN_OVERLAP_ON, o->why = TRAIN_OVERLAP_FEW;
    }
    set_overlap(l, o->chosen);
}

/* Whether the steps before were so short that some pairs can be added. */
static bool short_enough(const struct train_loop *l) {
    double fastest = INFINITY;
    for (int i = 0; i < l->r->steps; i++) fastest = fmin(fastest, l->r->warm_s[i]);
    return 2 * TRAIN_OVERLAP_LEAST * fastest <= TRAIN_OVERLAP_PATIENCE_S;
}

/* Pairs of steps with and without overlap, the last of the warm-up. */
static void choose_overlap(struct train_loop *l, double started) {
    struct train_result *r = l->r;
    struct train_overlap *o = &r->overlap;
    const double *tried = r->warm_s + r->steps;
    if (plan_layout_replicas(&l->plan->request.layout) == 1 || o->chosen || r->stopped) return;
    if (!l->pairs && !short_enough(l)) {
        o->chosen = TRAIN_OVERLAP_ON, o->why = TRAIN_OVERLAP_LONG;
        return;
    }
    guard_phase("warm-up, with and without overlap");
    o->first = r->steps;
    for (int i = 0, done = 0; !done && !r->stopped; i++) {
        set_overlap(l, train_overlap_tries(i) ? TRAIN_OVERLAP_ON : TRAIN_OVERLAP_OFF);
        step_window(l, started);
        if (i % 2 == 0 || r->stopped) continue;
        const int pairs = (i + 1) / 2;
        done = l->pairs ? pairs == l->pairs : train_overlap_enough(tried, pairs);
        if (done) train_overlap_choose(o, tried, pairs);
    }
    set_overlap(l, o->chosen);
}

/* Whether the steps so far are enough warm-up, but for the pairs that choose_overlap takes. */
static bool warm(struct train_loop *l) {
    struct train_result *r = l->r;
    const int asked = l->o->warmup < 0 ? -1 : l->o->warmup - 2 * l->pairs;
    const enum train_warm found = asked < 0 ? train_warmup(r->warm_s, r->steps) : TRAIN_WARM;
    r->warm = found == TRAIN_WARM;
    return asked < 0 ? found != TRAIN_COLD : r->steps >= asked;
}

/* Steps, peaks and probes until the run is settled or told to stop. */
static void timed_steps(struct train_loop *l, double started) {
    struct train_result *r = l->r;
    bool done = settled(l);
    while (!done && !r->stopped) {
        step_window(l, started);
        if (l->since_peak >= fmax(PEAK_EVERY_S, PEAK_EVERY * l->peak.window_s)) peak_window(l);
        if (l->world->size > 1 && r->probes < TRAIN_PROBES_MOST && (r->timed - r->earlier) % 2 == 1)
            probe_window(l, r->steps);
        done = settled(l);
    }
    if (done) r->stopped = 0; /* it had ended anyway */
}

static void summarise(struct train_loop *l) {
    struct train_result *r = l->r;
    const double wall_s = l->last - l->first;
    double outside[] = {wall_s, 1}; /* seconds and share of the wall time in no window: the most of all ranks */
    for (int i = 0; i < TRAIN_WINDOWS; i++) outside[0] -= r->window_s[i];
    outside[1] = outside[0] / wall_s;
    l->world->ops->max(l->world, outside, 2);
    r->uncovered_s = outside[0];
    r->covered = 1 - outside[1];
    r->step = base_stats_median(r->step_s, r->timed, MEASURE_CONFIDENCE);
    r->mean = base_stats_mean(r->step_s, r->timed);
}

void train_loop_run(struct train_loop *l) {
    struct train_result *r = l->r;
    const double started = base_clock_now();
    guard_phase("warm-up");
    begin_overlap(l);
    while (!r->stopped && !warm(l)) step_window(l, started);
    choose_overlap(l, started);
    memset(r->window_s, 0, sizeof r->window_s);
    r->timed = r->earlier;
    if (!r->stopped) {
        l->first = base_clock_now();
        peak_window(l);
        guard_phase("timed steps");
        timed_steps(l, started);
    }
    guard_step(-1);
    if (r->timed == r->earlier) {
        r->timed = 0;
        return;
    }
    peak_window(l);
    l->last = base_clock_now();
    summarise(l);
    /* If steps beat the peak, others had the cores while it was measured. It must be an upper bound, so measure again.
     */
    for (int i = 0; i < PEAK_RETRIES && !train_burst(r, l->plan->ledger.hardware_flop) &&
                    train_utilisation(r, l->plan->ledger.hardware_flop) > 1;
         i++)
        peak_window(l);
}
