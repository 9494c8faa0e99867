/* SPDX-License-Identifier: Apache-2.0
 *
 * A run from its first allocation to its verdict: memory, gate, the timed loop, the checks after it. */
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/weights.h"
#include "guard/watchdog.h"
#include "inject/inject.h"
#include "measure/rivals.h"
#include "train/loop.h"
#include "train/warmup.h"

enum { USUAL_STEPS = 8 };

static void announce(const struct train_loop *l, const char *what) {
    guard_phase(what);
    inject_hang(what, -1);
    if (l->o->on_phase) l->o->on_phase(l->o->context, what);
}

/* The timed steps of earlier processes stand before this one's. Only rank 0 knows more of them than their times. */
static bool take_earlier(struct train_loop *l) {
    static const double unknown[PLAN_PHASES] = {0};
    const struct train_earlier *earlier = l->o->earlier;
    const struct measure_samples *s = earlier ? earlier->samples : NULL;
    struct train_result *r = l->r;
    bool done = true;
    for (int i = 0; earlier && i < earlier->timed && done; i++) {
        l->timed_s += r->step_s[i] = earlier->step_s[i];
        done = s ? measure_samples_add(&r->samples, s->start[i], s->seconds[i], s->phase + i * PLAN_PHASES,
                                       &s->interference[i], s->marks[i])
                 : measure_samples_add(&r->samples, 0, 0, unknown, NULL, 0);
    }
    r->earlier = earlier ? earlier->timed : 0;
    return done;
}

/* Allocates every sample before the first window. */
static int allocate(struct train_loop *l, struct base_error *e) {
    static const char *names[PLAN_PHASES];
    struct train_result *r = l->r;
    const int timed = l->o->steps ? l->o->steps : TRAIN_STEPS_MOST;
    for (int p = 0; p < PLAN_PHASES; p++) names[p] = plan_phase_name((enum plan_phase)p);
    const int earlier = l->o->earlier ? l->o->earlier->timed : 0;
    const int before = (l->o->warmup < 0 ? TRAIN_WARMUP_MOST : l->o->warmup) + 2 * TRAIN_OVERLAP_MOST;
    const size_t n = (size_t)(before + timed + earlier);
    bool ok = (r->loss = calloc(n, sizeof(double))) && (r->grad_norm = calloc(n, sizeof(double))) &&
              (r->step_s = calloc(n, sizeof(double))) && (r->warm_s = calloc(n, sizeof(double))) &&
              (r->peaks = calloc(TRAIN_PEAKS_MOST, sizeof(double))) &&
              (r->probe_s = calloc(TRAIN_PROBES_MOST, sizeof(double))) &&
              (r->bare_s = calloc(TRAIN_PROBES_MOST, sizeof(double))) &&
              (r->ranks = calloc((size_t)l->world->size, sizeof *r->ranks));
    if (!ok) return base_fail(e, BASE_BROKEN, "out of memory for %zu steps' samples", n);
    int code = measure_samples_open(&r->samples, earlier + timed, PLAN_PHASES, names, e);
    if (!code && !take_earlier(l)) code = base_fail(e, BASE_BROKEN, "too many samples of earlier processes");
    if (!code) code = measure_samples_open(&r->warmup, before, PLAN_PHASES, names, e);
    return code ? code : measure_watch_open(&l->watch, l->cpus, e);
}

static void release(struct train_loop *l) {
    checkpoint_background_close(&l->background);
    measure_watch_close(&l->watch);
    if (l->r->profile) profile_close(l->r->profile);
    parallel_close(&l->engine);
}

void train_free(struct train_result *r) {
    free(r->loss), free(r->grad_norm), free(r->step_s), free(r->warm_s), free(r->peaks), free(r->ranks),
        free(r->probe_s), free(r->bare_s), free(r->saves);
    measure_samples_close(&r->samples);
    measure_samples_close(&r->warmup);
    profile_free(r->profile);
    free(r->profile);
    memset(r, 0, sizeof *r);
}

