/* SPDX-License-Identifier: Apache-2.0
 *
 * Times are judged quantity by quantity, then bits and messages; what is wrong outranks what is slow. */
#include "fleet/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "fleet/bits.h"
#include "measure/samples.h"

static const double EXPLAINED = 0.5; /* share of a slowdown that a neighbour must explain to be the cause */

const char *fleet_state_name(enum fleet_state state) {
    static const char *const names[] = {"good", "slow", "wrong", "unreachable"};
    return names[state];
}

/* Memory for the judgement of one quantity at a time. */
struct work {
    double *seconds, *share; /* [units][rounds]: as measured; over the group's median in the same round */
    double *time;            /* [units] in one round */
    struct detect_node *node;
    struct detect_judgement *judgement; /* [units] */
    int *group;
    double *x; /* [units] */
};

static int work_open(struct work *w, const struct fleet *f, struct base_error *e) {
    const size_t n = (size_t)f->units + 1;
    *w = (struct work){.seconds = calloc(n * (size_t)(f->rounds + 1), sizeof *w->seconds),
                       .share = calloc(n * (size_t)(f->rounds + 1), sizeof *w->share),
                       .time = calloc(n, sizeof *w->time),
                       .node = calloc(n, sizeof *w->node),
                       .judgement = calloc(n, sizeof *w->judgement),
                       .group = calloc(n, sizeof *w->group),
                       .x = calloc(n, sizeof *w->x)};
    if (w->seconds && w->share && w->time && w->node && w->judgement && w->group && w->x) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "out of memory to judge %d units", f->units);
}

static void work_close(struct work *w) {
    free(w->seconds), free(w->share), free(w->time), free(w->node), free(w->judgement), free(w->group), free(w->x);
}

/* Units of one kind form a group, named by its first unit. */
static void group(const struct fleet *f, int *groups) {
    for (int u = 0; u < f->units; u++) {
        int first = 0;
        while (strcmp(f->rank[f->first[first]].kind, f->rank[f->first[u]].kind) != 0) first++;
        groups[u] = first;
    }
}

/* The slowest rank of a unit in a round; -1: none has a time. */
static int slowest(const struct fleet *f, enum fleet_quantity q, int unit, int round) {
    int worst = -1;
    for (int r = f->first[unit]; r >= 0; r = f->next[r]) {
        const double s = fleet_at(f, round, r)->seconds[q];
        if (!isnan(s) && (worst < 0 || s > fleet_at(f, round, worst)->seconds[q])) worst = r;
    }
    return worst;
}

/* The rank that is the slowest in most rounds, the lowest of equals. */
static int mostly_slowest(const struct fleet *f, enum fleet_quantity q, int unit) {
    int best = f->first[unit], most = 0;
    for (int r = f->first[unit]; r >= 0; r = f->next[r]) {
        int times = 0;
        for (int i = 0; i < f->rounds; i++) times += slowest(f, q, unit, i) == r;
        if (times > most) most = times, best = r;
    }
    return best;
}

/* The times of a quantity, each over the median of its round in the group: what slows all at once is nobody's fault. */
static void collect(const struct fleet *f, struct work *w, enum fleet_quantity q, int first, int round) {
    int n = 0;
    for (int u = first; u < f->units; u++) {
        if (w->group[u] != first) continue;
        const int r = slowest(f, q, u, round);
        w->time[u] = r < 0 ? NAN : fleet_at(f, round, r)->seconds[q];
        if (r >= 0) w->x[n++] = w->time[u];
    }
    const double usual = n ? base_stats_median(w->x, n, MEASURE_CONFIDENCE).median : NAN;
    for (int u = first; u < f->units; u++) {
        if (w->group[u] != first || isnan(w->time[u])) continue;
        const size_t at = (size_t)u * (size_t)f->rounds + (size_t)w->node[u].samples++;
        w->seconds[at] = w->time[u];
        w->share[at] = w->time[u] / usual;
    }
}

