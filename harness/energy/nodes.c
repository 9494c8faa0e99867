/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums the nodes' joules, window by window, and makes the record's `energy`. Each node's reader is one rank of a group.
 * A source counts only if every node has it and reads the same channels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "energy/internal.h"
#include "records/set.h"

/* What a node tells of one source. Plain bytes. */
struct node {
    char host[64];
    struct energy_figures figures;
    double joules; /* a window, mean */
    double others; /* share of the node's CPU time; NAN: unknown */
};

/* One source over all nodes. */
struct sum {
    struct node *nodes; /* [readers] */
    double *joules;     /* [windows], of all nodes */
    struct base_mean mean;
    struct energy_figures all; /* the worst node's state and coverage, all nodes' counts */
};

/* Share of the node's CPU time since `before` that its ranks did not use. */
static double others_of(const struct energy *g, struct comm *node) {
    struct energy_cpu now;
    energy_cpu_read(g->root, &now);
    double own = now.own_s - g->before.own_s;
    node->ops->sum(node, &own, 1);
    const double all = now.node_s - g->before.node_s;
    return g->before.node_s > 0 && all > 0 ? fmax(0, 1 - own / all) : NAN;
}

static void set_why(struct energy_figures *all, const struct node *n, enum energy_state state, const char *why,
                    bool several) {
    if (all->state != ENERGY_MEASURED) return;
    all->state = state;
    snprintf(all->why, sizeof all->why, "%.40s%s%.200s", several ? n->host : "", several ? ": " : "", why);
}

/* Slurm's figure is the whole job's, so only the first node has it. */
static void merge(struct sum *s, int nodes, bool once) {
    struct energy_figures *all = &s->all;
    const struct energy_figures *first = &s->nodes[0].figures;
    *all = *first;
    all->state = ENERGY_MEASURED;
    for (int i = 0; i < nodes; i++) {
        const struct energy_figures *f = &s->nodes[i].figures;
        if (once && i > 0) break;
        if (f->state != ENERGY_MEASURED) set_why(all, &s->nodes[i], f->state, f->why, nodes > 1 && !once);
        if (f->state == ENERGY_MEASURED && first->state == ENERGY_MEASURED &&
            (strcmp(f->counted, first->counted) || strcmp(f->scope, first->scope)))
            set_why(all, &s->nodes[i], ENERGY_FAULT, "it has other channels than the first node", true);
        all->coverage = fmin(all->coverage, f->coverage), all->interval_s = fmax(all->interval_s, f->interval_s);
        all->cpu_s = fmax(all->cpu_s, f->cpu_s), all->constant = all->constant || f->constant;
        if (i == 0) continue;
        all->readings += f->readings, all->failed += f->failed;
        all->wraps += f->wraps, all->resets += f->resets, all->unclear += f->unclear;
    }
}

static void sum_source(struct sum *s, struct energy *g, enum energy_kind kind, const struct energy_windows *w,
                       double others, struct comm *readers) {
    struct node mine = {.others = others};
    gethostname(mine.host, sizeof mine.host - 1);
    energy_judge(&g->source[kind], w, s->joules, &mine.figures);
    const bool once = kind == ENERGY_SLURM;
    mine.joules = energy_mean(s->joules, w->count, &mine.figures).mean;
    readers->ops->all_gather(readers, &mine, sizeof mine, s->nodes);
    merge(s, readers->size, once);
    if (s->all.state != ENERGY_MEASURED) return;
    if (once && readers->rank > 0) memset(s->joules, 0, (size_t)w->count * sizeof *s->joules);
    if (w->count) readers->ops->sum(readers, s->joules, w->count);
    s->mean = energy_mean(s->joules, w->count, &s->all);
    if (isnan(s->mean.mean))
        set_why(&s->all, &s->nodes[0], ENERGY_FAULT, "no timed step is covered on all nodes", false);
}

