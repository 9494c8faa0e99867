/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/history.h"
#include "fleet/rotation.h"
#include "guard/stop.h"
#include "inject/inject.h"
#include "inventory/hosts.h"
#include "records/get.h"
#include "train/record.h"

enum { LINKS = 5 };                    /* of the slowest that are listed */
static const double MOST_CAUGHT = 0.5; /* a run that could only name slower nodes proves nothing */

static const char *const KEYS[FLEET_QUANTITIES] = {"step_s", "core_s_per_flop", "memory_s_per_byte", "link_s"};

static json_t *samples(const struct fleet *f) {
    json_t *o = json_object();
    for (int q = 0; q <= FLEET_QUANTITIES; q++) {
        json_t *ranks = json_array();
        for (int r = 0; r < f->ranks; r++) {
            json_t *rounds = json_array();
            for (int i = 0; i < f->rounds; i++) {
                const struct fleet_sample *s = fleet_at(f, i, r);
                json_array_append_new(rounds, record_number(q < FLEET_QUANTITIES ? s->seconds[q] : s->others));
            }
            json_array_append_new(ranks, rounds);
        }
        record_set(o, q < FLEET_QUANTITIES ? KEYS[q] : "others", ranks);
    }
    return o;
}

static void set_history(json_t *o, const json_t *history, const char *name) {
    const json_t *seen = json_object_get(history, name);
    record_set_integer(o, "runs_before", record_whole(seen, "runs"));
    record_set_integer(o, "bad_before", record_whole(seen, "bad"));
    if (strcmp(record_text(o, "verdict"), "good") != 0)
        record_set(o, "history", json_string(fleet_history_word(history, name)));
}

static json_t *node(const struct fleet *f, const struct fleet_judgement *j, int unit, const json_t *history) {
    const struct fleet_verdict *v = &j->unit[unit];
    const struct detect_judgement *d = &v->of[v->quantity];
    char name[96];
    json_t *o = json_object();
    fleet_name(f, unit, name, sizeof name);
    record_set(o, "name", json_string(name));
    record_set(o, "host", json_string(fleet_host(f, unit)));
    record_set(o, "verdict", json_string(fleet_state_name(v->state)));
    record_set(o, "why", json_string(v->why));
    record_set(o, "cause", v->cause[0] ? json_string(v->cause) : json_null());
    record_set(o, "quantity", json_string(fleet_quantity_name(v->quantity)));
    record_set_interval(o, "slowdown", d->slowdown, d->low, d->high);
    record_set_number(o, "p", d->p);
    if (d->verdict == DETECT_UNJUDGED) record_set(o, "unjudged", json_string(d->why));
    for (int q = 0; q < FLEET_QUANTITIES; q++)
        if (v->of[q].unsteady) record_set(o, "unsteady", json_true());
    record_set_integer(o, "rank", v->rank);
    record_set(o, "unchecked", json_boolean(v->unchecked));
    record_set_number(o, "others", v->others);
    for (int q = 0; q < FLEET_QUANTITIES; q++) record_set_number(o, KEYS[q], v->typical[q]);
    set_history(o, history, name);
    return o;
}

static json_t *unreachable(const char *name, const char *host, const char *why, const json_t *history) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:n}", "name", name, "host", host, "verdict",
                          fleet_state_name(FLEET_UNREACHABLE), "why", why, "cause", "slowdown", "p");
    set_history(o, history, name);
    return o;
}

static json_t *nodes(const struct fleet *f, const struct fleet_judgement *j, const struct fleet_context *c) {
    json_t *list = json_array();
    const json_t *host;
    size_t i;
    for (int u = 0; u < f->units; u++) {
        char name[96];
        fleet_name(f, u, name, sizeof name);
        json_array_append_new(list, u == c->lost ? unreachable(name, fleet_host(f, u), c->broken, c->history)
                                                 : node(f, j, u, c->history));
    }
    json_array_foreach(c->missing, i, host) {
        const char *name = json_string_value(host);
        json_array_append_new(list, unreachable(name, name, "no rank runs there", c->history));
    }
    return list;
}

static int count_bad(const json_t *list) {
    const json_t *o;
    size_t i;
    int bad = 0;
    json_array_foreach(list, i, o) bad += strcmp(record_text(o, "verdict"), "good") != 0;
    return bad;
}

/* The bad hosts in Slurm's notation; "" if all are good. */
static json_t *exclude(const json_t *list) {
    json_t *hosts = json_array();
    const json_t *o;
    size_t i;
    json_array_foreach(list, i, o) if (strcmp(record_text(o, "verdict"), "good") != 0)
        json_array_append(hosts, json_object_get(o, "host"));
    char *text = json_array_size(hosts) ? inventory_hosts(hosts) : NULL;
    json_t *words = json_string(text ? text : "");
    free(text);
    json_decref(hosts);
    return words;
}

