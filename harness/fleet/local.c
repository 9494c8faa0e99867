/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/local.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/bits.h"
#include "inject/inject.h"
#include "records/get.h"
#include "records/hash.h"

enum { WINDOWS = 4 }; /* of a roof in a round: the best counts, as a moment's loss of a core says nothing of a roof */

const char *fleet_quantity_name(enum fleet_quantity quantity) {
    static const char *const names[FLEET_QUANTITIES] = {"step", "core clock", "memory", "link"};
    return names[quantity];
}

static size_t pass_bytes(const struct kernel_caches *caches) {
    return measure_beyond_caches(caches) / 2;
}

double fleet_local_need(const struct kernel_caches *caches) {
    return 3.0 * (double)pass_bytes(caches);
}

static int open_source(struct fleet_local *l, const struct plan *plan, struct base_error *e) {
    const struct data_options d = {
        .vocab = plan->request.config.vocab, .seq = plan->request.seq, .seed = l->seed, .shares = 1};
    return data_open(&l->source, &d, e);
}

int fleet_local_open(struct fleet_local *l, const struct plan *plan, const struct kernel_ops *ops,
                     const struct measure_placement *place, int ranks, uint64_t seed, struct base_error *e) {
    *l =
        (struct fleet_local){.seed = seed, .cpus = place->cpus.count, .watch = {.stat = -1, .vmstat = -1, .clock = -1}};
    comm_serial(&l->alone);
    int code = parallel_open(&l->engine, plan, &l->alone, ops, e);
    if (!code) code = open_source(l, plan, e);
    if (!code) code = measure_watch_open(&l->watch, &place->cpus, e);
    if (code) return code;
    const double period_s = measure_quota_period(&l->watch.quota, ranks * place->threads);
    /* the same loop on all ranks: of two for BF16 a rank would take the one that was faster at that moment */
    measure_peak_open(&l->peak, &l->engine.team, KERNEL_F32, 1, period_s);
    return measure_bandwidth_open(&l->bandwidth, &l->engine.team, pass_bytes(l->engine.team.caches), period_s, e);
}

void fleet_local_close(struct fleet_local *l) {
    measure_bandwidth_close(&l->bandwidth);
    measure_watch_close(&l->watch);
    data_close(l->source);
    parallel_close(&l->engine);
}

void fleet_local_start(struct fleet_local *l) {
    parallel_start(&l->engine, l->seed, false);
}

static uint64_t bits_of(struct parallel_engine *g, double loss) {
    uint64_t bits;
    memcpy(&bits, &loss, sizeof bits);
    bits = fleet_trajectory_add(fleet_trajectory_add(bits, parallel_gradients_mix(g)), parallel_weights_mix(g, false));
    return g->params.expert_size ? fleet_trajectory_add(bits, parallel_weights_mix(g, true)) : bits;
}

double fleet_local_step(struct fleet_local *l, int round, uint64_t *bits, double *others) {
    const struct parallel_optimizer optimizer = parallel_optimizer_default();
    struct measure_interference before, after;
    struct parallel_result result;
    measure_watch_read(&l->watch, &before);
    const double start = base_clock_now();
    parallel_step(&l->engine, l->source, &optimizer, round, &result);
    const double seconds = base_clock_now() - start;
    measure_watch_read(&l->watch, &after);
    const struct measure_interference met = measure_interference_difference(&after, &before);
    *others = fmin(1, (met.steal_s + met.other_s) / (seconds * l->cpus));
    *bits = bits_of(&l->engine, result.loss);
    return seconds;
}

double fleet_local_core(struct fleet_local *l) {
    const double factor = inject_factor(INJECT_SLOW), start = base_clock_now();
    double best = 0;
    for (int i = 0; i < WINDOWS; i++) best = fmax(best, measure_peak_window(&l->peak, &l->alone));
    inject_stretch(factor, start, NULL, NULL);
    return factor / best;
}

double fleet_local_memory(struct fleet_local *l) {
    const double factor = inject_factor(INJECT_MEMORY), start = base_clock_now();
    double best = 0;
    for (int i = 0; i < WINDOWS; i++) best = fmax(best, measure_bandwidth_window(&l->bandwidth));
    inject_stretch(factor, start, NULL, NULL);
    return factor / best;
}

void fleet_local_warm(struct fleet_local *l) {
    const struct parallel_optimizer optimizer = parallel_optimizer_default();
    struct parallel_result result;
    fleet_local_start(l);
    parallel_gradients(&l->engine, l->source, 0, &result); /* not a step, which a fault may hit once */
    parallel_update(&l->engine, &optimizer, &result);
    measure_peak_window(&l->peak, &l->alone);
    measure_bandwidth_window(&l->bandwidth);
    fleet_local_start(l);
}

void fleet_kind(const json_t *machine, const struct kernel_team *team, enum kernel_isa isa, char kind[FLEET_KIND]) {
    char text[256], hash[RECORD_HASH_TEXT];
    const struct kernel_caches *c = team->caches;
    snprintf(text, sizeof text, "%s %s %d %lld %lld %lld", record_text(machine, "fingerprint"), kernel_isa_name(isa),
             team->threads, (long long)c->l1, (long long)c->l2, (long long)c->l3);
    record_hash_of(text, strlen(text), hash);
    snprintf(kind, FLEET_KIND, "%.16s", hash);
}
