/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges each pledged figure, and the tender, as a record. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept/parts.h"
#include "records/set.h"

/* The launches of an item by place. */
struct sample {
    double *x;                  /* of launches */
    struct accept_place *place; /* [count] */
    int count, launches;
    double typical, extra;  /* what x is compared with, as a logarithm, and its variance */
    double extra_of_launch; /* with one launch of each place */
};

/* A launch's figure for an item, above 0; NAN: it does not count for it. Energy is inverted: more is better. */
static double figure_of(const struct accept_launch *l, enum accept_item item) {
    if (l->large != (item == ACCEPT_EFFICIENCY)) return NAN;
    return item == ACCEPT_ENERGY ? 1 / l->joules : item == ACCEPT_SUSTAINED ? l->late : l->rate;
}

/* Fills the sample with logarithms of an item's figures. */
static void take(const struct accept *a, enum accept_item item, struct sample *s) {
    int last = -1;
    s->count = s->launches = 0;
    for (int i = 0; i < a->launches; i++) {
        const double figure = figure_of(&a->launch[i], item);
        if (!(figure > 0)) continue;
        if (a->launch[i].place != last)
            s->place[s->count++] = (struct accept_place){s->x + s->launches, 0, a->name[a->launch[i].place]};
        last = a->launch[i].place;
        s->x[s->launches++] = log(figure);
        s->place[s->count - 1].launches++;
    }
}

/* What an item's figures are compared with: the pledge, or what the copies do. */
static void compare_with(const struct accept *a, enum accept_item item, struct sample *s) {
    const double *pledged = a->tender.pledged;
    s->typical = s->extra = s->extra_of_launch = 0;
    if (item == ACCEPT_RATE || item == ACCEPT_SUSTAINED) s->typical = log(pledged[ACCEPT_RATE]);
    if (item == ACCEPT_ENERGY) s->typical = -log(pledged[ACCEPT_ENERGY]);
    if (item != ACCEPT_SPREAD && item != ACCEPT_EFFICIENCY) return;
    take(a, ACCEPT_RATE, s);
    if (!s->count) return;
    const struct accept_typical t = accept_typical(s->place, s->count);
    const bool spread = item == ACCEPT_SPREAD;
    s->typical = spread ? t.median + log1p(-pledged[item]) : t.mean + log(pledged[item]);
    s->extra = spread ? t.median_variance : t.mean_variance;
    s->extra_of_launch = s->extra * s->launches / s->count;
}

/* A share of the pledge in the unit of the item. */
static double in_unit(const struct accept_tender *t, enum accept_item item, double share) {
    switch (item) {
    case ACCEPT_RATE:
    case ACCEPT_SUSTAINED:
        return share * t->pledged[ACCEPT_RATE];
    case ACCEPT_SPREAD:
        return 1 - share * (1 - t->pledged[item]);
    case ACCEPT_ENERGY:
        return t->pledged[item] / share;
    default:
        return share * t->pledged[item];
    }
}

static const char *const verdicts[] = {"kept", "broken", "undecided"};

/* Why nothing is decided; "": it is. */
static void say_why(const struct accept *a, enum accept_item item, const struct sample *s,
                    const struct accept_judgement *j, char *why, size_t size) {
    *why = 0;
    if (j->verdict != ACCEPT_UNDECIDED) return;
    if (item == ACCEPT_ENERGY && a->unmeasured)
        snprintf(why, size, "energy is unmeasured: %.200s", a->unmeasured);
    else if (item == ACCEPT_EFFICIENCY && !isfinite(s->typical))
        snprintf(why, size, "no launch of a copy to compare with");
    else if (!isfinite(s->typical))
        snprintf(why, size, "a single place has no spread");
    else if (!s->count)
        snprintf(why, size, "no launch on %lld nodes", (long long)a->tender.efficiency_nodes);
    else if (j->least < ACCEPT_LAUNCHES)
        snprintf(why, size, "a place has %d launch%s; each needs at least %d", j->least, j->least == 1 ? "" : "es",
                 ACCEPT_LAUNCHES);
    else
        snprintf(why, size, "the interval reaches from the pledge to below what is never accepted");
}

static json_t *item_record(const struct accept *a, enum accept_item item, const struct sample *s,
                           const struct accept_judgement *j) {
    char why[300];
    json_t *o = json_object();
    const long needed =
        s->count ? accept_needed(sqrt(j->sd * j->sd + s->extra_of_launch), s->count, a->tender.tolerance) : 0;
    const bool falls = item == ACCEPT_SPREAD || item == ACCEPT_ENERGY; /* a lower figure is better */
    say_why(a, item, s, j, why, sizeof why);
    record_set(o, "name", json_string(accept_item_name(item)));
    record_set_number(o, "pledged", a->tender.pledged[item]);
    record_set(o, "verdict", json_string(verdicts[j->verdict]));
    if (*why) record_set(o, "why", json_string(why));
    record_set_integer(o, "places", s->count), record_set_integer(o, "launches", s->launches);
    record_set_integer(o, "launches_least", j->least);
    record_set(o, "worst", j->worst < 0 ? json_null() : json_string(s->place[j->worst].name));
    record_set_number(o, "figure", in_unit(&a->tender, item, j->at));
    record_set_number(o, "low", in_unit(&a->tender, item, falls ? j->high : j->low));
    record_set_number(o, "high", in_unit(&a->tender, item, falls ? j->low : j->high));
    record_set_number(o, "share", j->at);
    record_set_number(o, "share_low", j->low), record_set_number(o, "share_high", j->high);
    record_set_number(o, "launch_sd", j->sd);
    record_set(o, "needed", needed ? json_integer(needed) : json_null());
    return o;
}