static json_t *quantities(const struct fleet *f, const struct fleet_judgement *j) {
    json_t *o = json_object();
    double *all = calloc((size_t)f->units + 1, sizeof *all);
    for (int q = 0; all && q < FLEET_QUANTITIES; q++) {
        int n = 0;
        for (int u = 0; u < f->units; u++)
            if (!isnan(j->unit[u].typical[q])) all[n++] = j->unit[u].typical[q];
        if (n) base_stats_sort(all, n);
        json_t *x = json_object();
        record_set_number(x, "median", n ? base_stats_median(all, n, MEASURE_CONFIDENCE).median : NAN);
        record_set_number(x, "least", n ? all[0] : NAN);
        record_set_number(x, "most", n ? all[n - 1] : NAN);
        record_set_number(x, "caught", j->of[q].detectable);
        record_set_number(x, "spread", j->of[q].spread);
        record_set(x, "spread_assumed", json_boolean(j->of[q].assumed));
        record_set_number(x, "noise", j->of[q].noise);
        record_set(o, KEYS[q], x);
    }
    free(all);
    return o;
}

/* One link in one round. */
struct link {
    int a, b;
    double seconds;
};

static double link_seconds(const struct fleet *f, int round, int unit) {
    double slowest = NAN;
    for (int r = f->first[unit]; r >= 0; r = f->next[r])
        slowest = fmax(slowest, fleet_at(f, round, r)->seconds[FLEET_LINK]);
    return slowest;
}

/* Keeps the slowest ones in order. */
static void keep(struct link *list, int *count, const struct link *l) {
    int at = *count < LINKS ? (*count)++ : LINKS - 1;
    if (at == LINKS - 1 && *count == LINKS && list[at].seconds > l->seconds) return;
    for (; at > 0 && list[at - 1].seconds < l->seconds; at--) list[at] = list[at - 1];
    list[at] = *l;
}

static json_t *slowest_links(const struct fleet *f) {
    struct link list[LINKS] = {{0}};
    int count = 0;
    json_t *links = json_array();
    for (int i = 0; i < f->rounds; i++)
        for (int u = 0; u < f->units; u++) {
            const int partner = fleet_at(f, i, f->first[u])->partner;
            const struct link l = {u, partner,
                                   partner > u ? fmax(link_seconds(f, i, u), link_seconds(f, i, partner)) : 0};
            if (partner > u && l.seconds > 0) keep(list, &count, &l);
        }
    for (int i = 0; i < count; i++) {
        char a[96], b[96];
        fleet_name(f, list[i].a, a, sizeof a);
        fleet_name(f, list[i].b, b, sizeof b);
        json_array_append_new(links, json_pack("{s:s, s:s, s:f}", "a", a, "b", b, "byte_per_s",
                                               (double)f->options.message_bytes / list[i].seconds));
    }
    return links;
}

static json_t *links(const struct fleet *f) {
    json_t *o = json_object();
    const int64_t seen = fleet_rotation_seen(f->units, f->rounds), all = fleet_rotation_links(f->units);
    record_set_integer(o, "message_bytes", f->options.message_bytes);
    record_set_integer(o, "seed", (int64_t)f->options.seed);
    record_set_integer(o, "seen", seen);
    record_set_integer(o, "all", all);
    record_set_number(o, "share", all ? (double)seen / (double)all : NAN);
    record_set(o, "slowest", slowest_links(f));
    return o;
}

/* Why the first unit that was not judged was not. */
static const char *unjudged(const struct fleet *f, const struct fleet_judgement *j) {
    for (int u = 0; u < f->units; u++)
        if (j->unit[u].of[FLEET_STEP].verdict == DETECT_UNJUDGED) return j->unit[u].of[FLEET_STEP].why;
    return "";
}

static enum record_status judge(const struct fleet *f, const struct fleet_judgement *j, int bad, const char *broken,
                                char *why, size_t size) {
    const char *unit = f->options.of == FLEET_NODES ? "node" : "rank";
    *why = '\0';
    if (bad) {
        snprintf(why, size, "%d %s%s not good", bad, unit, bad == 1 ? " is" : "s are");
        return RECORD_FAILED;
    }
    if (broken)
        snprintf(why, size, "%s", broken);
    else if (f->stop)
        snprintf(why, size, "%s ended the run after %d of %d rounds", guard_stop_name(f->stop), f->rounds,
                 f->options.rounds);
    else if (j->unjudged)
        snprintf(why, size, "%d of %d %ss could not be judged: %s", j->unjudged, f->units, unit, unjudged(f, j));
    else if (!(j->of[FLEET_STEP].detectable < MOST_CAUGHT))
        snprintf(why, size, "%d rounds are too few or too noisy: a %s of two thirds of the speed could go unnoticed",
                 f->rounds, unit);
    return *why ? RECORD_INCONCLUSIVE : RECORD_PASSED;
}

json_t *fleet_record(const struct fleet *f, const struct fleet_judgement *j, const struct fleet_context *c) {
    char why[256];
    json_t *list = nodes(f, j, c), *result = json_object();
    const enum record_status status = judge(f, j, count_bad(list), c->broken, why, sizeof why);
    json_t *o = measure_record_head("nodes", status, why, c->origin);
    record_set(o, "config", train_plan_config(c->plan));
    record_set(result, "of", json_string(f->options.of == FLEET_NODES ? "node" : "rank"));
    record_set_integer(result, "rounds", f->rounds);
    record_set_integer(result, "asked", f->options.rounds);
    record_set(result, "exclude", exclude(list));
    record_set(result, "nodes", list);
    record_set(result, "quantities", quantities(f, j));
    record_set(result, "links", links(f));
    record_set_integer(result, "unchecked", j->unchecked);
    if (inject_text()) record_set(result, "injected", json_string(inject_text()));
    record_set(o, "result", result);
    record_set(o, "samples", samples(f));
    return o;
}