/* joules, joules_per_UNIT, low, high, watts */
static void set_figures(json_t *o, const struct sum *s, const struct energy_windows *w) {
    char key[64];
    snprintf(key, sizeof key, "joules_per_%s", w->unit);
    record_set_number(o, "joules", s->mean.mean * w->count);
    record_set_number(o, key, s->mean.mean / w->units);
    record_set_number(o, "low", s->mean.low / w->units);
    record_set_number(o, "high", s->mean.high / w->units);
    record_set_number(o, "watts", s->mean.mean * w->count / s->all.seconds);
}

static void set_sampling(json_t *o, const struct energy_source *source, const struct energy_figures *f) {
    record_set_number(o, "coverage", f->coverage);
    record_set_number(o, "period_s", source->period_s);
    record_set_number(o, "interval_s", f->interval_s);
    record_set_integer(o, "readings", f->readings), record_set_integer(o, "failed", f->failed);
    record_set_integer(o, "wraps", f->wraps), record_set_integer(o, "resets", f->resets);
    record_set_integer(o, "gaps", f->unclear);
    record_set(o, "constant", json_boolean(f->constant));
    record_set_number(o, "reader_cpu_s", f->cpu_s);
}

json_t *energy_source_record(const struct energy_source *s) {
    json_t *channels = json_array();
    json_t *o = json_pack("{s:s, s:s}", "source", energy_readers[s->kind].name, "status", energy_state_name(s->state));
    if (s->scope[0]) record_set(o, "scope", json_string(s->scope));
    if (s->state != ENERGY_MEASURED) record_set(o, "why", json_string(s->why));
    for (int i = 0; i < s->count; i++) {
        const struct energy_channel *c = &s->channel[i];
        json_t *channel = json_pack("{s:s, s:s, s:b}", "name", c->name, "path", c->path, "counted", c->counted);
        if (c->meter.count > 1) record_set_number(channel, "watts", c->meter.total / c->meter.known_s);
        json_array_append_new(channels, channel);
    }
    if (s->count) record_set(o, "channels", channels);
    if (!s->count) json_decref(channels);
    return o;
}

static json_t *record_of(const struct energy_source *source, const struct sum *s, const struct energy_windows *w) {
    json_t *o = energy_source_record(source);
    record_set(o, "status", json_string(energy_state_name(s->all.state)));
    if (s->all.state != ENERGY_MEASURED) record_set(o, "why", json_string(s->all.why));
    if (s->all.state == ENERGY_MEASURED) set_figures(o, s, w);
    if (s->all.readings || s->all.failed) set_sampling(o, source, &s->all);
    return o;
}

/* The first source that covers nodes, else the first; -1: none is measured. */
static int headline_of(const struct sum *s) {
    int best = -1;
    for (int k = ENERGY_KINDS - 1; k >= 0; k--)
        if (s[k].all.state == ENERGY_MEASURED) best = k;
    for (int k = ENERGY_KINDS - 1; k >= 0; k--)
        if (s[k].all.state == ENERGY_MEASURED && (!strcmp(s[k].all.scope, "node") || !strcmp(s[k].all.scope, "job")))
            best = k;
    return best;
}

/* Why nothing is measured: what a user can mend first, then what is broken. */
static json_t *unmeasured(const struct energy *g, const struct sum *s) {
    static const enum energy_state order[] = {ENERGY_PERMISSION, ENERGY_FAULT};
    if (g->off) return json_string("off (--energy off)");
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < ENERGY_KINDS; k++)
            if (s[k].all.state == order[i])
                return i ? json_string(s[k].all.why) : json_sprintf("permission (%s)", s[k].all.why);
    return json_string("absent (no energy counter or power sensor)");
}