/* Shares this rank's figures with all ranks. */
static void gather_ranks(struct train_loop *l, const struct measure_placement *placement) {
    struct train_result *r = l->r;
    struct train_rank mine = {.bound = true, .met = l->met, .peak_flop_per_s = l->peak.own_best};
    mine.near = base_arenas_near(l->engine.arenas, PLAN_ARENAS, &placement->cpus);
    mine.huge = base_arenas_huge(l->engine.arenas, PLAN_ARENAS, mine.huge_why, sizeof mine.huge_why);
    mine.rivals = placement->rivals;
    measure_rivals_find(&mine.rivals, placement, l->world);
    mine.loss_first = l->own_loss * plan_layout_replicas(&l->plan->request.layout); /* all have as many tokens */
    for (int a = 0; a < PLAN_TALKING; a++) {
        mine.busy_s[a] = l->busy_s[a] / (r->timed - r->earlier);
        mine.waited_s[a] = l->waited_s[a] / (r->timed - r->earlier);
    }
    for (int i = 0; i < PLAN_ARENAS; i++)
        mine.bound = mine.bound && (l->engine.arenas[i].bound || !l->engine.arenas[i].size);
    train_ranks(r, &mine, placement, l->world);
}

/* The mean over layers of the largest of `groups` loads over their mean; each group has as many experts. */
static double busiest(const double *rows, int64_t layers, int64_t experts, int64_t groups) {
    double sum = 0;
    for (int64_t l = 0; l < layers; l++) {
        double most = 0, all = 0;
        for (int64_t g = 0; g < groups; g++) {
            double mine = 0;
            for (int64_t x = g * (experts / groups); x < (g + 1) * (experts / groups); x++)
                mine += rows[l * experts + x];
            most = fmax(most, mine), all += mine;
        }
        sum += most * (double)groups / all / (double)layers;
    }
    return sum;
}

static void gather_experts(struct train_loop *l) {
    const struct plan_request *q = &l->plan->request;
    if (q->config.experts == 0) return;
    const double *rows = parallel_expert_rows(&l->engine);
    l->r->balance = l->balance;
    l->r->busiest_expert = busiest(rows, q->config.layers, q->config.experts, q->config.experts);
    l->r->busiest_rank = busiest(rows, q->config.layers, q->config.experts, plan_layout_expert_ranks(&q->layout));
}

static int open_profile(struct train_loop *l, struct base_error *e) {
    const struct train_options *o = l->o;
    if (!o->profile && !o->trace) return BASE_OK;
    l->r->profile = calloc(1, sizeof *l->r->profile);
    if (!l->r->profile) return base_fail(e, BASE_BROKEN, "out of memory for a profile");
    return profile_open(l->r->profile, &l->engine, o->trace != NULL, e);
}

/* Leaves out what is still to be checked once a rank is to stop, as the next one does. */
static int check_path(struct train_loop *l, const struct kernel_ops *ops, struct base_error *e) {
    if (!l->o->gate || train_loop_stopped(l)) return BASE_OK;
    announce(l, "gate: small model against FP64");
    return gate_path(&l->r->gate, &l->plan->request, l->world, ops, l->o->seed, e);
}

static int check_sizes(struct train_loop *l, struct base_error *e) {
    if (!l->o->gate || train_loop_stopped(l)) return BASE_OK;
    announce(l, "gate: the timed sizes");
    return gate_full(&l->r->gate, &l->engine, l->source, e);
}

double train_process_bytes(struct comm *world) {
    double bytes = (double)base_memory_resident();
    world->ops->max(world, &bytes, 1);
    return bytes;
}

/* What training starts from. */
static int set_state(struct train_loop *l, struct base_error *e) {
    if (l->o->from) return checkpoint_load(&l->engine, l->o->from, e);
    if (l->o->init) return checkpoint_weights_load(&l->engine, l->o->init, e);
    parallel_start(&l->engine, l->o->seed, false);
    return BASE_OK;
}

static int prepare(struct train_loop *l, const struct kernel_ops *ops, double cpus_per_thread, struct base_error *e) {
    int code;
    if ((code = comm_agree(l->world, allocate(l, e), e))) return code;
    l->r->quota_period_s = measure_quota_period(&l->watch.quota, l->world->local_size * l->plan->request.threads);
    l->world->ops->max(l->world, &l->r->quota_period_s, 1);
    if ((code = check_path(l, ops, e))) return code;
    l->r->process_bytes = train_process_bytes(l->world); /* checking the path loaded its code and opened connections */
    announce(l, "memory and weights");
    code = comm_agree(l->world, parallel_open(&l->engine, l->plan, l->world, ops, e), e);
    if (code) return code;
    if (l->plan->request.copies) code = checkpoint_background_open(&l->background, &l->engine, l->cpus, e);
    if ((code = comm_agree(l->world, code, e))) return code;
    if ((code = set_state(l, e))) return code;
    if ((code = check_sizes(l, e))) return code;
    base_memory_peak_reset(); /* from here on the peak excludes the gate's FP64 */
    announce(l, "peak");
    measure_peak_open(&l->peak, &l->engine.team, l->plan->shape.dtype, cpus_per_thread, l->r->quota_period_s);
    l->r->peak_isa = measure_peak_isa(&l->peak);
    return comm_agree(l->world, open_profile(l, e), e);
}