static int judge_times(const struct fleet *f, struct work *w, enum fleet_quantity q, struct fleet_judgement *j,
                       struct base_error *e) {
    const struct detect_options options = {.quantities = FLEET_QUANTITIES};
    for (int u = 0; u < f->units; u++)
        w->node[u] = (struct detect_node){w->share + (size_t)u * (size_t)f->rounds, 0, w->group[u]};
    for (int u = 0; u < f->units; u++)
        for (int i = 0; w->group[u] == u && i < f->rounds; i++) collect(f, w, q, u, i);
    const int code = detect_judge(w->node, f->units, &options, w->judgement, &j->of[q], e);
    for (int u = 0; u < f->units && !code; u++) {
        const double *seconds = w->seconds + (size_t)u * (size_t)f->rounds;
        const int n = w->node[u].samples;
        j->unit[u].of[q] = w->judgement[u];
        j->unit[u].typical[q] = n ? base_stats_median(seconds, n, MEASURE_CONFIDENCE).median : NAN;
    }
    return code;
}

/* Mean over the rounds, of the rank that lost most. */
static double others(const struct fleet *f, int unit) {
    double most = 0;
    for (int r = f->first[unit]; r >= 0; r = f->next[r]) {
        double sum = 0;
        for (int i = 0; i < f->rounds; i++) sum += fleet_at(f, i, r)->others;
        most = fmax(most, sum / f->rounds);
    }
    return most;
}

/* The median of `others` in a unit's group. */
static double usual_others(const struct fleet *f, const struct work *w, const struct fleet_judgement *j, int unit) {
    int n = 0;
    for (int u = 0; u < f->units; u++)
        if (w->group[u] == w->group[unit]) w->x[n++] = j->unit[u].others;
    return base_stats_median(w->x, n, MEASURE_CONFIDENCE).median;
}

/* The slow quantity to report: the step if it is slow, else the least likely one; FLEET_QUANTITIES: none is slow. */
static enum fleet_quantity slow_quantity(const struct fleet_verdict *v) {
    enum fleet_quantity worst = FLEET_QUANTITIES;
    if (v->of[FLEET_STEP].verdict == DETECT_SLOW) return FLEET_STEP;
    for (int q = 0; q < FLEET_QUANTITIES; q++)
        if (v->of[q].verdict == DETECT_SLOW && (worst == FLEET_QUANTITIES || v->of[q].p < v->of[worst].p))
            worst = (enum fleet_quantity)q;
    return worst;
}

static const char *cause_of(const struct fleet_verdict *v, double usual) {
    const struct detect_judgement *core = &v->of[FLEET_CORE], *memory = &v->of[FLEET_MEMORY];
    const double slowdown = v->of[v->quantity].slowdown;
    const bool by_core = core->verdict == DETECT_SLOW, by_memory = memory->verdict == DETECT_SLOW;
    if (v->quantity != FLEET_STEP) return fleet_quantity_name(v->quantity);
    if (v->others - usual >= EXPLAINED * slowdown / (1 + slowdown)) return "neighbour";
    if (by_core && (!by_memory || core->slowdown >= memory->slowdown)) return fleet_quantity_name(FLEET_CORE);
    return by_memory ? fleet_quantity_name(FLEET_MEMORY) : "unexplained";
}

static void judge_slow(const struct fleet *f, const struct work *w, struct fleet_judgement *j) {
    for (int u = 0; u < f->units; u++) {
        struct fleet_verdict *v = &j->unit[u];
        const enum fleet_quantity q = slow_quantity(v);
        v->quantity = q < FLEET_QUANTITIES ? q : FLEET_STEP;
        v->rank = mostly_slowest(f, v->quantity, u);
        j->unjudged += v->of[FLEET_STEP].verdict == DETECT_UNJUDGED;
        if (q == FLEET_QUANTITIES) continue;
        v->state = FLEET_SLOW;
        v->cause = cause_of(v, usual_others(f, w, j, u));
        snprintf(v->why, sizeof v->why, "%s %.1f%% slower than its peers'", fleet_quantity_name(q),
                 100 * v->of[q].slowdown);
    }
}