/* Judges an item with the sample's memory. */
static json_t *judge(const struct accept *a, enum accept_item item, int items, struct sample *s,
                     enum accept_verdict *verdict) {
    s->typical = NAN;
    compare_with(a, item, s);
    if (item == ACCEPT_SPREAD && s->count < 2) s->typical = NAN; /* alone it is the typical one */
    if (item == ACCEPT_EFFICIENCY && !s->count) s->typical = NAN;
    take(a, item, s);
    for (int i = 0; i < s->launches; i++) s->x[i] -= s->typical;
    const bool usable = isfinite(s->typical);
    struct accept_judgement j = accept_judge(s->place, usable ? s->count : 0, s->extra, items, a->tender.tolerance);
    if (item == ACCEPT_ENERGY && a->unmeasured && j.verdict == ACCEPT_KEPT) j.verdict = ACCEPT_UNDECIDED;
    *verdict = j.verdict;
    return item_record(a, item, s, &j);
}

/* All items; counts their verdicts. False: out of memory. */
static bool judge_all(const struct accept *a, json_t *list, int counts[3]) {
    const size_t n = (size_t)a->launches + 1;
    struct sample s = {.x = malloc(n * sizeof *s.x), .place = malloc(n * sizeof *s.place)};
    const bool done = s.x && s.place;
    int items = 0;
    for (int i = 0; i < ACCEPT_ITEMS; i++) items += !isnan(a->tender.pledged[i]);
    for (int i = 0; i < ACCEPT_ITEMS && done; i++) {
        enum accept_verdict verdict;
        if (isnan(a->tender.pledged[i])) continue;
        json_array_append_new(list, judge(a, (enum accept_item)i, items, &s, &verdict));
        counts[verdict]++;
    }
    free(s.x), free(s.place);
    return done;
}

/* The tender's verdict with its reason; "" if it is accepted. */
static enum accept_verdict decide(const struct accept *a, const json_t *items, const int counts[3], char *why,
                                  size_t size) {
    const size_t failed = json_array_size(a->failed), seen = json_object_size(a->hosts);
    const json_t *item;
    size_t i;
    *why = 0;
    if (failed) {
        snprintf(why, size, "%zu launch%s FAILED the checks", failed, failed == 1 ? "" : "es");
        return ACCEPT_BROKEN;
    }
    json_array_foreach(items, i, item) {
        const char *verdict = record_text(item, "verdict");
        if (!strcmp(verdict, verdicts[counts[ACCEPT_BROKEN] ? ACCEPT_BROKEN : ACCEPT_UNDECIDED]) && !*why)
            snprintf(why, size, "%s is %s%s%s", record_text(item, "name"), verdict,
                     *record_text(item, "why") ? ": " : "", record_text(item, "why"));
    }
    if (counts[ACCEPT_BROKEN]) return ACCEPT_BROKEN;
    if ((int64_t)seen < a->tender.nodes)
        snprintf(why, size, "only %zu of %lld nodes have launches", seen, (long long)a->tender.nodes);
    return *why ? ACCEPT_UNDECIDED : ACCEPT_KEPT;
}

static json_t *config_of(const struct accept *a) {
    json_t *o = json_object(), *paths = json_array();
    for (size_t i = 0; i < a->list.files; i++) json_array_append_new(paths, json_string(a->list.paths[i]));
    record_set(o, "tender", json_incref(a->tender.json));
    record_set_integer(o, "copy_nodes", a->tender.copy_nodes);
    record_set_number(o, "tolerance", a->tender.tolerance);
    record_set_number(o, "alpha", ACCEPT_ALPHA), record_set_number(o, "power", ACCEPT_POWER);
    record_set(o, "files", paths);
    if (a->list.skipped.lines) record_set_integer(o, "skipped_lines", a->list.skipped.lines);
    return o;
}

json_t *accept_record(const struct accept *a, enum accept_verdict *verdict) {
    static const char *const words[] = {"accepted", "rejected", "inconclusive"};
    static const enum record_status statuses[] = {RECORD_PASSED, RECORD_FAILED, RECORD_INCONCLUSIVE};
    int counts[3] = {0};
    char why[400];
    json_t *items = json_array(), *result = json_object();
    if (!judge_all(a, items, counts)) {
        json_decref(items), json_decref(result);
        return NULL;
    }
    *verdict = decide(a, items, counts, why, sizeof why);
    json_t *record = record_head("accept", statuses[*verdict], why);
    record_set(record, "config", config_of(a));
    record_set(result, "verdict", json_string(words[*verdict]));
    record_set(result, "items", items);
    record_set_integer(result, "nodes", a->tender.nodes);
    record_set_integer(result, "nodes_seen", (int64_t)json_object_size(a->hosts));
    record_set_integer(result, "launches", a->launches);
    record_set_integer(result, "jobs", (int64_t)json_object_size(a->jobs));
    record_set(result, "failed", json_incref(a->failed));
    record_set(result, "left_out", json_incref(a->left_out));
    record_set(record, "result", result);
    return record;
}