/* Sources that differ from the headline by ENERGY_APART or more. */
static json_t *disagreeing(const struct sum *s, int headline, const struct energy_windows *w) {
    json_t *all = json_array();
    for (int k = 0; k < ENERGY_KINDS; k++) {
        const double ratio = s[k].mean.mean / s[headline].mean.mean;
        if (k == headline || s[k].all.state != ENERGY_MEASURED || fabs(ratio - 1) < ENERGY_APART) continue;
        json_t *o =
            json_pack("{s:s, s:s, s:f}", "source", energy_readers[k].name, "scope", s[k].all.scope, "ratio", ratio);
        set_figures(o, &s[k], w);
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *nodes_of(const struct sum *s, int count, int windows, bool once) {
    json_t *all = json_array();
    for (int i = 0; i < count; i++) {
        const struct node *n = &s->nodes[i];
        json_t *o = json_pack("{s:s}", "host", n->host);
        if (!once) record_set_number(o, "joules", n->joules * windows);
        record_set_number(o, "other_cpu_share", n->others);
        json_array_append_new(all, o);
    }
    return all;
}

static void set_headline(json_t *o, const struct energy *g, const struct sum *sums, int k,
                         const struct energy_windows *w, int nodes) {
    const struct sum *s = &sums[k];
    double others = NAN;
    for (int i = 0; i < nodes; i++) others = fmax(others, s->nodes[i].others); /* fmax passes over NAN */
    set_figures(o, s, w);
    record_set(o, "source", json_string(energy_readers[k].name));
    record_set(o, "scope", json_string(s->all.scope));
    record_set_number(o, "coverage", s->all.coverage);
    record_set_number(o, "other_cpu_share", others);
    record_set(o, "method",
               json_string("counter readings interpolated to the ends of the timed steps; 95% interval from ten batch "
                           "means of steps, widened by a reading's interval; idle power is included"));
    record_set(o, "readers_apart", json_boolean(g->apart));
    record_set(o, "disagree", disagreeing(sums, k, w));
    record_set(o, "nodes", nodes_of(s, nodes, w->count, k == ENERGY_SLURM));
}

static json_t *make_record(const struct energy *g, const struct sum *sums, const struct energy_windows *w, int nodes) {
    json_t *sources = json_array();
    const int k = headline_of(sums);
    json_t *o = json_pack("{s:s}", "status", k < 0 ? "unmeasured" : "measured");
    if (k < 0) record_set(o, "why", unmeasured(g, sums));
    if (k >= 0) set_headline(o, g, sums, k, w, nodes);
    if (g->root[0]) record_set(o, "root", json_string(g->root));
    for (int i = 0; i < ENERGY_KINDS; i++)
        if (sums[i].all.state != ENERGY_SKIPPED) json_array_append_new(sources, record_of(&g->source[i], &sums[i], w));
    record_set(o, "sources", sources);
    return o;
}

/* By the readers of all nodes. */
static json_t *gather(struct energy *g, const struct energy_windows *w, double others, struct comm *readers) {
    struct sum sums[ENERGY_KINDS] = {0};
    double *joules = calloc((size_t)w->count * ENERGY_KINDS + 1, sizeof *joules);
    struct node *nodes = calloc((size_t)readers->size * ENERGY_KINDS, sizeof *nodes);
    json_t *record = NULL;
    if (!joules || !nodes) comm_abort(readers, BASE_BROKEN);
    for (int k = 0; k < ENERGY_KINDS; k++) {
        sums[k].joules = joules + (size_t)k * (size_t)w->count;
        sums[k].nodes = nodes + (size_t)k * (size_t)readers->size;
        sum_source(&sums[k], g, (enum energy_kind)k, w, others, readers);
    }
    if (readers->rank == 0) record = make_record(g, sums, w, readers->size);
    free(joules), free(nodes);
    return record;
}

json_t *energy_finish(struct energy *g, const struct energy_windows *w, struct comm *world) {
    struct comm node, readers;
    struct base_error e;
    json_t *record = NULL;
    energy_stop(g);
    if (comm_split(world, world->node, world->rank, &node, &e)) return NULL;
    const double others = others_of(g, &node);
    comm_close(&node);
    if (comm_split(world, world->local_rank ? -1 : 0, world->rank, &readers, &e)) return NULL;
    if (readers.size) record = gather(g, w, others, &readers);
    comm_close(&readers);
    return record;
}