static int judge_bits(const struct fleet *f, struct fleet_judgement *j, struct base_error *e) {
    struct fleet_bits *bits = calloc((size_t)f->ranks + 1, sizeof *bits);
    if (!bits || !fleet_bits_judge(f, bits)) {
        free(bits);
        return base_fail(e, BASE_BROKEN, "out of memory to compare the bits of %d ranks", f->ranks);
    }
    for (int r = f->ranks - 1; r >= 0; r--) { /* the lowest rank has the last word */
        struct fleet_verdict *v = &j->unit[f->rank[r].unit];
        v->unchecked = v->unchecked || bits[r].unchecked;
        if (!bits[r].wrong) continue;
        v->state = FLEET_WRONG;
        v->cause = "";
        v->rank = r;
        if (bits[r].since < 0)
            snprintf(v->why, sizeof v->why, "%s", bits[r].why);
        else
            snprintf(v->why, sizeof v->why, "%s, from round %d on", bits[r].why, bits[r].since + 1);
    }
    free(bits);
    return BASE_OK;
}

/* Whether a message between the units of this round arrived wrong at either end. */
static bool garbled(const struct fleet *f, int round, int unit) {
    const int partner = fleet_at(f, round, f->first[unit])->partner;
    for (int r = f->first[unit]; r >= 0; r = f->next[r])
        if (fleet_at(f, round, r)->garbled) return true;
    for (int r = partner < 0 ? -1 : f->first[partner]; r >= 0; r = f->next[r])
        if (fleet_at(f, round, r)->garbled) return true;
    return false;
}

/* Rounds with a garbled message between a unit and one that is not accused yet. */
static int faults(const struct fleet *f, const bool *accused, int unit) {
    int count = 0;
    for (int i = 0; i < f->rounds && !accused[unit]; i++) {
        const int partner = fleet_at(f, i, f->first[unit])->partner;
        count += partner >= 0 && !accused[partner] && garbled(f, i, unit);
    }
    return count;
}

/* Accuses the units that most garbled messages have in common, then those of the rest, until all are explained. */
static void judge_messages(const struct fleet *f, bool *accused, int *count, struct fleet_judgement *j) {
    for (int most = 1; most > 0;) {
        most = 0;
        for (int u = 0; u < f->units; u++) {
            count[u] = faults(f, accused, u);
            if (count[u] > most) most = count[u];
        }
        for (int u = 0; u < f->units && most; u++) {
            struct fleet_verdict *v = &j->unit[u];
            if (count[u] < most) continue;
            accused[u] = true;
            v->state = FLEET_WRONG;
            v->cause = "";
            snprintf(v->why, sizeof v->why, "messages with it arrive garbled, in %d round%s", most,
                     most == 1 ? "" : "s");
        }
    }
}

static int judge_garbled(const struct fleet *f, struct fleet_judgement *j, struct base_error *e) {
    bool any = false;
    for (int64_t i = 0; i < (int64_t)f->rounds * f->ranks && !any; i++) any = f->sample[i].garbled > 0;
    if (!any) return BASE_OK;
    bool *accused = calloc((size_t)f->units + 1, sizeof *accused);
    int *count = calloc((size_t)f->units + 1, sizeof *count), code = BASE_OK;
    if (accused && count)
        judge_messages(f, accused, count, j);
    else
        code = base_fail(e, BASE_BROKEN, "out of memory to judge the messages of %d units", f->units);
    free(accused), free(count);
    return code;
}

int fleet_judge(const struct fleet *f, struct fleet_judgement *j, struct base_error *e) {
    struct work w;
    *j = (struct fleet_judgement){.unit = calloc((size_t)f->units + 1, sizeof *j->unit)};
    int code = work_open(&w, f, e);
    if (!code && !j->unit) code = base_fail(e, BASE_BROKEN, "out of memory for %d verdicts", f->units);
    if (!code) group(f, w.group);
    for (int u = 0; u < f->units && !code; u++)
        j->unit[u] = (struct fleet_verdict){.cause = "", .others = others(f, u), .rank = -1};
    for (int q = 0; q < FLEET_QUANTITIES && !code; q++) code = judge_times(f, &w, (enum fleet_quantity)q, j, e);
    if (!code) judge_slow(f, &w, j);
    work_close(&w);
    if (!code) code = judge_bits(f, j, e);
    if (!code) code = judge_garbled(f, j, e);
    for (int u = 0; u < f->units && !code; u++) j->unchecked += j->unit[u].unchecked;
    return code;
}

void fleet_judgement_close(struct fleet_judgement *j) {
    free(j->unit);
    *j = (struct fleet_judgement){0};
}