/* Bandwidth is measured once nothing else is. A run that is to stop has no time for it. */
static void finish_profile(struct train_loop *l) {
    if (!l->o->profile) return;
    l->r->profile->peak = l->peak.own_best > 0 ? l->peak.own_best : NAN;
    if (l->r->stopped) return;
    announce(l, "roofs");
    profile_bandwidth(l->r->profile, l->r->quota_period_s);
}

/* The gate's last part: losses are numbers, even without the gate, and those that another run of this work had. */
static void check_losses(struct train_loop *l) {
    const struct train_options *o = l->o;
    struct train_result *r = l->r;
    const struct train_losses *const known[] = {&o->history, o->earlier ? &o->earlier->losses : NULL};
    gate_finite(&r->gate, r->loss, r->grad_norm, r->steps);
    for (int i = 0; i < 2; i++) {
        const struct train_losses *k = known[i];
        if (!o->gate || !k || !k->loss) continue;
        /* the steps that both have */
        const int64_t first = o->first_step > k->first ? o->first_step : k->first;
        const int64_t mine = o->first_step + r->steps, theirs = k->first + k->count,
                      end = mine < theirs ? mine : theirs;
        if (first < end)
            gate_history(&r->gate, l->plan->shape.dtype, r->loss + (first - o->first_step),
                         k->loss + (first - k->first), first, (int)(end - first), k->since, k->where);
    }
    gate_agree(&r->gate, l->world); /* only one rank may have the other losses */
}

/* After the record, so that a failing write cannot lose it. */
static int export_weights(struct train_loop *l, struct base_error *e) {
    if (!l->o->save || l->o->save_every || l->r->stopped || !gate_passed(&l->r->gate)) return BASE_OK;
    announce(l, "saving weights");
    return checkpoint_export(&l->engine, l->o->save, e);
}

int train_run(struct train_result *result, const struct plan *plan, const struct train_options *options,
              struct comm *world, const struct kernel_ops *ops, const struct measure_placement *placement,
              struct base_error *e) {
    struct train_result *r = result;
    struct train_loop loop = {.o = options,
                              .source = options->source,
                              .plan = plan,
                              .world = world,
                              .cpus = &placement->cpus,
                              .r = r,
                              .watch = {.stat = -1, .vmstat = -1, .clock = -1},
                              .look = options->min_steps ? options->min_steps : USUAL_STEPS};
    struct train_loop *l = &loop;
    memset(r, 0, sizeof *r);
    gate_clear(&r->gate);
    r->entropy = data_entropy(options->source);
    snprintf(r->source, sizeof r->source, "%s", data_describe(options->source));
    int code = prepare(l, ops, placement->cpus_per_thread, e);
    if (!code && gate_passed(&r->gate) && !train_loop_stopped(l)) { /* a wrong step is not timed */
        train_loop_run(l);
        check_losses(l);
        train_save_last(l, gate_passed(&r->gate));
        guard_phase("ranks' reports");
        if (r->timed) gather_ranks(l, placement), gather_experts(l);
        if (r->timed) finish_profile(l);
    }
    if (!r->timed) r->samples.count = r->earlier = 0; /* what earlier processes measured is theirs alone */
    if (!code) train_verdict(r, l->o, l->plan->ledger.hardware_flop);
    announce(l, "record");
    if (!code && options->on_result) code = options->on_result(options->context, r, e);
    if (!code && options->trace && r->timed) code = profile_trace(r->profile, options->trace, e);
    if (!code) code = export_weights(l, e);
    if (!code && l->unsaved.code) code = base_fail(e, BASE_BROKEN, "%s", l->unsaved.text);
    release(l);
    return code;
}
